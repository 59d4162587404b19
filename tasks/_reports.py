"""Rendering and answers of the tasks over pages of reports. Not a task itself.

A table's row is a line, `Revenue | 4.2 | 3.9`. Answers are numbers, or yes and no. In FinQA and related sets most ratios are
fractions (0.145) and a few are percentages (14.5); the question does not tell. `14.5%` is read as either, a plain `14.5` as
itself only.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from fractions import Fraction

from harness import Answer, Example, Metric, metrics, parse_number, published

FILING = re.compile(r"(?:Single_|Double_)?([^/]+/[0-9]{4})/[^/]+")
RATE = re.compile(r"%|cent|pct|pp|bps?|basis", re.IGNORECASE)  # text behind a number that marks a rate
HALF = Fraction(5, 10**6)  # half of the fifth decimal, to which FinQA's evaluation rounds
DIGITS = 3  # the least digits of a rounded answer
ASKED = "Answer with yes, no, or a number; write a ratio as a decimal fraction."


def text_of(sentences: Iterable[str]) -> str:
    """Return sentences as one text, without those that have no letter or digit."""
    return " ".join(" ".join(s.split()) for s in sentences if any(map(str.isalnum, s)))


def table_of(rows: Iterable[Sequence[object]]) -> str:
    """Return a table with a line for each row that is not empty, and bars between cells."""
    cells = ([" ".join(str(cell).split()) for cell in row] for row in rows)
    return "\n".join(" | ".join(row).strip() for row in cells if any(row))


def page_of(*parts: str) -> str:
    """Return the parts of a page that are not empty, with blank lines between."""
    return "\n\n".join(filter(None, parts))


def finqa_page(cells: published.Cells) -> str:
    """Return a page as FinQA and ConvFinQA show it: the text before the table, the table, the text behind it."""
    return page_of(text_of(cells["pre_text"]), table_of(cells["table"]), text_of(cells["post_text"]))


def filing_of(id: str) -> str:
    """Return the filing of a FinQA id: `MRO/2007` of `Single_MRO/2007/page_134.pdf-1`."""
    match = FILING.fullmatch(id)
    if match is None:
        raise ValueError(f"no filing in the id {id!r}")
    return match[1]


def answer_text(value: object) -> str:
    """Return a value of a JSON file as an answer: numbers without exponent and closing zeros, text on one line."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"an answer is a number or text, not {value!r}")
    if isinstance(value, str):
        return " ".join(value.split())
    number = format(Decimal(str(value)), "f")
    return number.rstrip("0").rstrip(".") if "." in number else number


def parse(text: str, example: Example) -> str | None:
    """Return the first line if it is a number, yes or no; otherwise None."""
    line = (metrics.default_parse(text, example) or "").removesuffix(".")
    word = metrics.fold(line)
    return word if word in ("yes", "no") else line if parse_number(line) is not None else None


def half_unit(number: Decimal) -> Fraction:
    """Return half a unit of a number's last digit, or 0 if it has too few digits to count as rounded."""
    parts = number.as_tuple()
    return Fraction(10) ** int(parts.exponent) / 2 if len(parts.digits) >= DIGITS else Fraction(0)


def _right(answer: Answer, tolerance: Callable[[Decimal], Fraction]) -> float:
    """Return 1.0 if a reading of the answer equals the target to five decimals, or is within the tolerance."""
    target, number = parse_number(answer.target), parse_number(answer.parsed or "")
    if target is None or number is None:
        return metrics.accuracy.score(answer)
    readings = (1, 100) if RATE.search(answer.parsed or "") else (1,)
    return float(
        any(abs(Fraction(number) / r - Fraction(target)) <= max(HALF, tolerance(number) / r) for r in readings)
    )


FIVE_DECIMALS = Metric("numeric", "Right to five decimals", lambda answer: _right(answer, lambda number: Fraction(0)))
AS_ROUNDED = Metric("rounded", "Right as rounded, three digits or more", lambda answer: _right(answer, half_unit))
