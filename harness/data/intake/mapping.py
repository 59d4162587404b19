"""The columns of a data file by their use: `--columns note=context,decision=target,policy_no=group`.

A column of the file is renamed, or `ignore`d. Several columns may be the context: they are joined, one a line, each with
its name. A column with nearly the name of a use is an error, because `gruop` would let a policy stand in two splits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from string import ascii_uppercase
from typing import Any

from harness.data.columns import COLUMNS, IGNORE, Layout, cell_text, layout_of, missing_columns
from harness.data.intake import guess
from harness.data.intake.faults import Faults
from harness.data.raw import Row
from harness.errors import HarnessError, did_you_mean

USES = ("id", "group", "split", "question", "context", "choices", "answer", "target")
TARGET_USES = ("context", "target", "group", "split", "question")  # a wrong id changes no result
CHOICE_USES = ("question", "choices", "answer", "group", "split", "context")
NEEDED = "question, choices, answer or context, target"
FAR = 2  # the distance of two names from which on they are two names, for names of more than `SHORT` letters
SHORT = 5


def names_of(rows: Sequence[Row]) -> list[str]:
    """Return the columns of all rows, in the order of their first occurrence."""
    return list(dict.fromkeys(name for row in rows for name in row.cells))


def renamed(path: Path, rows: Sequence[Row], uses: Mapping[str, str]) -> list[Row]:
    """Return the rows with their columns named by use; those of no use stay as they are.

    Raises:
        HarnessError: a column that the file lacks, an unknown use, or two columns of one use that is not the context.
    """
    if not uses or not rows:
        return list(rows)
    names = names_of(rows)
    for column, use in uses.items():
        _require(path, column, use, names)
    target = {name: uses.get(name, name) for name in names}
    for use in dict.fromkeys(uses.values()):
        columns = [name for name in names if target[name] == use]
        if len(columns) > 1 and use not in ("context", IGNORE):
            problem = f"two columns are the {use}: {', '.join(sorted(columns))}"
            fix = f"choose one of them; --columns {columns[0]}={IGNORE} leaves a column out"
            raise HarnessError(problem, where=str(path), fix=fix)
    return [replace(row, cells=_cells(row, target, names)) for row in rows]


def _require(path: Path, column: str, use: str, names: Sequence[str]) -> None:
    if column not in names:
        fix = did_you_mean(column, names) or f"the columns are {', '.join(names)}"
        raise HarnessError(f"no column {column!r}", where=str(path), fix=fix)
    possible = (*USES, IGNORE, *ascii_uppercase)
    if use not in possible:
        fix = did_you_mean(use, possible) or f"use one of {', '.join((*USES, IGNORE))}, or a letter for an option"
        raise HarnessError(f"no column of a task is named {use!r}", where=f"--columns {column}={use}, {path}", fix=fix)


def _cells(row: Row, target: Mapping[str, str], names: Sequence[str]) -> dict[str, Any]:
    contexts = [name for name in names if target[name] == "context"]
    cells = {target[name]: cell for name, cell in row.cells.items() if target[name] not in (IGNORE, "context")}
    if len(contexts) == 1 and contexts[0] in row.cells:
        cells["context"] = row.cells[contexts[0]]
    elif len(contexts) > 1:
        texts = {name: cell_text(row, name, row.cells[name]) for name in contexts if name in row.cells}
        cells["context"] = "\n".join(
            text if name == "context" else f"{name}: {text}" for name, text in texts.items() if text
        )
    return cells


def near_misses(names: Sequence[str], uses: Sequence[str]) -> dict[str, str]:
    """Return the columns with nearly the name of one of these uses, with that use; none for a use with a column of its own."""
    exact = {*USES, *ascii_uppercase}
    absent = [use for use in uses if use not in names]
    pairs = ((name, use) for name in names if name not in exact for use in absent if _nearly(name, use))
    return dict(pairs)


def _nearly(name: str, use: str) -> bool:
    """Return whether a name is one with a typing error or two, apart from case and marks around it."""
    plain = name.strip().strip("_-*#: ").casefold()
    return plain == use or (len(plain) > 2 and _distance(plain, use) < (FAR if len(use) <= SHORT else FAR + 1))


def _distance(first: str, second: str) -> int:
    """Return the number of letters to add, drop, replace or exchange with the next (optimal string alignment)."""
    rows = [list(range(len(second) + 1))]
    for i, a in enumerate(first, start=1):
        row = [i]
        for j, b in enumerate(second, start=1):
            least = min(rows[-1][j] + 1, row[j - 1] + 1, rows[-1][j - 1] + (a != b))
            if i > 1 and j > 1 and a == second[j - 2] and first[i - 2] == b:
                least = min(least, rows[-2][j - 2] + 1)
            row.append(least)
        rows.append(row)
    return rows[-1][-1]


def recognised(path: Path, rows: list[Row], faults: Faults) -> tuple[Layout | None, list[Row]]:
    """Return the layout of a file and its rows, renamed as guessed if columns are missing, so that other faults show.

    Missing columns, and those with nearly the name of a use, are gathered as faults with the flag that mends them.

    Raises:
        HarnessError: the columns of both layouts.
    """
    if not rows:
        faults.refuse_every_row()
    names = names_of(rows)
    layout = layout_of(path, names_of(rows[:1]))
    if layout is None:
        return _guessed(path, rows, faults)
    uses = CHOICE_USES if layout == "choices" else TARGET_USES
    near = near_misses(names, uses)
    for column, use in near.items():
        faults.whole_file(refusal(path, column, use))
    faults.suggest_columns(near)
    return layout, rows


def _guessed(path: Path, rows: list[Row], faults: Faults) -> tuple[Layout | None, list[Row]]:
    names = names_of(rows)
    nearest = max(COLUMNS, key=lambda layout: _closeness(layout, names))
    near = near_misses(names, [*missing_columns(nearest, names), "group", "split"])
    present = [near.get(name, name) for name in names]
    if missing_columns(nearest, present):
        free = [name for name in names if name not in USES and name not in near]
        near |= guess.uses(rows, free, [use for use in TARGET_USES if use not in present])
        nearest = "target" if not missing_columns("target", [near.get(name, name) for name in names]) else nearest
    missing = missing_columns(nearest, names)
    faults.whole_file(_missing(path, missing, names, near))
    faults.suggest_columns(near)
    rows = renamed(path, rows, near)
    complete = not missing_columns(nearest, names_of(rows))
    return (nearest if complete else None), rows


def _closeness(layout: Layout, names: Sequence[str]) -> float:
    missing = missing_columns(layout, names)
    return len(COLUMNS[layout]) - len(missing) + 0.5 * len(set(near_misses(names, missing).values()))


def _missing(path: Path, missing: Sequence[str], names: Sequence[str], near: Mapping[str, str]) -> HarnessError:
    present = f"the columns are {', '.join(map(str, names)) or 'none'}"
    first = next((column for column, use in near.items() if use in missing), "")
    fix = f"did you mean {first!r}? {present}" if first else f"{present}; needed: {NEEDED}"
    if list(missing) == ["choices"] and "answer" in names:
        fix += "; --columns question=context,answer=target if answers are written freely"
    problem = f"no column{'s' * (len(missing) > 1)} {', '.join(map(repr, missing))}"
    return HarnessError(problem, where=str(path), fix=fix)


def refusal(path: Path, column: str, use: str) -> HarnessError:
    """Return the error of a column that has nearly the name of a use."""
    problem = f"the column {column!r} is ignored, and it is nearly {use!r}"
    fix = f"--columns {column}={use}, or --columns {column}={IGNORE} if it is another thing"
    return HarnessError(problem, where=str(path), fix=fix)
