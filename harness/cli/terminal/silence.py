"""A line on stderr whenever a command has printed nothing for a few seconds: its stage, and the time since its start.

`stage` names what a command does; a stage within a stage is the one that is named. The line of `heartbeat` counts as output.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

from harness.cli.terminal import output, streams
from harness.format import duration

WAITING = ""  # the stage of a command that waits for others, such as a server: nothing is printed
SECONDS = 4.0  # without output; a reader who sees nothing for five thinks that the program hangs
_stages: list[Callable[[], str]] = []


@contextlib.contextmanager
def stage(text: str | Callable[[], str]) -> Iterator[None]:
    """A context in which `text` says what the command does; a function is called whenever a line is due."""
    current = text if callable(text) else lambda: text
    _stages.append(current)
    try:
        yield
    finally:
        _stages.remove(current)


@contextlib.contextmanager
def broken(command: str, *, seconds: float = SECONDS) -> Iterator[None]:
    """A context in which a line is printed after `seconds` without output, until it ends."""
    end, start = threading.Event(), time.monotonic()

    def watch() -> None:
        rest = seconds
        while not end.wait(rest):
            rest = seconds - (time.monotonic() - max(start, streams.last_output()))
            if rest <= 0:
                if text := _text(command):
                    output.note(f"  … {text} · {duration(time.monotonic() - start)} since the start")
                rest = seconds

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()


def _text(command: str) -> str:
    """Return the name of the innermost stage, else the command's."""
    return _stages[-1]() if _stages else f"{command} is working"
