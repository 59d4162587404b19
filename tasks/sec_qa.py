"""Questions over excerpts of annual reports that need more than a cell: near twins, changes, measures, explanations.

A reader names lines, columns and measures in other words than the filing prints. `twin` is a lookup of the right line or column
among similar ones, `change` an amount, a rate or percentage points, `computed` a measure (with averages wherever practice takes
them), `explain` the line that did most to move a total. The test has these four in equal parts, so its headline is over them;
training has plain lookups and tags beside them, which `sec_qa_lookup` asks. The filers are fictional and their statements tie
from year to year; `data/sec_qa/make.py` writes them. Answers are written, not chosen: an option would show the number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from harness import Answer, Example, Source, Split, Task, metrics, parse_number, prompts, read_jsonl

_TAG = re.compile(r"(?:us-gaap:)?([A-Z][A-Za-z]+)", re.IGNORECASE)
_MONEY = frozenset({"", "$", "us$", "usd", "dollars"})
_SCALES = {"thousand": 3, "million": 6, "billion": 9}
_AMOUNTS = {"dollars": 0, "thousands": 3, "millions": 6}
_WORDS = {  # what may stand beside the digits, by unit
    "percent": frozenset({"", "%", "percent"}),
    "points": frozenset({"", "%", "percent", "points", "percentagepoints", "pp"}),
    "times": frozenset({"", "x", "times"}),
    "days": frozenset({"", "days"}),
    "per share": _MONEY | {"pershare", "$pershare", "dollarspershare"},
}
_ROUNDED = ("percent", "points", "times", "days")


def load(folder: Path, split: Split) -> Iterator[Example]:
    """Yield the examples of a split; the two questions of a filing share a group.

    The form of the answer is a slice, because a stored answer has its slices and not its context; `parse` needs it.
    """
    return examples(folder / f"{split}.jsonl")


def examples(path: Path) -> Iterator[Example]:
    """Yield the examples of a file."""
    for row in read_jsonl(path):
        slices = {"kind": row["kind"], "answer": row["unit"]}
        yield Example(row["id"], row["question"], row["answer"], (), row["filing"], row["context"], slices)


def parse(text: str, example: Example) -> str | None:
    """Return the first line of an output, parsed by the answer's form: a line's name, a tag without prefix, a number."""
    line = (text.strip().splitlines() or [""])[0].strip().removesuffix(".")
    match example.slices["answer"]:
        case "text":
            return line.strip("\"'") or None
        case "element":
            match = _TAG.fullmatch(line)
            return match[1] if match and match[1][0].isupper() else None
        case unit:
            return _number(line, unit)


def _number(line: str, unit: str) -> str | None:
    """Return a number in the question's unit; money of another scale is converted ("4.5 million" to 4500 thousands)."""
    value, scale = parse_number(line), ""
    words = re.sub(r"[^a-z$%]", "", line.lower())  # the words beside the digits
    if value is None and unit == "days":
        value, words = parse_number(line.lower().removesuffix("days").strip()), "days"
    if value is None and unit == "points":
        value, words = parse_number(line.lower().removesuffix("points").strip()), "points"
    if value is None:
        return None
    if unit in _WORDS:
        allowed = words in _WORDS[unit]
    else:
        scale = next((name for name in _SCALES if name in words), "")
        allowed = words.replace(f"{scale}s", "").replace(scale, "") in _MONEY
        value = value.scaleb(-_AMOUNTS[unit]) if scale else value
    return format(value.normalize(), "f") if allowed else None


def score(answer: Answer) -> float:
    """Return 1.0 for a right answer: a rounded number within half a unit of its last decimal, everything else exactly."""
    if answer.parsed is None:
        return 0.0
    unit = answer.slices["answer"]
    if unit == "text":
        return float(metrics.fold(answer.parsed) == metrics.fold(answer.target))
    if unit == "element":
        return float(answer.parsed == answer.target.removeprefix("us-gaap:"))
    target = parse_number(answer.target)
    assert target is not None
    half = Decimal(5).scaleb(int(target.as_tuple().exponent) - 1)
    tolerance = half if unit in _ROUNDED else Decimal(0)
    return float(abs(Decimal(answer.parsed) - target) <= tolerance)


TASK = Task(
    name="sec_qa",
    version=2,
    title="Questions over annual reports: near twins, changes, measures, explanations",
    source=Source(
        "data/sec_qa", sha256="22ef5278db4b3ebb79749a0ea6b52b3e28224d371a111a97d52c17130a8231a4", license="CC-BY-4.0"
    ),
    load=load,
    prompt=prompts.question_answer,
    metrics=(replace(metrics.accuracy, score=score),),
    scoring="generate",
    parse=parse,
    max_new_tokens=56,
    epochs=4.0,
    group_name="filing",
    suites=("finance",),
)
