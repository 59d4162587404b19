"""A request of OpenAI's kind handed to the engine: the model's name looked up, the prompt made token ids, the answer's JSON."""

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
from harness.adapters.serve.model import Ask
from harness.adapters.serve.protocol import Refusal, Request
from harness.errors import HarnessError, one_line
from harness.model.tokenize import chat_ids, plain_ids

if TYPE_CHECKING:
    from concurrent.futures import Future

    from harness.adapters.serve.model import Said

Listener = Callable[[int, str], None]  # a prompt's number, and the text of its answer so far


@dataclass(frozen=True)
class PendingAnswer:
    """An answer in the making: `futures` holds one generation for each prompt."""

    request: Request
    model: str
    asks: Sequence[Ask]
    futures: Sequence[Future[Said]]
    cancellation: threading.Event

    def generation(self, index: int) -> Said:
        """Wait for the answer to the prompt of that number.

        Raises:
            Refusal: the adapter cannot be loaded, the model failed, or the server is being shut down.
        """
        try:
            return self.futures[index].result()
        except Closed:
            raise _shutting_down() from None
        except HarnessError as error:
            raise Refusal(409, error.problem, code=protocol.NOT_SERVED, param="model") from error
        except Exception as error:
            raise Refusal(500, f"the model failed: {type(error).__name__}", code="model_failed") from error

    def used(self) -> tuple[int, int]:
        """Wait for all answers and return the tokens of all prompts, and of all answers."""
        tokens = sum(len(self.generation(index).tokens) for index in range(len(self.futures)))
        return sum(len(ask.prompt) for ask in self.asks), tokens

    def json(self) -> dict[str, Any]:
        """Wait for all answers and return the JSON of the response; raises as `generation`."""
        done = [self.generation(index) for index in range(len(self.futures))]
        texts, ended = [one.text for one in done], [one.stopped for one in done]
        return protocol.answer(self.request, self.model, texts, ended, self.used())

    def cancel(self) -> None:
        """Take the request back: what waits is not begun, and what is being written ends at its next token."""
        self.cancellation.set()
        for future in self.futures:
            future.cancel()


class Service:
    """What is behind the paths of the server; every method may be called from any thread."""

    def __init__(self, catalog: Catalog, engine: Engine) -> None:
        self.catalog, self.engine = catalog, engine
        self._tokenizer = copy.deepcopy(engine.base.tokenizer)  # the engine's thread has the other
        self._lock = threading.Lock()

    def health(self) -> dict[str, Any]:
        """Return what the engine is doing."""
        return {"status": "ok", "model": self.catalog.base.name, **asdict(self.engine.state())}

    def models(self) -> dict[str, Any]:
        """Return the list of what can be asked."""
        return {"object": "list", "data": self.catalog.listed()}

    def model(self, name: str) -> dict[str, Any]:
        """Return one entry of the list; refuses as `Catalog.find`."""
        found = self.catalog.find(name)
        id = found.id if found else self.catalog.base.name
        return next(row for row in self.catalog.listed() if row["id"] == id)

    def start(self, request: Request, listener: Listener | None = None) -> PendingAnswer:
        """Hand a request to the engine; `listener` is called, in the engine's thread, after each token of an answer.

        Raises:
            Refusal: the model's name is unknown or not served, the prompt too long, or the queue full.
        """
        adapter = self.catalog.find(request.model)
        key, cancellation = adapter.id if adapter else "", threading.Event()
        asks = []
        for index, ids in enumerate(self._prompts(request)):
            progress = partial(self._progress, index, cancellation, listener)
            asks.append(replace(self._ask(request, ids, key), progress=progress))
        try:
            futures = self.engine.submit(asks)
        except Busy:
            raise Refusal(503, "too many requests are waiting; try again", code="queue_full") from None
        except Closed:
            raise _shutting_down() from None
        return PendingAnswer(request, key or self.catalog.base.name, asks, futures, cancellation)

    def _progress(
        self, index: int, cancellation: threading.Event, listener: Listener | None, tokens: Sequence[int]
    ) -> bool:
        if listener:
            listener(index, self.engine.base.text(tokens))
        return not cancellation.is_set()

    def _prompts(self, request: Request) -> list[list[int]]:
        most = self.engine.limits.max_queue
        if len(request.prompts) > most:
            raise Refusal(400, f"{len(request.prompts)} prompts are more than may wait here ({most})", param="prompt")
        with self._lock:
            known = len(self._tokenizer)
            try:
                if request.chat:
                    return [chat_ids(self._tokenizer, request.messages)]
                rows = [plain_ids(self._tokenizer, [p])[0] if isinstance(p, str) else list(p) for p in request.prompts]
            except Exception as error:  # templates are programs and say what they refuse; half a character is no text
                param = "messages" if request.chat else "prompt"
                raise Refusal(400, f"it cannot be made tokens: {one_line(error)}", param=param) from None
        if any(not 0 <= token < known for row in rows for token in row):
            raise Refusal(400, f"a token id of the prompt is not between 0 and {known - 1}", param="prompt")
        return rows

    def _ask(self, request: Request, ids: list[int], adapter: str) -> Ask:
        window, wanted = self.catalog.base.window, request.max_tokens
        room = window - len(ids)
        if not ids:
            raise Refusal(400, "the prompt is empty", param="messages" if request.chat else "prompt")
        if room < (wanted or 1):
            message = (
                f"the model's window is {window} tokens; the prompt has {len(ids)}, the answer up to {wanted or 1}"
            )
            raise Refusal(400, message, code=protocol.TOO_LONG, param="max_tokens" if room > 0 else "prompt")
        return Ask(tuple(ids), adapter, wanted or min(room, request.usual_tokens), request.stop)


def _shutting_down() -> Refusal:
    return Refusal(503, "the server is being shut down", code="shutting_down")
