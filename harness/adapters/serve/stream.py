"""A streamed answer: text of the model's thread, passed to the event loop and cut into parts for the client."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import Future
from typing import Any, NamedTuple

from harness.adapters.serve.generation import TokenLogprob
from harness.adapters.serve.protocol import Chunks, finish_reason
from harness.adapters.serve.refusal import Refusal
from harness.adapters.serve.service import PendingAnswer

UNSTABLE_ENDS = " \ufffd"  # endings that the next token may change: half a character, a blank before a full stop


class Progress(NamedTuple):
    """The state of an answer: its text so far, None at its end, and its tokens so far if they are reported."""

    choice: int
    text: str | None
    tokens: Sequence[TokenLogprob] = ()


class Feed:
    """A queue from the model's thread to the event loop: the latest progress of each answer.

    Only the latest waits, so that a slow reader takes no memory.
    """

    def __init__(self, seconds: float) -> None:
        """Start the time limit of an answer."""
        self._loop = asyncio.get_running_loop()
        self._seconds, self._end = seconds, self._loop.time() + seconds
        self._queue: asyncio.Queue[int] = asyncio.Queue()
        self._latest: dict[int, Progress] = {}

    def put(self, index: int, text: str | None, tokens: Sequence[TokenLogprob] = ()) -> None:
        """Add an item, from any thread; it is dropped if the loop has ended."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._add, Progress(index, text, tokens))

    def _add(self, progress: Progress) -> None:
        if progress.choice not in self._latest:
            self._queue.put_nowait(progress.choice)
        self._latest[progress.choice] = progress

    def follow(self, futures: Sequence[Future[Any]]) -> None:
        """Add the end of each answer as soon as its future is done."""
        for index, future in enumerate(futures):
            future.add_done_callback(lambda _, index=index: self.put(index, None))  # type: ignore[misc]

    async def get(self) -> Progress:
        """Return the next item, after waiting for it.

        Raises:
            Refusal: the time for the answer is over.
        """
        try:
            async with asyncio.timeout_at(self._end):
                return self._latest.pop(await self._queue.get())
        except TimeoutError:
            message = f"the answer took longer than {self._seconds:g} seconds"
            raise Refusal(504, message, code="timeout") from None


class TextStream:
    """The text of one answer in parts; joined, they give the answer.

    A part excludes the end of the text if it may still change, or may become a stop text.
    """

    def __init__(self, stop: Sequence[str]) -> None:
        self._stop = stop
        self._text = ""  # in all parts so far

    def part(self, text: str) -> str:
        """Return the next part of the answer so far; empty if there is nothing to send."""
        stable = text.rstrip(UNSTABLE_ENDS)
        stable = stable[: len(stable) - max((_overlap(stable, stop) for stop in self._stop), default=0)]
        return self.rest(stable) if stable.startswith(self._text) else ""

    def rest(self, text: str) -> str:
        """Return the last part of the complete answer."""
        part = text[len(self._text) :]
        self._text += part
        return part


def _overlap(text: str, stop: str) -> int:
    """Return the length of the longest end of `text` that is a start of `stop`."""
    return next((count for count in range(min(len(stop), len(text)), 0, -1) if text.endswith(stop[:count])), 0)


async def chunks(pending: PendingAnswer, feed: Feed) -> AsyncIterator[dict[str, Any]]:
    """Yield the parts of an answer, as JSON, during its generation.

    Raises:
        Refusal: the answer failed. The first part is yielded after the adapter is loaded.
    """
    shapes, request, count = Chunks(pending.request, pending.model), pending.request, len(pending.futures)
    texts = [TextStream(request.stop) for _ in range(count)]
    readers = [pending.reader() for _ in range(count)]
    missing, speaking = count, set[int]()
    while missing:
        index, text, tokens = await feed.get()
        end = pending.generation(index) if text is None else None
        if request.chat and index not in speaking:
            yield shapes.role(index)
        speaking.add(index)
        part = texts[index].rest(end.text) if end else texts[index].part(text or "")
        # Tokens whose text is not sent yet go with the next part, or with the end.
        reader = readers[index]
        entries = reader.read(end.logprobs if end else tokens) if reader and (part or end) else None
        if part or entries:
            yield shapes.text(index, part, entries)
        if end:
            yield shapes.end(index, finish_reason(end.stopped))
            missing -= 1
    if request.include_usage:
        yield shapes.usage(pending.token_counts())
