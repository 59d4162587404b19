"""All faults of a data file in one list, with the lines of the file and the flags that mend them.

A fault of one row is gathered, and the next row is read. `--drop-bad` leaves such rows out. A fault of the whole file
(a missing column, two labels that look the same, an end in the middle of a line) stays an error.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from harness.data import lookalikes
from harness.errors import HarnessError

MAX_LINES, MAX_KINDS, MAX_FIXES = 8, 25, 3  # lines named for one kind of fault, kinds of faults, and ways to mend them
MAX_GATHERED = 10_000  # rows; a file with more faults has another layout
DROP_BAD = "--drop-bad"
Refuse = Callable[[HarnessError, int], None]


def at_once(error: HarnessError, number: int) -> NoReturn:
    """Raise the error of a row, for readers that want the first fault only."""
    raise error


@dataclass(frozen=True)
class Fault:
    """An error, and the line or row of the file that it is about; 0 for one of the whole file.

    `file` is the name of a further file of the task; empty for the first.
    """

    error: HarnessError
    number: int = 0
    file: str = ""


class EveryFault(HarnessError):
    """The list of all faults of a file."""


class Faults:
    """The faults of a task's files in the course of being read, and the flags that would mend them."""

    def __init__(self, path: Path, *, drop_bad: bool = False, further: Sequence[str] = ()) -> None:
        self._path, self._drop_bad, self._further = path, drop_bad, further
        self._of_rows: list[Fault] = []
        self._of_file: list[Fault] = []
        self._keys: set[tuple[str, int]] = set()
        self._columns: list[str] = []
        self._relabel: list[str] = []
        self._certain = True

    def row(self, error: HarnessError, number: int, file: str = "") -> None:
        """Gather the fault of a row; a row has one at most.

        Raises:
            HarnessError: the list of so many faults that the file must have another layout.
        """
        if (file, number) not in self._keys:
            self._keys.add((file, number))
            self._of_rows.append(Fault(error, number, file))
        if len(self._of_rows) > MAX_GATHERED:
            self._drop_bad = False
            self.refuse()

    def whole_file(self, error: HarnessError, number: int = 0) -> None:
        """Gather a fault of the whole file."""
        self._of_file.append(Fault(error, number))

    def suggest_columns(self, uses: Mapping[str, str]) -> None:
        """Name columns for the flag `--columns`."""
        new = [f"{column}={use}" for column, use in uses.items()]
        self._columns += [pair for pair in new if pair not in self._columns]

    def suggest_relabel(self, old: str, new: str) -> None:
        """Name labels for the flag `--relabel`."""
        self._relabel.append(f"{old}={new}")

    @property
    def keys(self) -> frozenset[tuple[str, int]]:
        """The rows with a fault, as `Row.key`."""
        return frozenset(self._keys)

    def left_out(self) -> list[str]:
        """Return the rows that are left out, one text for each kind of fault."""
        return self._by_kind(self._of_rows)

    def refuse(self) -> None:
        """Raise the list of all faults, if one of them cannot be left out.

        Raises:
            HarnessError: the fault itself if it is the only one, else the list.
        """
        rows = [] if self._drop_bad else self._of_rows
        faults = [*self._of_file, *rows]
        if len(faults) == 1:
            (fault,) = faults
            raise self._alone(fault, droppable=bool(rows))
        if faults:
            kinds = self._by_kind(faults)
            more = [f"and {len(kinds) - MAX_KINDS:,} faults of other kinds"] * (len(kinds) > MAX_KINDS)
            head = f"{' and '.join([self._path.name, *self._further])} {'have' if self._further else 'has'}"
            problem = "\n".join([f"{head} {len(faults):,} faults", *kinds[:MAX_KINDS], *more])
            where = str(self._path) if self._of_file else rows[0].error.where
            raise EveryFault(problem, where=where, fix=self._fix(faults, kinds, droppable=bool(rows)))

    def refuse_every_row(self) -> NoReturn:
        """Raise the list of all faults of a file without a row that can be used."""
        self._drop_bad = False
        self.refuse()
        raise EveryFault("the data file has no row", where=str(self._path), fix="add rows")

    def _by_kind(self, faults: list[Fault]) -> list[str]:
        """Return a line for each kind of fault with the lines that have it, in the order of the first."""
        kinds: dict[tuple[str, str], list[int]] = {}
        for fault in faults:
            kinds.setdefault((fault.file, fault.error.problem), []).append(fault.number)
        return [f"{self._positions(numbers, file)}{problem}" for (file, problem), numbers in kinds.items()]

    def _positions(self, numbers: list[int], file: str) -> str:
        if not any(numbers):
            return ""
        name = file or (self._path.name if self._further else "")
        unit = "row" if Path(file or self._path).suffix.lower() == ".parquet" else "line"
        more = f" and {len(numbers) - MAX_LINES:,} more" * (len(numbers) > MAX_LINES)
        rows = f"{unit}{'s' * (len(numbers) > 1)} {', '.join(map(str, numbers[:MAX_LINES]))}{more}"
        return f"{name}, {rows}: " if name else f"{rows}: "

    def _alone(self, fault: Fault, *, droppable: bool) -> EveryFault:
        error, fix = fault.error, fault.error.fix
        if fault.number and droppable and DROP_BAD not in fix:
            fix = f"{fix}; {DROP_BAD} leaves the row out"
        elif self._columns and "--columns" not in fix:
            fix = f"{fix}; {self._flags(droppable=False)}"
        return EveryFault(error.problem, where=error.where, fix=fix)

    def _fix(self, faults: list[Fault], kinds: list[str], *, droppable: bool) -> str:
        flags, fixes = self._flags(droppable=droppable), list(dict.fromkeys(fault.error.fix for fault in faults))
        if flags and (len(kinds) > 1 or len(fixes) > 1):
            return f"correct them in the file, or add {flags}"
        return "; ".join([*fixes[:MAX_FIXES], *[f"or add {flags}"] * bool(flags)])

    def _flags(self, *, droppable: bool) -> str:
        words = []
        if self._columns:
            words += ["--columns", shlex.quote(",".join(self._columns))]
        if self._relabel:
            words += [
                "--relabel",
                lookalikes.quoted(pairs) if not (pairs := ",".join(self._relabel)).isascii() else shlex.quote(pairs),
            ]
        return " ".join([*words, *[DROP_BAD] * droppable])
