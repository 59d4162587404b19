"""Requests in OpenAI's form, passed to the engine: find the adapter, tokenize the prompt, return the answer's JSON."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from harness.adapters.serve import protocol
from harness.adapters.serve.catalog import Catalog
from harness.adapters.serve.engine import Busy, Closed, Engine
from harness.adapters.serve.model import GenerationRequest
from harness.adapters.serve.protocol import Refusal, Request
from harness.errors import HarnessError, one_line
from harness.model.tokenize import chat_ids, plain_ids

if TYPE_CHECKING:
    from concurrent.futures import Future

    from harness.adapters.serve.model import Generation

Listener = Callable[[int, str], None]  # a prompt's number, and the text of its answer so far


@dataclass(frozen=True)
class PendingAnswer:
    """A pending answer; `futures` has a generation for each prompt."""

    request: Request
    model: str
    generation_requests: Sequence[GenerationRequest]
    futures: Sequence[Future[Generation]]
    cancellation: threading.Event

    def generation(self, index: int) -> Generation:
        """Return the answer to the prompt of that index, after waiting for it.

        Raises:
            Refusal: the adapter cannot be loaded, the model failed, or the server is shutting down.
        """
        try:
            return self.futures[index].result()
        except Closed:
            raise _shutting_down() from None
        except HarnessError as error:
            raise Refusal(409, error.problem, code=protocol.NOT_SERVED, param="model") from error
        except Exception as error:
            raise Refusal(500, f"the model failed: {type(error).__name__}", code="model_failed") from error

    def token_counts(self) -> tuple[int, int]:
        """Return the number of tokens in all prompts and in all answers, after waiting for the answers."""
        tokens = sum(len(self.generation(index).tokens) for index in range(len(self.futures)))
        return sum(len(request.prompt) for request in self.generation_requests), tokens

    def json(self) -> dict[str, Any]:
        """Return the JSON of the response, after waiting for all answers; errors as in `generation`."""
        generations = [self.generation(index) for index in range(len(self.futures))]
        texts, stopped = [g.text for g in generations], [g.stopped for g in generations]
        return protocol.answer(self.request, self.model, texts, stopped, self.token_counts())

    def cancel(self) -> None:
        """Cancel the request: prompts in the queue are removed, and running answers end at their next token."""
        self.cancellation.set()
        for future in self.futures:
            future.cancel()


class Service:
    """The operations behind the server's paths; every method is thread-safe."""

    def __init__(self, catalog: Catalog, engine: Engine) -> None:
        self.catalog, self.engine = catalog, engine
        self._tokenizer = copy.deepcopy(engine.base.tokenizer)  # the engine's thread uses the original
        self._lock = threading.Lock()

    def health(self) -> dict[str, Any]:
        """Return the engine's state as JSON."""
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
        adapter = self.catalog.find(request.model)
        key, cancellation = adapter.id if adapter else "", threading.Event()
        requests = []
        for index, ids in enumerate(self._prompts(request)):
            progress = partial(self._progress, index, cancellation, listener)
            requests.append(replace(self._generation_request(request, ids, key), progress=progress))
        try:
            futures = self.engine.submit(requests)
        except Busy:
            raise Refusal(503, "the queue of requests is full; try again later", code="queue_full") from None
        except Closed:
            raise _shutting_down() from None
        return PendingAnswer(request, key or self.catalog.base.name, requests, futures, cancellation)

    def _progress(
        self, index: int, cancellation: threading.Event, listener: Listener | None, tokens: Sequence[int]
    ) -> bool:
        if listener:
            listener(index, self.engine.base.text(tokens))
        return not cancellation.is_set()

    def _prompts(self, request: Request) -> list[list[int]]:
        limit = self.engine.limits.max_queue
        if len(request.prompts) > limit:
            raise Refusal(
                400, f"the request has {len(request.prompts)} prompts, at most {limit} are served", param="prompt"
            )
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
            raise Refusal(400, message, code=protocol.TOO_LONG, param="max_tokens" if room > 0 else "prompt")
        return GenerationRequest(tuple(ids), adapter, limit or min(room, request.usual_tokens), request.stop)


def _shutting_down() -> Refusal:
    return Refusal(503, "the server is shutting down", code="shutting_down")
