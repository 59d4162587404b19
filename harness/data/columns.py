"""The two column layouts of a data file, and how a row of each becomes an example.

    choices    question, choices, answer   `choices` a list, or text with `|` between (or a JSON list), or columns A, B,
                                           C, ... without a gap; `answer` the option's text or its letter, which names its column
    target     context, target

Optional in both: `id`, `group`, `split`, and `context` beside a question or `question` beside a context. Other columns
are ignored, and `check` names them. A cell that does not fit is an error, which names its row.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from string import ascii_uppercase
from typing import Any, Literal

from harness.data import lookalikes
from harness.data.raw import Row
from harness.errors import HarnessError, did_you_mean
from harness.metrics.text import fold
from harness.record import Split
from harness.schema import Example

Layout = Literal["choices", "target"]
COLUMNS: Mapping[Layout, tuple[str, ...]] = {
    "choices": ("question", "choices", "answer"),
    "target": ("context", "target"),
}
SPLIT_NAMES: Mapping[str, Split] = {
    "train": "train",
    **dict.fromkeys(("validation", "valid", "val", "dev"), "validation"),
    "test": "test",
}
IGNORE = "ignore"  # the use of a column that is left out
_LETTERS = frozenset(ascii_uppercase)
_ANSWER_CUE = re.compile(r"\s*\banswer\s*:\s*$", re.IGNORECASE)


def layout_of(path: Path, names: Iterable[str]) -> Layout | None:
    """Return the layout of a file by the names of its columns, None if some are missing.

    Raises:
        HarnessError: the columns of both layouts.
    """
    complete = [layout for layout in COLUMNS if not missing_columns(layout, names)]
    if len(complete) == 2:
        fix = f"keep the columns of one, --columns choices={IGNORE}"
        raise HarnessError("the file has both question, choices, answer and context, target", where=str(path), fix=fix)
    return complete[0] if complete else None


def missing_columns(layout: Layout, names: Iterable[str]) -> list[str]:
    """Return the columns that a file of this layout lacks; A and B stand for choices."""
    present = set(names)
    present |= {"choices"} if {"A", "B"} <= present else set()
    return [name for name in COLUMNS[layout] if name not in present]


def _no_column(name: str, row: Row, *, where: str) -> HarnessError:
    near = did_you_mean(name, [str(column) for column in row.cells])
    present = f"the columns are {', '.join(map(str, row.cells)) or 'none'}"
    fix = f"{near} {present}" if near else f"{present}; needed: question, choices, answer or context, target"
    return HarnessError(f"no column {name!r}", where=where, fix=fix)


def split_of(row: Row) -> Split | None:
    """Return the row's split, None if the cell is empty or missing."""
    name = _text(row, "split", needed=False).lower()
    if name and name not in SPLIT_NAMES:
        fix = did_you_mean(name, SPLIT_NAMES) or "use train, validation or test"
        raise HarnessError(f"unknown split {name!r}", where=row.location, fix=fix)
    return SPLIT_NAMES.get(name)


def option_columns(rows: Sequence[Row]) -> tuple[tuple[str, ...], list[str]]:
    """Return the letters of the columns that are options, and notes for the title; nothing if a column lists them.

    They are the unbroken run A, B, C, … of the file's columns. A run after a gap (`N`, a running number) is none, unless
    an answer is one of its letters.
    """
    if any("choices" in row.cells for row in rows):
        return (), []
    present = {letter for row in rows for letter in row.cells if letter in _LETTERS}
    runs: list[list[str]] = []
    for letter in sorted(present):
        if runs and ord(letter) == ord(runs[-1][-1]) + 1:
            runs[-1].append(letter)
        else:
            runs.append([letter])
    answers = {str(row.cells.get("answer", "")).strip().upper() for row in rows if len(runs) > 1}
    options = [run for run in runs if run is runs[0] or answers.intersection(run)]
    letters = tuple(letter for run in options for letter in run)
    left_out = sorted(present - set(letters))
    note = f"options in the columns {', '.join(letters)}"
    if left_out:
        return letters, [f"{note}, and not in {', '.join(left_out)} after a gap"]
    return letters, [f"{note}, with a gap"] if len(options) > 1 else []


def example_of(layout: Layout, row: Row, letters: Sequence[str] = ()) -> Example:
    """Return a row as an example; `letters` are the columns of its options, if no column lists them.

    A row of the target layout becomes a context without question (or with its `question`) and no choices yet. An
    "Answer:" at its end is cut, because every prompt adds its own.

    Raises:
        HarnessError: a missing column, an empty cell, unfit choices, or an answer that is not among them.
    """
    name = _text(row, "id", needed=False) or f"{row.file and f'{row.file}-'}row-{row.number}"
    group = _text(row, "group", needed=False)
    if layout == "choices":
        choices = _choices(row, letters)
        return Example(
            id=name,
            question=_text(row, "question"),
            context=_text(row, "context", needed=False),
            choices=choices,
            target=_answer(row, choices, letters or ascii_uppercase),
            group=group,
        )
    context = _ANSWER_CUE.sub("", _text(row, "context")).strip()
    if not context:
        raise HarnessError("the context holds nothing but 'Answer:'", where=row.location, fix="write the question")
    question = _text(row, "question", needed=False)
    return Example(id=name, question=question, context=context, target=_text(row, "target"), group=group)


def _text(row: Row, column: str, *, needed: bool = True) -> str:
    if column not in row.cells:
        if needed:
            raise _no_column(column, row, where=row.location)
        return ""
    text = cell_text(row, column, row.cells[column])
    if needed and not text:
        raise HarnessError(f"the {column} is empty", where=row.location, fix="fill the cell or delete the row")
    return text


def cell_text(row: Row, column: str, value: Any) -> str:
    """Return the text of a cell, empty for none; a list, an object or an infinite number is an error that names the row."""
    if isinstance(value, list | dict | bytes):
        kind = type(value).__name__
        raise HarnessError(f"{column} holds a {kind}, not text", where=row.location, fix="write text or a number")
    if isinstance(value, bool):
        return str(value).lower()  # as JSON writes it
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, float) and math.isinf(value):
        raise HarnessError(f"{column} holds {value}, not a finite number", where=row.location, fix="correct the cell")
    return "" if value is None or value != value else str(value).strip()  # not-a-number: a cell left empty


def _choices(row: Row, letters: Sequence[str]) -> tuple[str, ...]:
    if "choices" in row.cells:
        value = row.cells["choices"]
        if isinstance(value, str):
            value = _list_in(row, value)
        if not isinstance(value, list):
            fix = 'write a list, ["first", "second"], or text with | between'
            raise HarnessError("choices is neither a list nor text", where=row.location, fix=fix)
        choices = tuple(cell_text(row, "choices", item) for item in value)
    else:
        texts = [cell_text(row, letter, row.cells.get(letter)) for letter in letters]
        while texts and not texts[-1]:  # a question with three options in a file with columns A to D
            texts.pop()
        choices = tuple(texts)
    if len(choices) < 2:
        raise HarnessError(f"fewer than two choices: {len(choices)}", where=row.location, fix="give at least two")
    _refuse_alike(row, choices)
    return choices


def _refuse_alike(row: Row, choices: Sequence[str]) -> None:
    """Refuse an empty option, and two options that are the same or look the same."""
    if not all(map(fold, choices)) or len({fold(choice) for choice in choices}) < len(choices):
        problem = "two of the choices are the same" if all(map(fold, choices)) else "one of the choices is empty"
        raise HarnessError(problem, where=row.location, fix="give distinct choices (case and spacing do not count)")
    shapes: dict[str, str] = {}
    for choice in choices:
        earlier = shapes.setdefault(lookalikes.skeleton(choice), choice)
        if earlier is not choice:
            problem = f"the choices {earlier!r} and {choice!r} look the same: {lookalikes.difference(earlier, choice)}"
            raise HarnessError(problem, where=row.location, fix="write options that a reader can tell apart")


def _list_in(row: Row, text: str) -> list[Any]:
    if not text.lstrip().startswith("["):
        return text.split("|") if text.strip() else []
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        fix = 'write ["first", "second"], or text with | between'
        raise HarnessError(f"choices is not a JSON list: {error}", where=row.location, fix=fix) from error
    return list(value)


def _answer(row: Row, choices: Sequence[str], letters: Sequence[str]) -> str:
    """Return the option of the answer: by its text, otherwise by its letter, which is that of the column if options have columns.

    A number is never read as a position: some files count from 0 and some from 1.
    """
    text = _text(row, "answer")
    by_text = next((choice for choice in choices if fold(choice) == fold(text)), None)
    by_letter = dict(zip(letters, choices, strict=False)).get(text.upper())
    if by_text and by_letter and by_text != by_letter:
        problem = f"the answer {text!r} is both an option and the letter of another"
        raise HarnessError(problem, where=row.location, fix="write the option's text, longer than one letter")
    answer = by_text or by_letter
    if answer is not None:
        return answer
    problem = f"the answer {text!r} is not among the choices"
    fix = did_you_mean(text, choices) or f"write the option's text, or its letter: {', '.join(letters[: len(choices)])}"
    if "choices" not in row.cells and text.upper() in _LETTERS.difference(row.cells):
        problem = f"the answer {text!r} names a column that is not there: the options are in {', '.join(letters)}"
        fix = "name the columns of the options A, B, C, … without a gap"
    raise HarnessError(problem, where=row.location, fix=fix)
