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
def beside(work: Callable[[threading.Event], None]) -> Iterator[None]:
    """A context with a thread that does `work`, which has to return soon after its event is set at the end of the context."""
    end = threading.Event()
    thread = threading.Thread(target=work, args=(end,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()


@contextlib.contextmanager
def heartbeat(text: Callable[[], str], *, seconds: float = SECONDS) -> Iterator[None]:
    """A context that prints `text()` and the time so far, every few seconds until it ends; nothing if it ends at once."""
    start = time.monotonic()

    def beat(end: threading.Event) -> None:
        while not end.wait(seconds):
            output.note(f"{text()} · {duration(time.monotonic() - start)}")

    with beside(beat):
        yield
