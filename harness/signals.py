"""Requests to stop: Ctrl-C (SIGINT) and a service manager's SIGTERM.

A shell that starts a program in the background (`program &` in a script, `nohup`) lets it ignore SIGINT, and Python leaves
that as it is. Handlers are therefore always set here, and never left to what the program inherits.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

STOPPING = (signal.SIGINT, signal.SIGTERM)

Handler = Callable[[int, FrameType | None], Any]


@contextlib.contextmanager
def handled(handler: Handler) -> Iterator[None]:
    """Let `handler` take requests to stop, and set the handlers from before again at the end.

    Only the main thread may set handlers; in any other thread nothing changes.
    """
    before: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        before = {number: signal.signal(number, handler) for number in STOPPING}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, signal.SIG_DFL if earlier is None else earlier)


def interruptible() -> contextlib.AbstractContextManager[None]:
    """Return a context in which every request to stop raises KeyboardInterrupt."""
    return handled(signal.default_int_handler)
