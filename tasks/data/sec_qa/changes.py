"""Questions for changes: an amount, a percentage, a compound rate, percentage points of a measure."""

from __future__ import annotations

import random
from decimal import Decimal, localcontext
from fractions import Fraction

from tasks.data.sec_qa.aliases import CHANGE_LINES
from tasks.data.sec_qa.columns import fiscal_years
from tasks.data.sec_qa.excerpt import draw
from tasks.data.sec_qa.filer import Filer
from tasks.data.sec_qa.measures import describe
from tasks.data.sec_qa.questions import Question, alias, fill, scaled, span
from tasks.data.sec_qa.ratios import POINTS, decimal_text
from tasks.data.sec_qa.twins import columns_of
from tasks.data.sec_qa.voice import Voice

_LINES = tuple((statement, key) for statement, keys in CHANGE_LINES.items() for key in keys)
SUBJECTS: tuple[tuple[str, str, str], ...] = (
    *(("amount", statement, key) for statement, key in 2 * _LINES),
    *(("percent", statement, key) for statement, key in 2 * _LINES),
    *(("compound", statement, key) for statement, key in _LINES[::2]),
    *(("points", "", ratio.name) for ratio in POINTS),
)


def change(rng: random.Random, filer: Filer, voice: Voice, subject: tuple[str, str, str]) -> Question | None:
    """Return a question for a change. The subject is (form, statement, line), or a measure for percentage points."""
    form, statement, key = subject
    if form == "points":
        return _points(rng, filer, voice, key)
    if form == "compound":
        return _compound(rng, filer, voice, statement, key)
    kinds = ["years", "years", "years", "restatement"] + ["interim"] * (statement == "income")
    kind = "years" if statement == "cash flow" else rng.choice(kinds)
    columns = columns_of(rng, filer, voice, kind, statement)
    assert columns is not None
    excerpt = draw(rng, filer, voice, statement, columns, (key,), rng.randint(4, 6))
    if excerpt is None:
        return None
    way = span(rng, voice, columns)
    before, after = (Fraction(excerpt.at(key, column)) for column in (way.first, way.last))
    if before == after:
        return None
    if form == "amount":
        answer, unit, request = scaled(rng, voice, filer, int(after - before))
        answer = answer.replace("(", "-").rstrip(")")
    else:
        number = decimal_text(100 * (after - before) / before, 1) if before > 0 and 0 < after < 2 * before else None
        if number is None:
            return None
        answer, unit, request = f"{number}%", "percent", ""
    template = rng.choice(voice.asks[form])
    text = fill(template, line=alias(rng, voice, key), span=way.words) + request
    heads = (way.first.header, way.last.header)
    return Question("change", form, excerpt, text, template, answer, unit, (key,), heads)


def _compound(rng: random.Random, filer: Filer, voice: Voice, statement: str, key: str) -> Question | None:
    columns = fiscal_years(filer, statement, 3)
    excerpt = draw(rng, filer, voice, statement, columns, (key,), rng.randint(4, 5))
    if excerpt is None:
        return None
    first, _, last = sorted(columns, key=lambda column: column.year)
    before, after = excerpt.at(key, first), excerpt.at(key, last)
    if before <= 0 or after <= 0 or after == before:
        return None
    with localcontext(prec=40):
        rate = Fraction((Decimal(after) / Decimal(before)).sqrt() - 1)
    number = decimal_text(100 * rate, 1)
    if number is None:
        return None
    template = rng.choice(voice.asks["compound"])
    text = fill(template, line=alias(rng, voice, key))
    heads = (first.header, last.header)
    return Question("change", "compound", excerpt, text, template, f"{number}%", "percent", (key,), heads)


def _points(rng: random.Random, filer: Filer, voice: Voice, name: str) -> Question | None:
    ratio = next(ratio for ratio in POINTS if ratio.name == name)
    columns = fiscal_years(filer, ratio.statement, rng.choice((2, 2, 3)))
    excerpt = draw(rng, filer, voice, ratio.statement, columns, ratio.lines, rng.randint(4, 5), rivals=ratio.rivals)
    if excerpt is None:
        return None
    way = span(rng, voice, columns)
    figures = [[Fraction(excerpt.at(key, column)) for key in ratio.lines] for column in (way.first, way.last)]
    if any(figure <= 0 for row in figures for figure in row):
        return None
    number = decimal_text(ratio.value(*figures[1]) - ratio.value(*figures[0]), 1)
    if number is None:
        return None
    template = rng.choice(voice.asks["points"])
    text = fill(template, ratio=describe(rng, voice, ratio), span=way.words)
    heads = (way.first.header, way.last.header)
    return Question("change", "points", excerpt, text, template, number, "points", ratio.lines, heads)
