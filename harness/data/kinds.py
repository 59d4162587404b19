"""The kind of a data file's answers: options, labels, numbers or free text, with notes on what decided it.

A kind that a single cell decides is never assumed without a word: a column of 119 numbers and one `n/a` is text, and the
title names the cell. Codes (`007`) are text, because `7` is another code.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Literal

from harness.data import labels as labelling
from harness.data.columns import Layout
from harness.data.intake.faults import Faults
from harness.data.raw import ClassName, Row
from harness.errors import HarnessError
from harness.metrics import parse_number
from harness.schema import Example

MAX_LABELS, MAX_LABEL_LENGTH, MIN_ROWS_PER_LABEL = 20, 40, 5
MOSTLY = 0.5  # share of the rows; above it a text among numbers is named
NAMED = 3  # cells that a note names
MAX_LISTED = 8  # classes that a title lists
Kind = Literal["choices", "labels", "numbers", "text"]
ReadNumber = Callable[[str], Decimal | None]
_CODE = re.compile(r"[+-]?0[0-9]+(?:\.[0-9]+)*")
_THOUSANDS_OR_DECIMALS = re.compile(r"[^0-9]*[1-9][0-9]{0,2}\.[0-9]{3}[^0-9]*")


def kind_of(
    path: Path,
    rows: Sequence[Row],
    layout: Layout,
    examples: Sequence[Example],
    labels: Sequence[str],
    *,
    decimal_comma: bool,
    faults: Faults,
) -> tuple[Kind, tuple[str, ...], list[str]]:
    """Return the kind of the answers, the classes if they are the same for every row, and notes for the title.

    Labels that are alike, and targets that are not among those given, are gathered as faults.

    Raises:
        HarnessError: one class only, or an answer that is no number with a decimal comma.
    """
    targets = Counter(e.target for e in examples)
    if decimal_comma:
        _refuse_other_numbers(path, rows, layout, examples, labels)
    if layout == "choices":
        options = {frozenset(e.choices) for e in examples}
        classes = tuple(sorted(next(iter(options)))) if len(options) == 1 else ()
        if classes:
            labelling.refuse_one_class(path, targets)
        return "choices", classes, []
    if labels:
        return "labels", labelling.given_labels(path, rows, examples, labels, faults), []
    labelling.refuse_one_class(path, targets)
    if all(isinstance(row.cells.get("target"), ClassName) for row in rows):
        return "labels", labelling.gather_alike(path, targets, faults), []
    read = partial(parse_number, decimal_comma=decimal_comma)
    numbers = {target for target in targets if read(target) is not None}
    codes = {target for target in targets if _CODE.fullmatch(target)}
    if len(numbers) == len(targets) and not codes:
        return "numbers", (), _about_numbers(targets, decimal_comma=decimal_comma)
    notes = _about_others(rows, examples, targets, numbers - codes, codes)
    short = all(len(target) <= MAX_LABEL_LENGTH and "\n" not in target for target in targets)
    count = labelling.count_shapes(targets) if short else 0  # spellings of one label are one
    if short and count <= MAX_LABELS and len(examples) >= MIN_ROWS_PER_LABEL * count:
        return "labels", labelling.gather_alike(path, targets, faults), notes
    return "text", (), notes


def _refuse_other_numbers(
    path: Path, rows: Sequence[Row], layout: Layout, examples: Sequence[Example], labels: Sequence[str]
) -> None:
    """Refuse a decimal comma for answers that are no numbers; the first of them is named."""
    if layout == "choices" or labels:
        fix = "leave --decimal-comma out"
        raise HarnessError("a decimal comma belongs to targets that are numbers", where=str(path), fix=fix)
    for row, example in zip(rows, examples, strict=True):
        if parse_number(example.target, decimal_comma=True) is None:
            problem = f"the target {example.target[:40]!r} is no number with a decimal comma, such as 1.234,5"
            raise HarnessError(problem, where=row.location, fix="correct the cell, or leave --decimal-comma out")


def _about_numbers(targets: Mapping[str, int], *, decimal_comma: bool) -> list[str]:
    """Return a note if every point may stand for thousands as well as before decimals."""
    if decimal_comma:
        return ["with a decimal comma"]
    pointed = [target for target in targets if "." in target]
    if not pointed or any("," in target for target in targets):
        return []
    if not all(_THOUSANDS_OR_DECIMALS.fullmatch(target) for target in pointed):
        return []
    return [f"{pointed[0]} is read with a decimal point (as thousands with --decimal-comma)"]


def _about_others(
    rows: Sequence[Row], examples: Sequence[Example], targets: Mapping[str, int], numbers: set[str], codes: set[str]
) -> list[str]:
    """Return notes on the cells that keep the targets from being numbers, if most of them are."""
    with_comma = {target for target in targets if parse_number(target, decimal_comma=True) is not None} - codes
    hint = ""
    if sum(map(targets.__getitem__, with_comma)) > sum(map(targets.__getitem__, numbers)):
        numbers, hint = with_comma, "; --decimal-comma reads a decimal comma"
        if len(numbers) == len(targets):
            return ["every target is a number with a decimal comma: --decimal-comma compares them as numbers"]
    texts = [(row, e.target) for row, e in zip(rows, examples, strict=True) if e.target not in numbers]
    if sum(map(targets.__getitem__, numbers | codes)) <= MOSTLY * len(examples):
        return []
    if codes and all(target in numbers or target in codes for target in targets):
        row, target = texts[0]
        return [f"codes and no numbers, as {target} in {_short(row)} begins with a zero"]
    texts = [(row, target) for row, target in texts if target not in codes]
    cells = ", ".join(f"{_short(row)} ({target[:20]!r})" for row, target in texts[:NAMED])
    more = f" and {len(texts) - NAMED:,} more" * (len(texts) > NAMED)
    verb = "keeps" if len(texts) == 1 else "keep"
    return [
        f"{cells}{more} {verb} {len(examples) - len(texts):,} of {len(examples):,} targets from being numbers{hint}"
    ]


def description(kind: Kind, classes: Sequence[str], examples: Sequence[Example]) -> str:
    """Return, for the title, the kind of answers that was assumed."""
    counts = Counter(e.target for e in examples)
    rows_per_class = ", ".join(f"{label} {counts[label]:,}" for label in classes)
    if len(classes) > MAX_LISTED:
        rows_per_class = f"{len(classes)}, {min(counts.values()):,} to {max(counts.values()):,} rows each"
    if kind == "numbers" and len(counts) <= MAX_LISTED and len(examples) >= MIN_ROWS_PER_LABEL * len(counts):
        return f"every target is a number, compared as numbers (as classes with --labels {','.join(sorted(counts))})"
    return {
        "choices": f"choices {rows_per_class}" if classes else "multiple choice",
        "labels": f"labels {rows_per_class}",
        "numbers": "every target is a number, compared as numbers",
        "text": "free text, exact match",
    }[kind]


def _short(row: Row) -> str:
    """Return the place of a row in its file."""
    end = row.location.rpartition(", row ")[2] if ", row " in row.location else row.location.rpartition(":")[2]
    place = f"row {end}" if ", row " in row.location else f"line {end}"
    return f"{place} of {row.file}" if row.file else place
