"""A streamed answer: what the model's thread writes, handed to the event loop and cut into parts that can be sent."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import Future
from typing import Any

from harness.adapters.serve.protocol import Chunks, finish_reason
from harness.adapters.serve.service import PendingAnswer

UNSETTLED = " \ufffd"  # ends of a text that the next token may change: half a character, a blank before a full stop


class Feed:
    """A queue from the model's thread to the event loop: texts of answers so far, by prompt, and None at an answer's end."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[tuple[int, str | None]] = asyncio.Queue()

    def put(self, index: int, text: str | None) -> None:
        """Add an item, from any thread; it is dropped if the loop has ended."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._queue.put_nowait, (index, text))

    def follow(self, futures: Sequence[Future[Any]]) -> None:
        """Add None for each of these as soon as it is done."""
        for index, future in enumerate(futures):
            future.add_done_callback(lambda _, index=index: self.put(index, None))  # type: ignore[misc]

    async def get(self) -> tuple[int, str | None]:
        """Wait for the next item."""
        return await self._queue.get()


class TextStream:
    """The text of one answer in parts: joined, they are the whole answer.

    A part leaves out the end of the text if it may still change, or may become one of the texts that end the answer.
    """

    def __init__(self, stop: Sequence[str]) -> None:
        self._stop = stop
        self._text = ""  # in all parts so far

    def part(self, text: str) -> str:
        """Return the next part, given the answer so far; empty if nothing new can be sent."""
        settled = text.rstrip(UNSETTLED)
        settled = settled[: len(settled) - max((_overlap(settled, stop) for stop in self._stop), default=0)]
        return self.rest(settled) if settled.startswith(self._text) else ""

    def rest(self, text: str) -> str:
        """Return the last part, given the whole answer."""
        part = text[len(self._text) :]
        self._text += part
        return part


def _overlap(text: str, stop: str) -> int:
    """Return the number of characters at the end of a text that `stop` begins with."""
    return next((count for count in range(min(len(stop), len(text)), 0, -1) if text.endswith(stop[:count])), 0)


async def chunks(pending: PendingAnswer, feed: Feed) -> AsyncIterator[dict[str, Any]]:
    """Yield the parts of an answer, as JSON, while it is written.

    Raises:
        Refusal: the answer failed; the first part is not yielded before the adapter is loaded.
    """
    shapes, request = Chunks(pending.request, pending.model), pending.request
    texts = [TextStream(request.stop) for _ in pending.futures]
    left, first = len(texts), True
    while left:
        index, text = await feed.get()
        end = pending.generation(index) if text is None else None
        if request.chat and first:
            yield shapes.role()
        first = False
        if part := texts[index].rest(end.text) if end else texts[index].part(text or ""):
            yield shapes.text(index, part)
        if end:
            yield shapes.end(index, finish_reason(end.stopped))
            left -= 1
    if request.include_usage:
        yield shapes.usage(pending.used())
