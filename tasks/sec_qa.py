"""Questions over excerpts of annual reports: look up a value, tag a line, write a ratio, work out a number.

The filers are fictional and their statements add up; `data/sec_qa/make.py` writes them. Values are compared as numbers in
the filing's units, tags by name, formulas by value: `(a / b) * 100` is `100 * a / b`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from harness import (
    Answer,
    Example,
    Source,
    Split,
    Task,
    equal,
    metrics,
    parse_expression,
    parse_number,
    prompts,
    read_jsonl,
)

_TAG = re.compile(r"(?:us-gaap:)?([A-Z][A-Za-z]+)", re.IGNORECASE)
_MONEY = frozenset({"", "$", "us$", "usd", "dollars"})
_SCALES = {"thousand": 3, "million": 6, "billion": 9}


def load(folder: Path, split: Split) -> Iterator[Example]:
    """Yield the examples of a split; the two questions of a filing share a group.

    The filing's unit is a slice, because a stored answer has its slices and not its context; `parse` needs the unit.
    """
    for row in read_jsonl(folder / f"{split}.jsonl"):
        unit = "millions" if "million" in row["context"].lower() else "thousands"
        fields = {"target": row["answer"], "group": row["filing"], "slices": {"kind": row["kind"], "unit": unit}}
        yield Example(id=row["id"], question=row["question"], context=row["context"], **fields)


def parse(text: str, example: Example) -> str | None:
    """Return the first line of an output, parsed by the example's kind: a number, a tag without prefix, a formula."""
    line = (text.strip().splitlines() or [""])[0].strip().removesuffix(".")
    match example.slices["kind"]:
        case "tag":
            match = _TAG.fullmatch(line)
            return match[1] if match and match[1][0].isupper() else None
        case "formula":
            formula = parse_expression(line)
            return formula.text if formula and formula.names else None
        case _:
            return _number(line, example)


def _number(line: str, example: Example) -> str | None:
    """Return a number in the question's unit: percent, a multiple, or money in the filing's unit ("4.5 million" scaled)."""
    value = parse_number(line)
    words = re.sub(r"[^a-z$%]", "", line.lower())  # the words beside the digits
    if value is None:
        return None
    if example.target.endswith("%"):
        allowed = words in ("", "%", "percent")
    elif "." in example.target:
        allowed = words in _MONEY or words in ("x", "times")
    else:
        scale = next((name for name in _SCALES if name in words), "")
        allowed = words.replace(f"{scale}s", "").replace(scale, "") in _MONEY
        if scale:
            unit = example.slices.get("unit", "thousands")  # older stored answers lack this slice
            value = value.scaleb(-_SCALES[unit.removesuffix("s")])
    return format(value.normalize(), "f") if allowed else None


def score(answer: Answer) -> float:
    """Return 1.0 for a right answer of its kind: a rounded number within half a unit of its last decimal, others exactly."""
    if answer.parsed is None:
        return 0.0
    kind = answer.slices["kind"]
    if kind == "formula":
        return float(equal(answer.parsed, answer.target))
    if kind == "tag":
        return float(answer.parsed == answer.target.removeprefix("us-gaap:"))
    target = parse_number(answer.target)
    assert target is not None
    rounded = kind == "computed" and "." in answer.target
    tolerance = Decimal(5).scaleb(int(target.as_tuple().exponent) - 1) if rounded else Decimal(0)
    return float(abs(Decimal(answer.parsed) - target) <= tolerance)


TASK = Task(
    name="sec_qa",
    version=1,
    title="Questions over annual reports",
    source=Source(
        "data/sec_qa", sha256="c639f3635104950ff2352e50aa20e2e7cf31e1987af35270a98fbb7c87740b0a", license="CC-BY-4.0"
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
