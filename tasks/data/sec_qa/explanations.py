"""Questions for the line that explains a movement: the item that did most to raise or to lower a total."""

from __future__ import annotations

import random
from fractions import Fraction

from tasks.data.sec_qa.columns import fiscal_years
from tasks.data.sec_qa.excerpt import Excerpt, draw, lines
from tasks.data.sec_qa.filer import CASH, COST, PRETAX, RESTRICTED, REVENUE, Filer
from tasks.data.sec_qa.questions import Question, alias, fill, moment, span
from tasks.data.sec_qa.statements import EQUITY_BEGINNING, EQUITY_END, parts
from tasks.data.sec_qa.twins import columns_of
from tasks.data.sec_qa.voice import Voice

CFO = "NetCashProvidedByUsedInOperatingActivities"
FINANCING = "NetCashProvidedByUsedInFinancingActivities"
LEAD = Fraction(11, 10)  # the answer's part is at least this multiple of the next
BARRED = {  # the lines that a question leaves aside, by total
    "income": (REVENUE, COST),
    "AssetsCurrent": (CASH, RESTRICTED, "ShortTermInvestments"),
    CFO: ("NetIncomeLoss",),
    "StockholdersEquity": ("RetainedEarningsAccumulatedDeficit",),
}
# (form, statement, total): a movement between two columns, or the largest entry of one column.
SUBJECTS: tuple[tuple[str, str, str], ...] = (
    *4 * (("moved", "income", "OperatingIncomeLoss"),),
    *2 * (("moved", "income", PRETAX),),
    *2 * (("moved", "income", "NetIncomeLoss"),),
    *4 * (("moved", "balance", "AssetsCurrent"),),
    *4 * (("moved", "balance", "LiabilitiesCurrent"),),
    *2 * (("moved", "balance", "StockholdersEquity"),),
    *4 * (("moved", "cash flow", CFO),),
    *2 * (("moved", "cash flow", FINANCING),),
    *3 * (("largest", "cash flow", CFO),),
    *2 * (("largest", "cash flow", FINANCING),),
    *3 * (("largest", "equity", EQUITY_END),),
)


def explain(rng: random.Random, filer: Filer, voice: Voice, subject: tuple[str, str, str]) -> Question | None:
    """Return a question for the line that did most to raise or to lower a total. The subject is (form, statement, total)."""
    form, statement, total = subject
    by_quarter = form == "moved" and statement == "income" and rng.random() < 0.25
    columns = fiscal_years(filer, statement, rng.choice((2, 2, 3)))
    if by_quarter:
        columns = columns_of(rng, filer, voice, "interim", statement) or columns
    signs = parts(statement, total)
    visible = [key for key in lines(columns, statement) if key in signs]
    if len(visible) < 3:
        return None
    excerpt = draw(rng, filer, voice, statement, columns, visible, len(visible) + rng.randint(0, 2))
    if excerpt is None:
        return None
    scope = "income" if statement == "income" else total
    apart = scope in voice.aside and rng.random() < 0.6
    words = voice.directions
    name = "StockholdersEquity" if total == EQUITY_END else total
    heads: tuple[str, ...]
    if form == "moved":
        way = span(rng, voice, columns)
        heads = (way.first.header, way.last.header)
        blank = {"span": way.words}
    else:
        column = rng.choice(columns)
        heads = (column.header,)
        blank = {"when": moment(rng, voice, columns, column, day=False)}
    effects = contributions(excerpt, signs, heads)
    barred = BARRED[scope] if apart else ()
    direction = rng.choice(("up", "down")) if form == "moved" else "down"
    answer = driver({key: value for key, value in effects.items() if key not in barred}, up=direction == "up")
    if answer is None:
        return None
    template = rng.choice(voice.asks[form])
    text = fill(template, did=rng.choice(words[direction]), total=alias(rng, voice, name), **blank)
    text += rng.choice(voice.aside[scope]) if apart else ""
    label = excerpt.label(answer)
    return Question("explain", form, excerpt, text, template, label, "text", (answer,), heads)


def contributions(excerpt: Excerpt, signs: dict[str, int], heads: tuple[str, ...]) -> dict[str, Fraction]:
    """Return what each shown part adds to the total: its change between two columns, or its figure in one."""
    columns = [next(column for column in excerpt.columns if column.header == head) for head in heads]
    result = {}
    for key in excerpt.keys:
        if key in signs and key != EQUITY_BEGINNING:
            figures = [Fraction(excerpt.at(key, column)) for column in columns]
            result[key] = signs[key] * (figures[1] - figures[0] if len(figures) > 1 else figures[0])
    return result


def driver(effects: dict[str, Fraction], *, up: bool) -> str | None:
    """Return the part with the largest effect in a direction; None if fewer than two have one, or if it hardly leads."""
    ranking = sorted(((value if up else -value), key) for key, value in effects.items())
    if len(ranking) < 2 or ranking[-2][0] <= 0 or ranking[-1][0] < LEAD * ranking[-2][0]:
        return None
    return ranking[-1][1]
