"""The pace of requests: a limit a minute, and pauses that a server asks for or a failure brings.

Threads share one pace. A pause that the server asks for (`Retry-After`) holds all of them; one after a failure holds its own.
"""

from __future__ import annotations

import random
import threading
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

LONGEST_PAUSE = 60.0  # seconds between two attempts, unless the server asks for more
JITTER = 0.5  # share of a pause that is drawn, so that threads do not come back together


class Stopped(Exception):
    """The run was stopped while a request waited."""


class Pace:
    """Lets requests pass one after the other, not faster than `rate` a minute; 0 is no limit."""

    def __init__(self, rate: float = 0.0) -> None:
        self.stop = threading.Event()
        self._gap = 60.0 / rate if rate else 0.0
        self._lock = threading.Lock()
        self._next = self._free = time.monotonic()

    def wait(self) -> None:
        """Return when the next request may be sent.

        Raises:
            Stopped: the run was stopped.
        """
        with self._lock:
            start = max(time.monotonic(), self._next)
            self._next = start + self._gap
        self._sleep_until(start)
        while (free := self._free) > time.monotonic():  # a pause may begin while this one waits
            self._sleep_until(free)

    def hold(self, seconds: float) -> None:
        """Let no request pass for so long, as a server asks."""
        with self._lock:
            self._free = max(self._free, time.monotonic() + seconds)

    def sleep(self, seconds: float) -> None:
        """Wait for so long, or raise `Stopped`."""
        if self.stop.wait(max(0.0, seconds)):
            raise Stopped

    def _sleep_until(self, moment: float) -> None:
        self.sleep(moment - time.monotonic())


def pause(first: float, attempt: int) -> float:
    """Return the seconds after a failed attempt, counted from 0: doubled each time, a part of them drawn at random."""
    longest = min(LONGEST_PAUSE, first * 2.0**attempt)
    return longest * (1 - JITTER * random.random())


def retry_after(value: str | None) -> float:
    """Return the seconds of a `Retry-After` header, which are a number or a date; 0 without a sound one."""
    if not value:
        return 0.0
    try:
        seconds = float(value)
    except ValueError:
        try:
            moment = parsedate_to_datetime(value)
        except (TypeError, ValueError):
            return 0.0
        seconds = ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - datetime.now(UTC)).total_seconds()
    return seconds if 0 < seconds < float("inf") else 0.0
