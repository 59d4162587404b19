"""A line on stderr whenever a command has printed nothing for a few seconds: its stage, and the time since its start.

`stage` names what a command does; a stage within a stage is the one that is named.
In the log of a long command such lines would hide all others: after the first minute a dot stands for most of them, unless
stderr is a terminal, and a line follows after each minute without another.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator

from harness.cli.terminal import output, streams
from harness.format import duration

WAITING = ""  # the stage of a command that waits for others, such as a server: nothing is printed
SECONDS = 4.0  # without output; a reader who sees nothing for five thinks that the program hangs
LINES_FOR = LINE_EVERY = 60.0  # a log has lines so long, and after that one so often
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
def broken(command: str, *, seconds: float = SECONDS, lines_for: float = LINES_FOR) -> Iterator[None]:
    """A context in which a line or a dot is printed after `seconds` without output, until it ends."""
    end, start = threading.Event(), time.monotonic()

    def watch() -> None:
        rest = seconds
        while not end.wait(rest):
            rest = seconds - (time.monotonic() - max(start, streams.last_output()))
            if rest <= 0:
                _sign(_text(command), start, lines_for)
                rest = seconds

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()
        streams.end_dots()


def _sign(text: str, start: float, lines_for: float) -> None:
    """Print a line on what the command does, or a dot if a log has had enough of them; nothing without a text."""
    now = time.monotonic()
    log = sys.stderr is not None and not sys.stderr.isatty()
    if text and log and now - start > lines_for and now - streams.last_line() < LINE_EVERY:
        streams.dot()
    elif text:
        output.note(f"  … {text} · {duration(now - start)} since the start")


def _text(command: str) -> str:
    """Return the name of the innermost stage, else the command's."""
    return _stages[-1]() if _stages else f"{command} is working"
