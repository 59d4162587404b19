"""Passes requests to one base model, with a queue of limited length and one thread for the model.

Requests join the running batch between tokens, the oldest first and as far as there is room. If an architecture's cache
does not allow that, a batch is generated as a whole. Adapters are loaded on first use; the least recently used one leaves
memory first. There is no HTTP here.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from harness.adapters.serve.batch import Batch, Closed, Layers, Row
from harness.adapters.serve.generation import Generation, GenerationRequest
from harness.adapters.serve.model import SharedBase

GATHER_SECONDS = 0.005  # for which a batch that nothing can join waits for more requests
BATCH_TOKENS = 16384  # rows × width of a batch, as in tests of runs
JOIN_SECONDS = 30  # for the thread to end at its next token; without that the process ends all the same
READ_TOKENS = 2048  # of prompts that join at once, so that the others do not wait long for their next token


class Busy(Exception):
    """The queue is full."""


@dataclass(frozen=True)
class Limits:
    """The largest numbers of adapters in memory, requests in the queue and rows of a batch."""

    max_adapters: int = 16
    max_queue: int = 256
    max_batch: int = 32


@dataclass(frozen=True)
class State:
    """The engine's state: requests in the queue and in the model, finished answers, adapters in memory."""

    waiting: int
    running: int
    answered: int
    loaded: tuple[str, ...]


@dataclass(frozen=True)
class _QueueEntry:
    request: GenerationRequest
    future: Future[Generation]


class Engine:
    """Answers requests in batches of mixed adapters; `load` returns the adapter of a key.

    Use it in a `with` statement: leaving it closes the engine and waits for its thread.
    """

    def __init__(self, base: SharedBase, load: Callable[[str], Layers], limits: Limits | None = None) -> None:
        self.base, self.limits = base, limits or Limits()
        self._load = load
        self._queue: deque[_QueueEntry] = deque()
        self._loaded: OrderedDict[str, Layers] = OrderedDict()
        self._changed = threading.Condition()
        self._closed = False
        self._running = self._answered = 0
        self._futures: dict[Row, Future[Generation]] = {}  # of the rows in the model; only the thread uses them
        self._thread = threading.Thread(target=self._work, name="model", daemon=True)

    def __enter__(self) -> Engine:
        self._thread.start()
        return self

    def __exit__(self, *details: Any) -> None:
        self.close()
        self._thread.join(JOIN_SECONDS)

    def close(self) -> None:
        """End the present batch at its next token, and refuse all requests in the queue and later."""
        with self._changed:
            self._closed = True
            waiting, self._queue = self._queue, deque()
            self._changed.notify_all()
        for entry in waiting:
            if entry.future.set_running_or_notify_cancel():
                entry.future.set_exception(Closed())

    def submit(self, requests: Sequence[GenerationRequest]) -> list[Future[Generation]]:
        """Put requests into the queue, all or none, and return their futures.

        A future's result is the generation, or a `HarnessError` if its adapter cannot be loaded.

        Raises:
            Busy: the queue is full.
            Closed: the engine is shutting down.
        """
        entries = [_QueueEntry(request, Future()) for request in requests]
        with self._changed:
            if self.closed:
                raise Closed
            self._queue = deque(entry for entry in self._queue if not entry.future.cancelled())
            if len(self._queue) + len(entries) > self.limits.max_queue:
                raise Busy
            self._queue.extend(entries)
            self._changed.notify_all()
        return [entry.future for entry in entries]

    @property
    def closed(self) -> bool:
        """Whether it accepts no more requests: it is shutting down, or its thread has ended by a fault."""
        return self._closed or (self._thread.ident is not None and not self._thread.is_alive())

    def state(self) -> State:
        """Return the present state."""
        with self._changed:
            waiting = sum(not entry.future.cancelled() for entry in self._queue)
            return State(waiting, self._running, self._answered, tuple(self._loaded))

    def _work(self) -> None:
        batch = Batch(self.base, self._check)
        while self._wait():
            try:
                if self.base.joins:
                    rows = self._rows(self._admit(batch.rows))
                    with self.base.computing():
                        batch.add(rows)
                        batch.step()
                else:
                    self.base.run(self._rows(self._admit([])), self._check)
            except (
                Exception
            ) as error:  # the engine is closed; or a fault outside of the rows, which must not end the thread
                self._fail(error)
                batch = Batch(self.base, self._check)
            self._deliver()
        self._fail(Closed())
        self._deliver()

    def _check(self) -> None:
        if self._closed:
            raise Closed

    def _fail(self, error: Exception) -> None:
        for row in self._futures:
            if not row.over:
                row.fail(error)

    def _deliver(self) -> None:
        """Resolve the futures of all rows that are over."""
        over = [row for row in self._futures if row.over]
        futures = [self._futures.pop(row) for row in over]
        with self._changed:  # before the answers are sent, so that `state` counts them
            self._running = len(self._futures)
            self._answered += len(over)
        for row, future in zip(over, futures, strict=True):
            try:
                if row.error:
                    raise row.error
                future.set_result(self.base.generation(row))
            except Exception as error:
                future.set_exception(error)

    def _wait(self) -> bool:
        """Return after there is work, False if the engine is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._futures or self._closed)
            until = time.monotonic() + GATHER_SECONDS
            while not self.base.joins and len(self._queue) < self.limits.max_batch:
                seconds = until - time.monotonic()
                if self._closed or seconds <= 0:
                    break
                self._changed.wait(seconds)
            return not self._closed

    def _admit(self, running: Sequence[Row]) -> list[_QueueEntry]:
        """Remove and return the oldest requests that fit beside those in the model in rows, tokens and adapters.

        If others can join later, none overtakes an older one, so that a large request is not passed over for ever.
        """
        batch: list[_QueueEntry] = []
        rest: deque[_QueueEntry] = deque()
        requests = [row.request for row in running]
        adapters = {request.adapter for request in requests}
        width, unread = max((_width(request) for request in requests), default=0), 0
        with self._changed:
            while self._queue:
                entry = self._queue.popleft()
                request, keys = entry.request, adapters | {entry.request.adapter}
                count, new_width = len(requests) + len(batch) + 1, max(width, _width(request))
                fits = count <= self.limits.max_batch and new_width * count <= BATCH_TOKENS
                fits = fits and len(keys - {""}) <= self.limits.max_adapters and (self.base.mixes or len(keys) == 1)
                fits = fits and (not self.base.joins or not batch or unread + len(request.prompt) <= READ_TOKENS)
                if entry.future.cancelled():
                    continue
                if fits or count == 1:
                    batch.append(entry)
                    adapters, width, unread = keys, new_width, unread + len(request.prompt)
                    continue
                rest.append(entry)
                if self.base.joins:
                    break
            self._queue = rest + self._queue
            self._running = len(requests) + len(batch)
        return batch

    def _rows(self, entries: Sequence[_QueueEntry]) -> list[Row]:
        """Return the rows of requests that can run, after loading their adapters."""
        for key in {entry.request.adapter for entry in entries} & self._loaded.keys():
            self._loaded.move_to_end(key)  # before loading, so that no adapter of the batch is removed
        rows = []
        for entry in entries:
            if self._ready(entry):
                row = Row(entry.request, self._loaded.get(entry.request.adapter))
                self._futures[row] = entry.future
                rows.append(row)
        return rows

    def _ready(self, entry: _QueueEntry) -> bool:
        """Return whether a request can run; load its adapter if necessary. Its future gets the error if that fails."""
        if not entry.future.set_running_or_notify_cancel():
            return False
        key = entry.request.adapter
        if not key:
            return True
        if key in self._loaded:
            return True
        try:
            layers = self._load(key)
        except Exception as error:
            entry.future.set_exception(error)
            return False
        in_use = {row.request.adapter for row in self._futures}
        with self._changed:
            for candidate in [name for name in self._loaded if name not in in_use]:
                if len(self._loaded) < self.limits.max_adapters:
                    break
                del self._loaded[candidate]
            self._loaded[key] = layers
        return True


def _width(request: GenerationRequest) -> int:
    return len(request.prompt) + request.max_tokens
