"""Questions for changes: an amount, a percentage or a compound rate of a line, the lead of one line over another, growth without
an acquired business, and the change of a measure."""

from __future__ import annotations

import random
from dataclasses import replace
from decimal import Decimal, localcontext
from fractions import Fraction

from tasks.data.sec_qa.aliases import CHANGE_LINES
from tasks.data.sec_qa.columns import fiscal_years
from tasks.data.sec_qa.excerpt import draw
from tasks.data.sec_qa.filer import COST, REVENUE, Filer
from tasks.data.sec_qa.insurer import EARNED
from tasks.data.sec_qa.measures import describe, remark
from tasks.data.sec_qa.questions import Question, alias, fill, scaled, span
from tasks.data.sec_qa.ratios import AMOUNTS, EBIT, EVERY, POINTS, RECEIVABLES, RESEARCH, SELLING, decimal_text
from tasks.data.sec_qa.twins import columns_of
from tasks.data.sec_qa.voice import Voice

_LINES = tuple((statement, key) for statement, keys in CHANGE_LINES.items() for key in keys)
# The growth of the first is compared with that of the second.
_PAIRS = (
    (COST, REVENUE),
    (SELLING, REVENUE),
    (RESEARCH, REVENUE),
    (EBIT, REVENUE),
    ("InventoryNet", REVENUE),
    ("InventoryNet", COST),
    (RECEIVABLES, REVENUE),
    (REVENUE, "AssetsCurrent"),
)
_BOUGHT = (REVENUE, SELLING, COST)
SUBJECTS: tuple[tuple[str, str, str], ...] = (
    *(("amount", statement, key) for statement, key in _LINES[::2]),
    *(("percent", statement, key) for statement, key in _LINES[1::2]),
    *(("compound", statement, key) for statement, key in _LINES[::3]),
    *(("lead", first, second) for first, second in 2 * _PAIRS),
    *(("organic", "income", key) for key in 6 * _BOUGHT),
    *(("measure", "", ratio.name) for ratio in 5 * AMOUNTS),
    *(("points", "", ratio.name) for ratio in 2 * POINTS),
)


def change(rng: random.Random, filer: Filer, voice: Voice, subject: tuple[str, str, str]) -> Question | None:
    """Return a question for a change. The subject is (form, statement, line), or a measure for percentage points."""
    form, statement, key = subject
    if form in ("points", "measure"):
        return _measure(rng, filer, voice, form, key)
    if form == "lead":
        return _lead(rng, filer, voice, (statement, key))
    if form == "organic":
        return _organic(rng, filer, voice, key)
    if form == "compound":
        return _compound(rng, filer, voice, statement, key)
    kinds = ["years", "years", "years", "restatement"] + ["interim"] * (statement == "income")
    kind = "years" if statement not in ("income", "balance") else rng.choice(kinds)
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


def _lead(rng: random.Random, filer: Filer, voice: Voice, keys: tuple[str, str]) -> Question | None:
    """Return a question for the percentage points by which one line grew faster than another."""
    statement = "insurer selected" if keys[1] == EARNED else "selected"
    columns = fiscal_years(filer, statement, rng.choice((2, 2, 3)))
    excerpt = draw(rng, filer, voice, statement, columns, keys, rng.randint(4, 6))
    if excerpt is None:
        return None
    way = span(rng, voice, columns)
    growth = []
    for key in keys:
        before, after = (Fraction(excerpt.at(key, column)) for column in (way.first, way.last))
        if before <= 0 or not 0 < after < 2 * before:
            return None
        growth.append(100 * (after - before) / before)
    number = decimal_text(growth[0] - growth[1], 1)
    if number is None:
        return None
    template = rng.choice(voice.asks["lead"])
    first, second = (alias(rng, voice, key) for key in keys)
    text = fill(template, line=first, rival=second, span=way.words)
    heads = (way.first.header, way.last.header)
    return Question("change", "lead", excerpt, text, template, number, "points", keys, heads)


def _organic(rng: random.Random, filer: Filer, voice: Voice, key: str) -> Question | None:
    """Return a question for growth without an acquired business, whose part a remark states; another remark is beside the point."""
    columns = fiscal_years(filer, "income", 2)
    excerpt = draw(rng, filer, voice, "income", columns, (key,), rng.randint(4, 6))
    if excerpt is None:
        return None
    way = span(rng, voice, columns)
    before, after = (int(excerpt.at(key, column)) for column in (way.first, way.last))
    bought = max(1, round(after * rng.uniform(0.02, 0.15)))
    number = decimal_text(Fraction(100 * (after - bought - before), before), 1)
    if number is None or not 0 < after < 2 * before:
        return None
    remarks = [remark(rng.choice(voice.purchases), excerpt.label(key), way.last.year, bought)]
    if key != REVENUE and rng.random() < 0.7:
        decoy = max(1, round(bought * rng.uniform(0.4, 1.6)))
        remarks.append(remark(rng.choice(voice.matters)[0], excerpt.label(key), way.first.year, decoy))
        rng.shuffle(remarks)
    template = rng.choice(voice.asks["organic"])
    text = fill(template, line=alias(rng, voice, key), span=way.words)
    heads = (way.first.header, way.last.header)
    excerpt = replace(excerpt, notes=tuple(remarks))
    return Question("change", "organic", excerpt, text, template, f"{number}%", "percent", (key,), heads)


def _measure(rng: random.Random, filer: Filer, voice: Voice, form: str, name: str) -> Question | None:
    """Return a question for the change of a measure: of a share in percentage points, of an amount in the filing's unit."""
    ratio = EVERY[name]
    columns = fiscal_years(filer, ratio.statement, rng.choice((2, 2, 3)))
    excerpt = draw(rng, filer, voice, ratio.statement, columns, ratio.lines, rng.randint(4, 5), rivals=ratio.rivals)
    if excerpt is None:
        return None
    way = span(rng, voice, columns)
    figures = [[Fraction(excerpt.at(key, column)) for key in ratio.lines] for column in (way.first, way.last)]
    if any(figure <= 0 for row in figures for figure in row):
        return None
    number = decimal_text(ratio.value(*figures[1]) - ratio.value(*figures[0]), int(form == "points"))
    if number is None:
        return None
    words = describe(rng, voice, ratio)
    template = rng.choice(voice.asks["points" if form == "points" else "amount"])
    text = fill(template, ratio=words, line=words, span=way.words)
    heads = (way.first.header, way.last.header)
    unit = "points" if form == "points" else filer.unit
    return Question("change", form, excerpt, text, template, number, unit, ratio.lines, heads)
