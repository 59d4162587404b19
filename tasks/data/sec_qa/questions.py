"""A question with its answer, the words that name lines, columns and spans in it, and the plain lookups.

Every function for a kind of question takes a subject and returns a question about it, or None if this filing allows none: it
lacks the line, the excerpt allows two answers, or the prompt would be too long.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from tasks.data.sec_qa.columns import Column, fiscal_years
from tasks.data.sec_qa.excerpt import Excerpt, draw
from tasks.data.sec_qa.filer import CASH_CHANGE, PRETAX, Filer, Number
from tasks.data.sec_qa.statements import DAYS, ELEMENTS, STATEMENTS, figure_text
from tasks.data.sec_qa.voice import Voice

LONGEST = 690
TOO_LONG = (CASH_CHANGE, PRETAX)  # element names of more than 90 characters
PER_SHARE = ("EarningsPerShareBasic", "EarningsPerShareDiluted")

# Statement and line of every tag in the questions.
TAG_SUBJECTS: tuple[tuple[str, str], ...] = tuple(
    (statement, line.key)
    for statement in ("income", "balance", "cash flow")
    for line in STATEMENTS[statement]
    if line.key not in (*ELEMENTS, *TOO_LONG) and (statement, line.key) != ("cash flow", "NetIncomeLoss")
)


@dataclass(frozen=True)
class Question:
    """A question with its answer.

    `form` is a finer kind, `unit` that of the answer. `keys` are the lines and `columns` the heads of the columns that the
    answer needs.
    """

    kind: str
    form: str
    excerpt: Excerpt
    question: str
    template: str
    answer: str
    unit: str
    keys: tuple[str, ...]
    columns: tuple[str, ...]

    @property
    def operands(self) -> tuple[str, ...]:
        """Return the figures that the answer needs, in order of size."""
        columns = [column for column in self.excerpt.columns if column.header in self.columns]
        return tuple(sorted(str(self.excerpt.at(key, column)) for key in self.keys for column in columns))

    @property
    def fits(self) -> bool:
        """Return whether the rendered prompt is short enough."""
        return len(self.excerpt.text) + len(self.question) + len("\n\n\nAnswer:") <= LONGEST


def lookup(rng: random.Random, filer: Filer, voice: Voice, subject: tuple[str, int]) -> Question | None:
    """Return a question for one figure by its printed line and year. The subject is a statement and a number of years."""
    statement, count = subject
    key = rng.choice(STATEMENTS[statement]).key
    columns = fiscal_years(filer, statement, min(count, 2) if statement in DAYS else count)
    excerpt = draw(rng, filer, voice, statement, columns, (key,), rng.randint(6, 8))
    if excerpt is None or len({excerpt.at(key, column) for column in columns}) < len(columns):
        return None  # with the same figure in two columns the year would not matter
    column = rng.choice(columns)
    template = rng.choice(voice.asks["lookup"])
    text = fill(template, line=_printed_line(rng, excerpt.label(key)), year=column.year)
    answer = figure_text(excerpt.at(key, column))
    return Question("lookup", "lookup", excerpt, text, template, answer, unit_of(filer, key), (key,), (column.header,))


def tag(rng: random.Random, filer: Filer, voice: Voice, subject: tuple[str, str]) -> Question | None:
    """Return a question for the element of one line. The subject is a statement and a line."""
    statement, key = subject
    excerpt = draw(rng, filer, voice, statement, fiscal_years(filer, statement, 2), (key,), rng.randint(3, 5))
    if excerpt is None:
        return None
    template = rng.choice(voice.asks["tag"])
    text = fill(template, line=_printed_line(rng, excerpt.label(key)))
    return Question("tag", "tag", excerpt, text, template, f"us-gaap:{key}", "element", (key,), ())


def _printed_line(rng: random.Random, label: str) -> str:
    """Return a line item for a question: in quotes as printed, or in the running text without its capital."""
    return f'"{label}"' if rng.random() < 0.5 else label[0].lower() + label[1:]


def fill(template: str, **values: object) -> str:
    """Return a filled template with a capital at its beginning."""
    text = template.format(**values)
    return text[0].upper() + text[1:]


def alias(rng: random.Random, voice: Voice, key: str) -> str:
    """Return a reader's word for a line."""
    return rng.choice(voice.aliases[key])


def moment(rng: random.Random, voice: Voice, excerpt: Excerpt, column: Column, key: str, *, day: bool) -> str:
    """Return a reader's word for a column: its year, its place among the years, a line that peaks in it, or what sets it apart.

    `key` is the line that the question is about: it may not tell its own column.
    """
    role, texts, columns = column.role, voice.moments["at" if day else "in"], excerpt.columns
    years = sorted({other.year for other in columns})
    if role == "year" and len(years) == len(columns) and rng.random() < 0.65:
        role = {years[-1]: "latest", years[0]: "earliest"}.get(column.year, "middle")
        if (peak := _peak(rng, voice, excerpt, column, key)) and rng.random() < 0.55:
            role, line = peak
            return rng.choice(texts[role]).format(line=alias(rng, voice, line))
    return rng.choice(texts[role]).format(year=column.year, name=column.header)


def _peak(rng: random.Random, voice: Voice, excerpt: Excerpt, column: Column, key: str) -> tuple[str, str] | None:
    """Return a line that is positive and alone at its highest or lowest in the column, with which; None if there is none."""
    candidates = []
    for line in excerpt.keys:
        figures = [excerpt.at(line, other) for other in excerpt.columns]
        if line != key and line in voice.aliases and len(set(figures)) == len(figures) and min(figures) > 0:
            own = excerpt.at(line, column)
            candidates += [(role, line) for role, end in (("highest", max), ("lowest", min)) if own == end(figures)]
    return rng.choice(candidates) if candidates else None


@dataclass(frozen=True)
class Span:
    """Two columns, earlier first, and a reader's word for the way from one to the other."""

    first: Column
    last: Column
    words: str


def span(rng: random.Random, voice: Voice, columns: Sequence[Column]) -> Span:
    """Return a random span between two comparable columns: years, quarters, half years, or the sides of a restatement."""
    texts = voice.spans
    by_role: Mapping[str, list[Column]] = {
        role: sorted((column for column in columns if column.role == role), key=lambda column: column.year)
        for role in ("year", "quarter", "half", "restated", "reported")
    }
    if by_role["reported"]:
        first, last, name = by_role["reported"][0], by_role["restated"][0], "sides"
    elif by_role["quarter"]:
        role = rng.choice(("quarter", "half"))
        (first, last), name = by_role[role], {"quarter": "quarters", "half": "halves"}[role]
    else:
        years = by_role["year"]
        name = rng.choice(("years", "years", "latest", "whole"))
        start = rng.randrange(len(years) - 1) if name == "years" else len(years) - 2 if name == "latest" else 0
        first, last = years[start], years[start + 1] if name == "years" else years[-1]
    return Span(first, last, rng.choice(texts[name]).format(first=first.year, last=last.year, year=first.year))


def unit_of(filer: Filer, key: str) -> str:
    """Return the unit of a line's figures: that of the filing, or dollars per share."""
    return "per share" if key in PER_SHARE else filer.unit


def scaled(rng: random.Random, voice: Voice, filer: Filer, value: Number) -> tuple[str, str, str]:
    """Return an amount as text, its unit and a request for the unit: now and then a smaller one than the filing's."""
    if isinstance(value, Decimal) or rng.random() < 0.7:
        return figure_text(value), filer.unit, ""
    unit = {"thousands": "dollars", "millions": "thousands"}[filer.unit]
    return figure_text(value * 1000), unit, " " + rng.choice(voice.units[unit])
