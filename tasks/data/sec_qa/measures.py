"""Questions for a number that is nowhere printed: a measure, a first quarter, a result without a one-off item."""

from __future__ import annotations

import random
from dataclasses import replace
from fractions import Fraction

from tasks.data.sec_qa.aliases import ALIASES
from tasks.data.sec_qa.columns import INTERIM_LINES, Column, fiscal_years, interim
from tasks.data.sec_qa.excerpt import Excerpt, draw
from tasks.data.sec_qa.filer import COST, PRETAX, Filer
from tasks.data.sec_qa.questions import Question, alias, fill, moment
from tasks.data.sec_qa.ratios import EVERY, RATIOS, Ratio, decimal_text
from tasks.data.sec_qa.statements import BALANCE, INSURER_BALANCE, figure_text
from tasks.data.sec_qa.voice import Voice

DECIMALS = {"percent": 1, "times": 2, "days": 1, "amount": 0}
_STOCKS = frozenset(line.key for line in (*BALANCE, *INSURER_BALANCE))
_ADJUSTED = ("OperatingIncomeLoss", PRETAX, "itself")
_ALTERED = (COST, "SellingGeneralAndAdministrativeExpense")
SUBJECTS: tuple[tuple[str, str], ...] = (
    *(("ratio", ratio.name) for ratio in 2 * RATIOS),
    *(("first quarter", key) for key in INTERIM_LINES if key in ALIASES),
    *(("adjusted", key) for key in 5 * _ADJUSTED),
)


def computed(rng: random.Random, filer: Filer, voice: Voice, subject: tuple[str, str]) -> Question | None:
    """Return a question for a number to work out. The subject is a form with a measure or a line."""
    form, name = subject
    if form == "ratio":
        return _ratio(rng, filer, voice, EVERY[name])
    return _first_quarter(rng, filer, voice, name) if form == "first quarter" else _adjusted(rng, filer, voice, name)


def describe(rng: random.Random, voice: Voice, ratio: Ratio) -> str:
    """Return a measure by its name, or as often in words."""
    return rng.choice(voice.measures[ratio.name])


def measure(ratio: Ratio, excerpt: Excerpt, column: Column, before: Column | None) -> Fraction | None:
    """Return the measure in a column, averaging with the column of the year before; None if it means nothing."""
    figures = []
    for key in ratio.lines:
        figure = Fraction(excerpt.at(key, column))
        if key in ratio.averaged:
            assert before is not None
            figure = (figure + Fraction(excerpt.at(key, before))) / 2
        if figure <= 0:
            return None
        figures.append(figure)
    return ratio.value(*figures)


def _ratio(rng: random.Random, filer: Filer, voice: Voice, ratio: Ratio) -> Question | None:
    columns = fiscal_years(filer, ratio.statement, rng.choice((2, 2, 3)))
    excerpt = draw(rng, filer, voice, ratio.statement, columns, ratio.lines, rng.randint(4, 6), rivals=ratio.rivals)
    if excerpt is None:
        return None
    by_year = {column.year: column for column in columns}
    usable = [column for column in columns if not ratio.averaged or column.year - 1 in by_year]
    column = rng.choice(usable)
    before = by_year.get(column.year - 1) if ratio.averaged else None
    value = measure(ratio, excerpt, column, before)
    number = decimal_text(value, DECIMALS[ratio.unit]) if value is not None and abs(value) < 10**7 else None
    if number is None:
        return None
    template = rng.choice(voice.asks["ratio"])
    day = set(ratio.lines) <= _STOCKS
    words = moment(rng, voice, excerpt, column, "", day=day)
    text = fill(template, ratio=describe(rng, voice, ratio), when=words, form=voice.forms[ratio.unit])
    heads = (column.header, before.header) if before else (column.header,)
    answer = f"{number}%" if ratio.unit == "percent" else number
    unit = filer.unit if ratio.unit == "amount" else ratio.unit
    return Question("computed", ratio.name, excerpt, text, template, answer, unit, ratio.lines, heads)


def _first_quarter(rng: random.Random, filer: Filer, voice: Voice, key: str) -> Question | None:
    columns = interim(rng, filer, voice)
    excerpt = draw(rng, filer, voice, "income", columns, (key,), rng.randint(3, 5))
    if excerpt is None:
        return None
    year = rng.choice(columns).year
    half, quarter = (next(c for c in columns if c.year == year and c.role == role) for role in ("half", "quarter"))
    value = int(excerpt.at(key, half) - excerpt.at(key, quarter))
    if value <= 0:
        return None
    template = rng.choice(voice.asks["first quarter"])
    text = fill(template, line=alias(rng, voice, key), year=year)
    heads = (half.header, quarter.header)
    return Question("computed", "first quarter", excerpt, text, template, str(value), filer.unit, (key,), heads)


def _adjusted(rng: random.Random, filer: Filer, voice: Voice, target: str) -> Question | None:
    """Return a question for a result without a one-off item that a remark names; another remark may stand beside it."""
    columns = fiscal_years(filer, "income", 2)
    line = rng.choice(_ALTERED)
    key = line if target == "itself" else target
    excerpt = draw(rng, filer, voice, "income", columns, (line, key), rng.randint(4, 6))
    if excerpt is None:
        return None
    column = rng.choice(columns)
    matter, decoy_matter = rng.sample(voice.matters, 2)
    amount = max(1, round(int(excerpt.at(line, column)) * rng.uniform(0.02, 0.2)))
    remarks = [remark(matter[0], excerpt.label(line), column.year, amount)]
    if rng.random() < 0.6:
        decoy = max(1, round(amount * rng.uniform(0.4, 1.6)))
        remarks.append(remark(decoy_matter[0], excerpt.label(line), rng.choice(columns).year, decoy))
        rng.shuffle(remarks)
    effect = matter[2] * (-1 if key == line else 1)
    value = int(excerpt.at(key, column)) + effect * amount
    template = rng.choice(voice.asks["adjusted"])
    words = moment(rng, voice, excerpt, column, key, day=False)
    text = fill(template, line=alias(rng, voice, key), when=words, matter=matter[1])
    excerpt = replace(excerpt, notes=tuple(remarks))
    keys = (key,) if key == line else (key, line)
    return Question("computed", "adjusted", excerpt, text, template, str(value), filer.unit, keys, (column.header,))


def remark(template: str, label: str, year: int, amount: int) -> str:
    """Return a remark below the table about an amount within a line."""
    label = label if template.startswith("{label}") else label[0].lower() + label[1:]
    return template.format(label=label, year=year, amount=figure_text(amount))
