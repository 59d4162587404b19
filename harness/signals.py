"""Requests to stop: Ctrl-C (SIGINT), a service manager's SIGTERM, and SIGHUP, which says that the terminal is gone.

A shell that starts a program in the background (`program &` in a script) lets it ignore SIGINT, and Python respects this.
The handlers are therefore always set and never inherited, but for that of SIGHUP: `nohup` ignores it on purpose.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import termios
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
FROM_TERMINALS = (signal.SIGINT, signal.SIGHUP)  # sent to all processes of a terminal at once

Handler = Callable[[int, FrameType | None], Any]


@contextlib.contextmanager
def stop_handlers(handler: Handler) -> Iterator[None]:
    """Return a context in which `handler` takes requests to stop; the handlers from before are set again at its end.

    Only the main thread may set handlers; in any other thread nothing changes.
    """
    before: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():

        def handle(number: int, frame: FrameType | None) -> Any:
            if number == signal.SIGHUP:
                release_terminal()
            return handler(number, frame)

        before = {number: signal.signal(number, handle) for number in STOP_SIGNALS if not _by_nohup(number)}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, signal.SIG_DFL if earlier is None else earlier)


@contextlib.contextmanager
def postponed() -> Iterator[None]:
    """Return a context during which requests to stop wait, such as a fork: Python drops what is raised in its hooks.

    A fork starts with them waiting, see `accept`.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def accept() -> None:
    """Let requests to stop reach this process, a fork from a context of `postponed`."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)


def release_terminal() -> None:
    """Let stdout and stderr vanish if they lead to a terminal that is gone: whatever is written there would be an error."""
    for stream in (1, 2):
        try:
            termios.tcgetattr(stream)
        except termios.error as error:
            if error.args[0] == errno.EIO:
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, stream)
                os.close(nowhere)


def _by_nohup(number: int) -> bool:
    return number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN


def keyboard_interrupts() -> contextlib.AbstractContextManager[None]:
    """Return a context in which every request to stop raises KeyboardInterrupt."""
    return stop_handlers(signal.default_int_handler)
