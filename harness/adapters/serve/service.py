"""Requests in OpenAI's form, passed to the engine: find the adapter, tokenize the prompt, return the answer's JSON."""

from __future__ import annotations

import copy
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from harness.adapters.serve import protocol, refusal
from harness.adapters.serve.batch import Closed
from harness.adapters.serve.catalog import Catalog
from harness.adapters.serve.engine import Busy, Engine
from harness.adapters.serve.generation import Generation, GenerationRequest, TokenLogprob
from harness.adapters.serve.metrics import ABANDONED, ERROR, LENGTH, STOP, Metrics
from harness.adapters.serve.protocol import Choice
from harness.adapters.serve.refusal import Refusal
from harness.adapters.serve.request import Request
from harness.adapters.serve.token_texts import TokenReader
from harness.errors import HarnessError, one_line
from harness.model.tokenize import chat_ids, plain_ids

if TYPE_CHECKING:
    from concurrent.futures import Future

# A choice's number, the text of its answer so far, and the tokens if they are reported.
Listener = Callable[[int, str, Sequence[TokenLogprob]], None]


@dataclass(frozen=True)
class PendingAnswer:
    """A pending answer; `futures` has a generation for each choice, those of one prompt side by side."""

    request: Request
    model: str
    generation_requests: Sequence[GenerationRequest]
    futures: Sequence[Future[Generation]]
    cancellation: threading.Event
    tokenizer: Any

    def generation(self, index: int) -> Generation:
        """Return the choice of that index, after waiting for it.

        Raises:
            Refusal: the adapter cannot be loaded, the model failed, or the server is shutting down.
        """
        try:
            return self.futures[index].result()
        except Closed:
            raise _shutting_down() from None
        except HarnessError as error:
            raise Refusal(409, error.problem, code=refusal.NOT_SERVED, param="model") from error
        except Exception as error:
            raise Refusal(500, f"the model failed: {type(error).__name__}", code="model_failed") from error

    def reader(self) -> TokenReader | None:
        """Return a reader of one answer's tokens, None if the request does not ask for them."""
        return TokenReader(self.tokenizer) if self.request.logprobs is not None else None

    def token_counts(self) -> tuple[int, int]:
        """Return the number of tokens in all prompts and in all answers, after waiting for the answers."""
        tokens = sum(len(self.generation(index).tokens) for index in range(len(self.futures)))
        return sum(len(request.prompt) for request in self.generation_requests[:: self.request.choices]), tokens

    def json(self) -> dict[str, Any]:
        """Return the JSON of the response, after waiting for all answers; errors as in `generation`."""
        choices = []
        for index in range(len(self.futures)):
            generation, reader = self.generation(index), self.reader()
            tokens = reader.read(generation.logprobs) if reader else None
            choices.append(Choice(generation.text, generation.stopped, tokens))
        return protocol.answer(self.request, self.model, choices, self.token_counts())

    def cancel(self) -> None:
        """Cancel the request: prompts in the queue are removed, and running answers end at their next token."""
        self.cancellation.set()
        for future in self.futures:
            future.cancel()


class Service:
    """The operations behind the server's paths; every method is thread-safe."""

    def __init__(self, catalog: Catalog, engine: Engine) -> None:
        self.catalog, self.engine, self.metrics = catalog, engine, Metrics(engine.state)
        self._tokenizer = copy.deepcopy(engine.base.tokenizer)  # the engine's thread uses the original
        self._reporter = copy.deepcopy(engine.base.tokenizer)  # the event loop's thread, for the texts of tokens
        self._lock = threading.Lock()

    def health(self) -> dict[str, Any]:
        """Return the engine's state as JSON.

        Raises:
            Refusal: it accepts no more requests.
        """
        if self.engine.closed:
            raise _shutting_down()
        return {"status": "ok", "model": self.catalog.base.name, **asdict(self.engine.state())}

    def models(self) -> dict[str, Any]:
        """Return the list of models as JSON."""
        return {"object": "list", "data": self.catalog.models()}

    def model(self, name: str) -> dict[str, Any]:
        """Return one entry of the list; errors as in `Catalog.find`."""
        adapter = self.catalog.find(name)
        id = adapter.id if adapter else self.catalog.base.name
        return next(row for row in self.catalog.models() if row["id"] == id)

    def start(self, request: Request, listener: Listener | None = None) -> PendingAnswer:
        """Pass a request to the engine; `listener` is called in the engine's thread after each token of an answer.

        Raises:
            Refusal: the model's name is unknown or not served, the prompt is too long, or the queue is full.
        """
        start, adapter = time.perf_counter(), self.catalog.find(request.model)
        key, cancellation = adapter.id if adapter else "", threading.Event()
        model = key or self.catalog.base.name
        requests: list[GenerationRequest] = []
        for ids in self._prompts(request):
            generation_request = self._generation_request(request, ids, key)
            for choice in range(request.choices):
                progress = partial(self._progress, model, start, len(requests), cancellation, listener)
                seed = None if request.seed is None else request.seed + choice
                requests.append(replace(generation_request, progress=progress, seed=seed))
        try:
            futures = self.engine.submit(requests)
        except Busy:
            raise Refusal(503, "the queue of requests is full; try again later", code="queue_full") from None
        except Closed:
            raise _shutting_down() from None
        for generation_request, future in zip(requests, futures, strict=True):
            future.add_done_callback(partial(self._count, model, start, cancellation, generation_request))
        return PendingAnswer(request, model, requests, futures, cancellation, self._reporter)

    def _count(
        self,
        model: str,
        start: float,
        cancellation: threading.Event,
        request: GenerationRequest,
        future: Future[Generation],
    ) -> None:
        """Count an answer that is over."""
        failed = future.cancelled() or future.exception() is not None
        tokens = 0 if failed else len(future.result().tokens)
        if cancellation.is_set():
            reason = ABANDONED
        else:
            reason = ERROR if failed else STOP if future.result().stopped else LENGTH
        if tokens == 1:  # an answer's last token is no progress
            self.metrics.first_token(model, time.perf_counter() - start)
        self.metrics.answer(model, reason, 0 if failed else len(request.prompt), tokens)

    def _progress(
        self,
        model: str,
        start: float,
        index: int,
        cancellation: threading.Event,
        listener: Listener | None,
        tokens: Sequence[int],
        logprobs: Sequence[TokenLogprob],
    ) -> bool:
        if len(tokens) == 1:
            self.metrics.first_token(model, time.perf_counter() - start)
        if listener:
            listener(index, self.engine.base.text(tokens), tuple(logprobs))
        return not cancellation.is_set()

    def _prompts(self, request: Request) -> list[list[int]]:
        limit, count = self.engine.limits.max_queue, request.choices * max(1, len(request.prompts))
        if count > limit:
            param = "n" if len(request.prompts) <= limit else "prompt"
            raise Refusal(400, f"the request is for {count} answers, at most {limit} are served", param=param)
        if not self.engine.base.samples and (request.temperature or request.logprobs is not None):
            param = "temperature" if request.temperature else "logprobs"
            raise Refusal(400, f"{param} is not served for this architecture: its answers are greedy", param=param)
        with self._lock:
            vocabulary = len(self._tokenizer)
            try:
                if request.chat:
                    return [chat_ids(self._tokenizer, request.messages)]
                tokenizer, prompts = self._tokenizer, request.prompts
                rows = [plain_ids(tokenizer, [p], raw=True)[0] if isinstance(p, str) else list(p) for p in prompts]
            except Exception as error:  # a template may refuse messages; half a character is no text
                param = "messages" if request.chat else "prompt"
                raise Refusal(400, f"the {param} cannot be tokenized: {one_line(error)}", param=param) from None
        if any(not 0 <= token < vocabulary for row in rows for token in row):
            raise Refusal(400, f"a token id of the prompt is not between 0 and {vocabulary - 1}", param="prompt")
        return rows

    def _generation_request(self, request: Request, ids: list[int], adapter: str) -> GenerationRequest:
        window, limit = self.catalog.base.window, request.max_tokens
        room = window - len(ids)
        if not ids:
            raise Refusal(400, "the prompt is empty", param="messages" if request.chat else "prompt")
        if room < (limit or 1):
            message = f"the model's window is {window} tokens; the prompt has {len(ids)}, the answer up to {limit or 1}"
            raise Refusal(400, message, code=refusal.TOO_LONG, param="max_tokens" if room > 0 else "prompt")
        return GenerationRequest(
            tuple(ids),
            adapter,
            limit or min(room, request.usual_tokens),
            request.stop,
            temperature=request.temperature,
            top_p=request.top_p,
            top_k=request.top_k,
            min_p=request.min_p,
            logprobs=request.logprobs,
        )


def _shutting_down() -> Refusal:
    return Refusal(503, "the server is shutting down", code="shutting_down")
