"""Requests gathered to batches over one base model: a queue with an end, one thread that owns the model, adapters that
are loaded on first use and leave memory when others were used more recently. No HTTP here.
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
    from harness.adapters.serve.model import Ask, Layers, Said, SharedBase

GATHER_SECONDS = 0.005  # how long the first request of a batch waits for company
BATCH_TOKENS = 16384  # rows x width of a batch, as in testing


class Busy(Exception):
    """The queue is full."""


class Closed(Exception):
    """The engine is being shut down."""


@dataclass(frozen=True)
class Limits:
    """How much is held at a time: adapters in memory, requests that wait, rows of a batch."""

    max_adapters: int = 16
    max_queue: int = 256
    max_batch: int = 32


@dataclass(frozen=True)
class State:
    """What the engine is doing: requests that wait and that are being written, answers given, adapters in memory."""

    waiting: int
    running: int
    answered: int
    loaded: tuple[str, ...]


@dataclass(frozen=True)
class _Waiting:
    ask: Ask
    future: Future[Said]


class Engine:
    """Writes what it is asked for, in batches in which adapters mix; `load` returns the adapter of a key.

    Start it with `with`: leaving it closes it and waits for its thread.
    """

    def __init__(self, base: SharedBase, load: Callable[[str], Layers], limits: Limits | None = None) -> None:
        self.base, self.limits = base, limits or Limits()
        self._load = load
        self._queue: deque[_Waiting] = deque()
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
        """End the batch in hand at its next token, and refuse the requests that wait and all later ones."""
        with self._changed:
            self._closed = True
            waiting, self._queue = self._queue, deque()
            self._changed.notify_all()
        for one in waiting:
            if one.future.set_running_or_notify_cancel():
                one.future.set_exception(Closed())

    def submit(self, asks: Sequence[Ask]) -> list[Future[Said]]:
        """Put requests into the queue, all or none of them.

        The result of each is what was said; or a `HarnessError` where its adapter cannot be loaded.

        Raises:
            Busy: there is no room for them.
            Closed: the engine is being shut down.
        """
        made = [_Waiting(ask, Future()) for ask in asks]
        with self._changed:
            if self._closed:
                raise Closed
            self._queue = deque(one for one in self._queue if not one.future.cancelled())
            if len(self._queue) + len(made) > self.limits.max_queue:
                raise Busy
            self._queue.extend(made)
            self._changed.notify_all()
        return [one.future for one in made]

    @property
    def closed(self) -> bool:
        """Whether it takes no more requests."""
        return self._closed

    def state(self) -> State:
        """Return what it is doing now."""
        with self._changed:
            return State(len(self._queue), self._running, self._answered, tuple(self._loaded))

    def _work(self) -> None:
        while batch := self._next():
            for key in {one.ask.adapter for one in batch} & self._loaded.keys():
                self._loaded.move_to_end(key)  # before any is loaded, so that none makes room for its neighbour
            ready = [one for one in batch if self._ready(one)]
            said: list[Said] = []
            failure: Exception | None = None
            try:
                said = self.base.write([one.ask for one in ready], dict(self._loaded), self._check) if ready else []
            except (
                Exception
            ) as error:  # of a whole batch: each of its requests hears of it, and the next batch is tried
                failure = error
            with self._changed:  # before the answers are handed out, so that `state` counts what a client has
                self._running = 0
                self._answered += len(ready)
            for place, one in enumerate(ready):
                if failure:
                    one.future.set_exception(failure)
                else:
                    one.future.set_result(said[place])

    def _check(self) -> None:
        if self._closed:
            raise Closed

    def _next(self) -> list[_Waiting]:
        """Wait for requests and take a batch of them, the oldest first; empty when the engine is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._closed)
            until = time.monotonic() + GATHER_SECONDS
            while len(self._queue) < self.limits.max_batch and (left := until - time.monotonic()) > 0:
                if self._closed:
                    break
                self._changed.wait(left)
            if self._closed:
                return []
            batch = self._take()
            self._running = len(batch)
            return batch

    def _take(self) -> list[_Waiting]:
        """Take the oldest request and those that fit beside it: rows, tokens, and adapters that memory may hold."""
        taken: list[_Waiting] = []
        left: deque[_Waiting] = deque()
        adapters: set[str] = set()
        width = 0
        for one in self._queue:
            wider = max(width, len(one.ask.prompt) + one.ask.max_tokens)
            keys = adapters | {one.ask.adapter}
            fits = len(taken) < self.limits.max_batch and wider * (len(taken) + 1) <= BATCH_TOKENS
            fits = fits and len(keys - {""}) <= self.limits.max_adapters and (self.base.mixes or len(keys) == 1)
            if fits or not taken:
                taken.append(one)
                adapters, width = keys, wider
            else:
                left.append(one)
        self._queue = left
        return taken

    def _ready(self, one: _Waiting) -> bool:
        """Load the request's adapter where it is not in memory; a request that was given up, or cannot be, is over."""
        if not one.future.set_running_or_notify_cancel():
            return False
        key = one.ask.adapter
        if not key:
            return True
        if key in self._loaded:
            return True
        try:
            layers = self._load(key)
        except Exception as error:
            one.future.set_exception(error)
            return False
        with self._changed:
            while len(self._loaded) >= self.limits.max_adapters:
                self._loaded.popitem(last=False)
            self._loaded[key] = layers
        return True
