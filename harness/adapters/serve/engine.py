"""Forms batches of requests over one base model, with a queue of limited length and one thread for the model.

Adapters are loaded on first use; the least recently used one leaves memory first. There is no HTTP here.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.adapters.serve.model import Generation, GenerationRequest, Layers, SharedBase

GATHER_SECONDS = 0.005  # for which the first request of a batch waits for others
BATCH_TOKENS = 16384  # rows × width of a batch, as in tests of runs


class Busy(Exception):
    """The queue is full."""


class Closed(Exception):
    """The engine is shutting down."""


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
        self._thread = threading.Thread(target=self._work, name="model", daemon=True)

    def __enter__(self) -> Engine:
        self._thread.start()
        return self

    def __exit__(self, *details: Any) -> None:
        self.close()
        self._thread.join()

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
            if self._closed:
                raise Closed
            self._queue = deque(entry for entry in self._queue if not entry.future.cancelled())
            if len(self._queue) + len(entries) > self.limits.max_queue:
                raise Busy
            self._queue.extend(entries)
            self._changed.notify_all()
        return [entry.future for entry in entries]

    @property
    def closed(self) -> bool:
        """Whether it accepts no more requests."""
        return self._closed

    def state(self) -> State:
        """Return the present state."""
        with self._changed:
            return State(len(self._queue), self._running, self._answered, tuple(self._loaded))

    def _work(self) -> None:
        while batch := self._next():
            for key in {entry.request.adapter for entry in batch} & self._loaded.keys():
                self._loaded.move_to_end(key)  # before loading, so that no adapter of the batch is removed
            ready = [entry for entry in batch if self._ready(entry)]
            results: list[Generation] = []
            failure: Exception | None = None
            try:
                requests = [entry.request for entry in ready]
                results = self.base.write(requests, dict(self._loaded), self._check) if ready else []
            except Exception as error:  # all requests of the batch get the error, and the next batch follows
                failure = error
            with self._changed:  # before the answers are sent, so that `state` counts them
                self._running = 0
                self._answered += len(ready)
            for index, entry in enumerate(ready):
                if failure:
                    entry.future.set_exception(failure)
                else:
                    entry.future.set_result(results[index])

    def _check(self) -> None:
        if self._closed:
            raise Closed

    def _next(self) -> list[_QueueEntry]:
        """Return the next batch of requests, the oldest first, after waiting for it; empty if the engine is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._closed)
            until = time.monotonic() + GATHER_SECONDS
            while len(self._queue) < self.limits.max_batch and (seconds := until - time.monotonic()) > 0:
                if self._closed:
                    break
                self._changed.wait(seconds)
            if self._closed:
                return []
            batch = self._take()
            self._running = len(batch)
            return batch

    def _take(self) -> list[_QueueEntry]:
        """Remove and return the oldest request and those that fit beside it in rows, tokens and adapters."""
        batch: list[_QueueEntry] = []
        rest: deque[_QueueEntry] = deque()
        adapters: set[str] = set()
        width = 0
        for entry in self._queue:
            request = entry.request
            new_width = max(width, len(request.prompt) + request.max_tokens)
            keys = adapters | {request.adapter}
            fits = len(batch) < self.limits.max_batch and new_width * (len(batch) + 1) <= BATCH_TOKENS
            fits = fits and len(keys - {""}) <= self.limits.max_adapters and (self.base.mixes or len(keys) == 1)
            if fits or not batch:
                batch.append(entry)
                adapters, width = keys, new_width
            else:
                rest.append(entry)
        self._queue = rest
        return batch

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
        with self._changed:
            while len(self._loaded) >= self.limits.max_adapters:
                self._loaded.popitem(last=False)
            self._loaded[key] = layers
        return True
