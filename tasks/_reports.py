"""What tasks over pages of reports share: how text and table are shown, how answers are read. Not a task itself.

A table's row is a line, `Revenue | 4.2 | 3.9`. Answers are numbers, or yes and no. In FinQA and its kin most ratios are
fractions (0.145), a few percentages (14.5), and the question does not tell which: `14.5%` is read as either, a plain
`14.5` as itself only.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from fractions import Fraction

from harness import Answer, Example, Metric, metrics, parse_number, published

FILING = re.compile(r"(?:Single_|Double_)?([^/]+/[0-9]{4})/[^/]+")
RATE = re.compile(r"%|cent|pct|pp|bps?|basis", re.IGNORECASE)  # what may stand behind a number that is a rate
HALF = Fraction(5, 10**6)  # of the fifth decimal, to which FinQA's evaluation rounds
DIGITS = 3  # so many digits a rounded answer needs
ASKED = "Answer with yes, no, or a number; write a ratio as a decimal fraction."


def text_of(sentences: Iterable[str]) -> str:
    """Return sentences as one text, those without a letter or digit left out."""
    return " ".join(" ".join(s.split()) for s in sentences if any(map(str.isalnum, s)))


def table_of(rows: Iterable[Sequence[object]]) -> str:
    """Return a table with a line for each row that is not empty, cells parted by bars."""
    cells = ([" ".join(str(cell).split()) for cell in row] for row in rows)
    return "\n".join(" | ".join(row).strip() for row in cells if any(row))


def page_of(*parts: str) -> str:
    """Return the parts of a page with a blank line between, empty ones left out."""
    return "\n\n".join(filter(None, parts))


def finqa_page(cells: published.Cells) -> str:
    """Return what FinQA and ConvFinQA show: the text before the table, the table, the text behind it."""
    return page_of(text_of(cells["pre_text"]), table_of(cells["table"]), text_of(cells["post_text"]))


def filing_of(id: str) -> str:
    """Return the filing of a FinQA id: `MRO/2007` of `Single_MRO/2007/page_134.pdf-1`."""
    found = FILING.fullmatch(id)
    if found is None:
        raise ValueError(f"no filing in the id {id!r}")
    return found[1]


def shown(value: object) -> str:
    """Return a value of a JSON file as an answer: numbers without exponent and closing zeros, text on one line."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"an answer is a number or text, not {value!r}")
    if isinstance(value, str):
        return " ".join(value.split())
    number = format(Decimal(str(value)), "f")
    return number.rstrip("0").rstrip(".") if "." in number else number


def parse(text: str, example: Example) -> str | None:
    """Return the first line where it is a number, or yes or no; None where it is anything else."""
    line = (metrics.default_parse(text, example) or "").removesuffix(".")
    word = metrics.fold(line)
    return word if word in ("yes", "no") else line if parse_number(line) is not None else None


def half_unit(said: Decimal) -> Fraction:
    """Return half a unit of a number's last digit, 0 where it has too few digits to count as rounded."""
    parts = said.as_tuple()
    return Fraction(10) ** int(parts.exponent) / 2 if len(parts.digits) >= DIGITS else Fraction(0)


def _right(answer: Answer, allowed: Callable[[Decimal], Fraction]) -> float:
    """Return 1.0 where a reading of the answer is the target to five decimals, or within what is allowed."""
    target, said = parse_number(answer.target), parse_number(answer.parsed or "")
    if target is None or said is None:
        return metrics.accuracy.score(answer)
    readings = (1, 100) if RATE.search(answer.parsed or "") else (1,)
    return float(any(abs(Fraction(said) / r - Fraction(target)) <= max(HALF, allowed(said) / r) for r in readings))


FIVE_DECIMALS = Metric("numeric", "Right to five decimals", lambda answer: _right(answer, lambda said: Fraction(0)))
AS_ROUNDED = Metric("rounded", "Right as rounded, three digits or more", lambda answer: _right(answer, half_unit))
