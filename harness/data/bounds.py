"""The limits of data files, counted while they are read, and the progress of long ones.

A file of 3 MB can hold 30 million rows, and one cell can be larger than the memory. So rows, cells and text are counted
as they come, and a file beyond a limit is refused at its row before the memory is used up.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from harness import environment
from harness.errors import HarnessError

MAX_ROWS = 1_000_000
MAX_CELL = 20_000_000  # characters; the longest annual reports have about five million
MAX_LINE = 2**26  # bytes of a line, or characters in CSV
MAX_ITEMS = 100_000  # of a list in a cell
MAX_TEXT = 1_000_000_000  # characters of all cells
BYTES_PER_ROW = 2**13  # memory of a row with its example, without its text
BYTES_PER_CHARACTER = 16  # memory from the file to the tokens
STEP = 100_000  # rows between two reports

_watchers: list[Callable[[Path, int], None]] = []


def watch(watcher: Callable[[Path, int], None]) -> None:
    """Call `watcher` with the file and the number of rows after each `STEP` rows of any file, until the process ends."""
    if watcher not in _watchers:
        _watchers.append(watcher)


def max_rows() -> int:
    """Return the most rows of a file: `MAX_ROWS`, or fewer on a machine with little memory."""
    return min(MAX_ROWS, environment.memory_bytes() // BYTES_PER_ROW)


def max_text() -> int:
    """Return the most characters of a file: `MAX_TEXT`, or fewer on a machine with little memory."""
    return min(MAX_TEXT, environment.memory_bytes() // BYTES_PER_CHARACTER)


class Tally:
    """The rows and characters of a file so far."""

    def __init__(self, path: Path) -> None:
        self._path, self._rows, self._characters = path, 0, 0
        self._max_rows, self._max_text = max_rows(), max_text()

    def add(self, where: str, characters: int, rows: int = 1) -> None:
        """Count rows that end at `where`.

        Raises:
            HarnessError: more rows or more text than the limits.
        """
        steps = self._rows // STEP
        self._rows += rows
        self._characters += characters
        if self._rows > self._max_rows:
            refuse_rows(self._path, self._rows, where)
        if self._characters > self._max_text:
            problem = f"the cells up to here hold more than {self._max_text:,} characters, the most that are read"
            raise HarnessError(problem, where=where, fix="keep the columns and the rows that you need")
        if self._rows // STEP > steps:
            for watcher in _watchers:
                watcher(self._path, self._rows)


def refuse_rows(path: Path, rows: int, where: str = "") -> None:
    """Raise the error of a file with more rows than the limit, if it has more."""
    if rows > (most := max_rows()):
        problem = f"the data file has {rows:,} rows{' and more' * bool(where)}, and at most {most:,} are read"
        raise HarnessError(problem, where=where or str(path), fix="draw a sample of the rows into another file")


def refuse_cell(characters: int, column: object, where: str) -> None:
    """Raise the error of a cell that is longer than the limit, if it is."""
    if characters > MAX_CELL:
        problem = f"the cell {str(column)!r} holds {characters:,} characters, and at most {MAX_CELL:,} are read"
        raise HarnessError(problem, where=where, fix="divide the text into several rows, or leave the column out")
