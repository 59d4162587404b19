"""Many requests at once, each answered from the cache or by the server, in the order of the prompts."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from harness.endpoint import cache, forms, likelihood
from harness.endpoint.cache import Cache
from harness.endpoint.client import Client
from harness.endpoint.forms import PATHS, Reading, ServerFacts
from harness.endpoint.pace import Stopped
from harness.endpoint.settings import Endpoint
from harness.record import Usage

LOOK_SECONDS = 0.5  # between two looks at a request to stop
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Request:
    """A request, its reader, and its key in the cache; `root` if the path is below the server's root.

    `purpose` divides the readings of equal requests that are read in two ways.
    """

    path: str
    body: Mapping[str, Any]
    read: Callable[[Any], Reading]
    root: bool = False
    purpose: str = ""

    @property
    def key(self) -> str:
        """The hash of the request."""
        return cache.key(self.path + self.purpose, self.body)


class Respondent(Protocol):
    """A model behind an address, as a challenger asks it."""

    @property
    def scores_options(self) -> bool:
        """Whether it gives log-likelihoods of options."""

    def write(self, prompts: Sequence[str], *, has_options: bool, one_line: bool) -> list[str]:
        """Return the text that follows each prompt."""

    def score(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        """Return the log-likelihood of each second text behind its first, in nats."""


@dataclass(frozen=True)
class Settings:
    """The settings of a connection: server, facts, longest answer, and the folder of results with the cache."""

    endpoint: Endpoint
    facts: ServerFacts
    limit: int
    results: Path


class Connection:
    """A `Respondent` behind an address. Use it in a `with` statement; `on_progress` may raise to stop."""

    def __init__(self, settings: Settings, on_progress: Progress | None = None) -> None:
        self.facts, self._limit = settings.facts, settings.limit
        self._endpoint, self._on_progress = settings.endpoint, on_progress
        self._client = Client(settings.endpoint)
        file = cache.path(settings.results, settings.endpoint, settings.facts)
        self._cache = Cache(file, settings.facts)
        self._readings: list[Reading] = []
        self._reused = 0

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *details: object) -> None:
        self._client.close()

    @property
    def scores_options(self) -> bool:
        """Whether the server gives log-likelihoods of options."""
        return self.facts.options == "loglik"

    def write(self, prompts: Sequence[str], *, has_options: bool, one_line: bool) -> list[str]:
        """Return the text that follows each prompt, up to the end of the line if `one_line`."""
        path, system = PATHS["chat" if self.facts.api == "chat" else "completions"], forms.SYSTEM
        system = forms.SYSTEM_OPTIONS if has_options else system
        stop = "\n" if one_line else ""
        requests: list[Request] = []
        for prompt in prompts:
            body = forms.generation(self.facts, prompt, self._limit, stop=stop, system=system)
            requests.append(Request(path, body, partial(forms.read_text, facts=self.facts)))
        return [reading.text for reading in self._ask(requests)]

    def score(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        """Return the log-likelihood of each second text behind its first, in nats."""
        if self.facts.likelihood == likelihood.FORCED:
            return self._forced(pairs)
        path, facts, form = PATHS["completions"], self.facts, self.facts.likelihood
        prompts = self._tokens([prompt for prompt, _ in pairs]) if form != likelihood.OFFSETS else {}
        requests: list[Request] = []
        for prompt, continuation in pairs:
            text = prompt + continuation
            read = (
                partial(likelihood.read_option, facts=facts, prompt=prompts[prompt])
                if prompts
                else partial(likelihood.read_offsets, facts=facts, start=len(prompt), text=text)
            )
            requests.append(Request(path, likelihood.request(facts, text), read))
        return [reading.loglik for reading in self._ask(requests)]

    def _tokens(self, texts: Sequence[str]) -> dict[str, list[str]]:
        """Return the tokens of texts, by name or number."""
        texts, facts = list(dict.fromkeys(texts)), self.facts
        if facts.likelihood == likelihood.FORCED:
            path, bodies = likelihood.TOKENIZE, map(likelihood.tokenization, texts)
            requests = [Request(path, body, likelihood.read_numbers, root=True) for body in bodies]
        else:
            path, read = PATHS["completions"], partial(likelihood.read_tokens, facts=facts)
            requests = [Request(path, likelihood.request(facts, text), read, purpose="tokens") for text in texts]
        return {text: likelihood.names(r) for text, r in zip(texts, self._ask(requests), strict=True)}

    def _forced(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        """Return the log-likelihood of each second text, whose tokens are forced one after the other."""
        tokens = self._tokens([text for prompt, more in pairs for text in (prompt, prompt + more)])
        requests: list[Request] = []
        counts = []
        for prompt, continuation in pairs:
            names = tokens[prompt + continuation]
            numbers, start = [int(name) for name in names], likelihood.common(tokens[prompt], names)
            for end in range(start, len(numbers)):
                body = likelihood.forcing(self.facts, numbers[:end], numbers[end])
                read = partial(likelihood.read_forced, facts=self.facts, token=numbers[end])
                requests.append(Request(PATHS["completions"], body, read))
            counts.append(len(numbers) - start)
        values = iter(self._ask(requests))
        return [sum(next(values).loglik for _ in range(count)) for count in counts]

    def usage(self) -> Usage:
        """Return the requests, tokens and costs so far; tokens of answers from the cache count, as they were paid for."""
        counted = [reading for reading in self._readings if reading.prompt_tokens >= 0]
        prompts, answers = sum(r.prompt_tokens for r in counted), sum(r.answer_tokens for r in counted)
        price = self._endpoint.price
        return Usage(
            requests=self._client.counts.requests,
            retries=self._client.counts.retries,
            reused=self._reused,
            uncounted=len(self._readings) - len(counted),
            prompt_tokens=prompts,
            answer_tokens=answers,
            usd=(prompts * price[0] + answers * price[-1]) / 1e6 if price else None,
        )

    def _ask(self, requests: Sequence[Request]) -> list[Reading]:
        """Return the answers in the order of the requests; the first failure stops the others and is raised."""
        keys = [request.key for request in requests]
        first = dict(zip(keys, requests, strict=True))
        missing = [key for key in dict.fromkeys(keys) if self._cache.find(key) is None]
        self._reused += len(first) - len(missing)
        with ThreadPoolExecutor(self._endpoint.parallel) as pool:
            futures = [pool.submit(self._answer, key, first[key]) for key in missing]
            try:
                self._watch(futures, len(first))
            except BaseException:
                self._client.pace.stop.set()
                for future in futures:
                    future.cancel()
                raise
        readings = [self._cache.find(key) for key in keys]
        self._readings += [reading for key in first if (reading := self._cache.find(key)) is not None]
        return [reading for reading in readings if reading is not None]

    def _answer(self, key: str, request: Request) -> None:
        self._cache.add(key, self._client.post(request.path, request.body, request.read, root=request.root))

    def _watch(self, futures: Sequence[Future[None]], total: int) -> None:
        """Report the progress until all are done; raise the first failure."""
        pending = set(futures)
        while pending:
            done, pending = wait(pending, LOOK_SECONDS, FIRST_COMPLETED)
            for future in done:
                with contextlib.suppress(Stopped):
                    future.result()
            if self._on_progress:
                self._on_progress(total - len(pending), total)
