"""The only way to the terminal: no control character of a record, a file name, a warning or a traceback passes.

The program prints through `SafeConsole`. Everything else in this process that writes to stdout or stderr, such as the
warnings and logs of libraries and the traceback of a fault, goes through the streams of `safe_streams`.
"""

from __future__ import annotations

import contextlib
import sys
import time
import traceback
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any

from harness.format import printable

if TYPE_CHECKING:
    from rich.console import Console


_LAST, _LINE = [0.0], [0.0]  # when something, and when more than a dot, was printed last, by the monotonic clock
_DOTS = [False]  # whether the line on stderr is one of dots


def last_output() -> float:
    """Return when this process last printed something, by `time.monotonic`; 0 if it has not."""
    return _LAST[0]


def last_line() -> float:
    """Return when this process last printed more than a dot, by `time.monotonic`; 0 if it has not."""
    return _LINE[0]


def dot() -> None:
    """Write a dot on stderr, behind those before it; the next output begins a new line."""
    with contextlib.suppress(OSError, ValueError):  # the reader of a pipe is gone
        stream = bare(sys.stderr)
        stream.write("." if _DOTS[0] else "    .")
        stream.flush()
        _DOTS[0] = True
    _LAST[0] = time.monotonic()


def end_dots() -> None:
    """End a line of dots on stderr, if there is one."""
    if _DOTS[0]:
        _DOTS[0] = False
        with contextlib.suppress(OSError, ValueError):
            bare(sys.stderr).write("\n")


def _note_output() -> None:
    end_dots()
    _LAST[0] = _LINE[0] = time.monotonic()


class SafeStream:
    """A text stream that passes on printable text; in all else it is the stream that it wraps."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        """Write a text; a carriage return, as of a progress bar, begins a new line."""
        _note_output()
        self.stream.write(printable(text.replace("\r\n", "\n").replace("\r", "\n")))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write several texts."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


@contextlib.contextmanager
def safe_streams() -> Iterator[None]:
    """A context in which nothing but printable text reaches stdout and stderr; a traceback after it neither."""
    out, err = sys.stdout, sys.stderr
    sys.excepthook = _show_fault
    sys.stdout, sys.stderr = _safe(out), _safe(err)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = out, err


def _safe(stream: Any) -> Any:
    return stream if stream is None or isinstance(stream, SafeStream) else SafeStream(stream)


def bare(stream: Any) -> Any:
    """Return the stream that a console writes its own colours to."""
    return stream.stream if isinstance(stream, SafeStream) else stream


def _show_fault(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if sys.stderr is not None:
        sys.stderr.write(printable("".join(traceback.format_exception(kind, error, trace))))


def console(stream: Any, **settings: Any) -> Console:
    """Return a console on a stream; its colours pass, and those of the texts that it prints do not."""
    from rich.console import Console
    from rich.segment import Segment

    class SafeConsole(Console):
        def render(self, *args: Any, **more: Any) -> Iterator[Segment]:
            _note_output()
            for segment in super().render(*args, **more):
                yield segment if segment.control else Segment(printable(segment.text), segment.style)

    return SafeConsole(file=bare(stream), **settings)
