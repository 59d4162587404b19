"""A sign of life while a long step is silent: a line on stderr every few seconds, with what is done and how long it took."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

from harness.cli.terminal import output
from harness.format import duration

SECONDS = 4.0  # between two lines


@contextlib.contextmanager
def heartbeat(text: Callable[[], str], *, seconds: float = SECONDS) -> Iterator[None]:
    """A context that prints `text()` and the time so far, every few seconds until it ends; nothing if it ends at once."""
    end, start = threading.Event(), time.monotonic()

    def beat() -> None:
        while not end.wait(seconds):
            output.note(f"{text()} · {duration(time.monotonic() - start)}")

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()
