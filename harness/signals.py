"""Requests to stop: Ctrl-C (SIGINT) and a service manager's SIGTERM.

A shell that starts a program in the background (`program &` in a script) lets it ignore SIGINT, and Python respects this.
The handlers are therefore always set and never inherited.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)

Handler = Callable[[int, FrameType | None], Any]


@contextlib.contextmanager
def stop_handlers(handler: Handler) -> Iterator[None]:
    """Return a context in which `handler` takes requests to stop; the handlers from before are set again at its end.

    Only the main thread may set handlers; in any other thread nothing changes.
    """
    before: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        before = {number: signal.signal(number, handler) for number in STOP_SIGNALS}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, signal.SIG_DFL if earlier is None else earlier)


def keyboard_interrupts() -> contextlib.AbstractContextManager[None]:
    """Return a context in which every request to stop raises KeyboardInterrupt."""
    return stop_handlers(signal.default_int_handler)
