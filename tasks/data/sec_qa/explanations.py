"""Questions for the line that explains a movement: the item that did most to raise or to lower a total."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from fractions import Fraction

from tasks.data.sec_qa.columns import Column, fiscal_years, interim
from tasks.data.sec_qa.excerpt import draw, lines
from tasks.data.sec_qa.filer import CASH, COST, PRETAX, RESTRICTED, REVENUE, Filer
from tasks.data.sec_qa.questions import Question, alias, fill, moment, span
from tasks.data.sec_qa.statements import ELEMENTS, EQUITY_BEGINNING, EQUITY_END, INCOME_PER_SHARE, parts
from tasks.data.sec_qa.voice import Voice

CFO = "NetCashProvidedByUsedInOperatingActivities"
FINANCING = "NetCashProvidedByUsedInFinancingActivities"
# Lines beside the parts of a total that could be taken for an answer, or have another unit.
UNFIT = ("GrossProfit", "OperatingExpenses", *INCOME_PER_SHARE, *ELEMENTS)
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
    *3 * (("moved", "income", PRETAX),),
    ("moved", "income", "NetIncomeLoss"),
    *4 * (("moved", "balance", "AssetsCurrent"),),
    *4 * (("moved", "balance", "LiabilitiesCurrent"),),
    *2 * (("moved", "balance", "StockholdersEquity"),),
    *4 * (("moved", "cash flow", CFO),),
    *2 * (("moved", "cash flow", FINANCING),),
    *3 * (("largest", "cash flow", CFO),),
    *2 * (("largest", "cash flow", FINANCING),),
    *2 * (("largest", "equity", EQUITY_END),),
)


def explain(rng: random.Random, filer: Filer, voice: Voice, subject: tuple[str, str, str]) -> Question | None:
    """Return a question for the line that did most to raise or to lower a total. The subject is (form, statement, total)."""
    form, statement, total = subject
    if form == "moved" and statement == "income" and rng.random() < 0.25:
        columns = interim(rng, filer, voice)
    else:
        columns = fiscal_years(filer, statement, rng.choice((2, 2, 3)))
    signs = parts(statement, total)
    visible = [key for key in lines(columns, statement) if key in signs]
    if len(visible) < 3:
        return None
    scope = "income" if statement == "income" else total
    barred = BARRED[scope] if scope in voice.aside and rng.random() < 0.6 else ()
    way = span(rng, voice, columns) if form == "moved" else None
    chosen = (way.first, way.last) if way else (rng.choice(columns),)
    effects = contributions({key: signs[key] for key in visible if key != EQUITY_BEGINNING}, chosen)
    direction = rng.choice(("up", "down")) if way else "down"
    answer = driver({key: value for key, value in effects.items() if key not in barred}, up=direction == "up")
    if answer is None:
        return None
    foreign = strangers(rng, statement, set(visible), chosen, effects[answer])
    excerpt = draw(rng, filer, voice, statement, columns, [*visible, *foreign], 0)
    if excerpt is None:
        return None
    name = "StockholdersEquity" if total == EQUITY_END else total
    blanks = {"did": rng.choice(voice.directions[direction]), "total": alias(rng, voice, name)}
    blanks |= {"span": way.words} if way else {"when": moment(rng, voice, excerpt, chosen[0], total, day=False)}
    template = rng.choice(voice.asks[form])
    text = fill(template, **blanks) + (rng.choice(voice.aside[scope]) if barred else "")
    heads = tuple(column.header for column in chosen)
    return Question("explain", form, excerpt, text, template, excerpt.label(answer), "text", (answer,), heads)


def contributions(signs: Mapping[str, int], columns: Sequence[Column]) -> dict[str, Fraction]:
    """Return what each part adds to the total: its change between two columns, or its figure in one."""
    result = {}
    for key, sign in signs.items():
        figures = [Fraction(column.figures[key]) for column in columns]
        result[key] = sign * (figures[1] - figures[0] if len(figures) > 1 else figures[0])
    return result


def strangers(
    rng: random.Random, statement: str, parts_of_total: set[str], columns: Sequence[Column], gain: Fraction
) -> list[str]:
    """Return up to three lines of the statement that are no part of the total, mostly such that moved more than the answer."""
    keys = [key for key in lines(columns, statement) if key not in parts_of_total and key not in UNFIT]
    moves = contributions(dict.fromkeys(keys, 1), columns)
    larger = [key for key in keys if abs(moves[key]) > abs(gain)]
    rng.shuffle(larger)
    others = [key for key in keys if key not in larger]
    rng.shuffle(others)
    return [*larger[: rng.randint(1, 2)], *others[:1]]


def driver(effects: dict[str, Fraction], *, up: bool) -> str | None:
    """Return the part with the largest effect in a direction; None if fewer than two have one, or if it hardly leads."""
    ranking = sorted(((value if up else -value), key) for key, value in effects.items())
    if len(ranking) < 2 or ranking[-2][0] <= 0 or ranking[-1][0] < LEAD * ranking[-2][0]:
        return None
    return ranking[-1][1]
