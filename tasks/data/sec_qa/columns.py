"""The columns of an excerpt: fiscal years, a year before and after a restatement, quarters and half years, segments.

Figures are as printed, by the key of a line. Totals of each column are computed from its own parts, so that every column
adds up; a half year contains its second quarter, and segments add up to the total.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from tasks.data.sec_qa.filer import COST, EXPENSES, PRETAX, REVENUE, Filer, Number
from tasks.data.sec_qa.statements import INCOME_PER_SHARE, STATEMENTS, parts, printed_figure, retotalled
from tasks.data.sec_qa.voice import Voice

SEGMENT_LINES = (REVENUE, COST, "GrossProfit", *EXPENSES, "OperatingExpenses", "OperatingIncomeLoss")
INTERIM_LINES = (
    *SEGMENT_LINES,
    "InterestExpense",
    "InvestmentIncomeInterest",
    "OtherNonoperatingIncomeExpense",
    PRETAX,
    "IncomeTaxExpenseBenefit",
    "NetIncomeLoss",
)


@dataclass(frozen=True)
class Column:
    """A column: its head, the fiscal year, the figures as printed and what sets it apart ("year" if nothing does)."""

    header: str
    year: int
    figures: Mapping[str, Number]
    role: str = "year"


def fiscal_years(filer: Filer, statement: str, count: int) -> tuple[Column, ...]:
    """Return the last fiscal years of a statement, in the order of the filing."""
    columns = tuple(Column(str(year), year, _printed(filer, statement, year)) for year in filer.years[-count:])
    return columns[::-1] if filer.newest_first else columns


def restatement(rng: random.Random, filer: Filer, voice: Voice, statement: str) -> tuple[Column, ...]:
    """Return the last year, and the year before it as restated and as first reported."""
    last, before = filer.years[-1], filer.years[-2]
    true = _printed(filer, statement, before)
    base = int(true[REVENUE] if statement == "income" else true["InventoryNet"])
    shift = rng.choice((1, 1, -1)) * max(2, round(base * rng.uniform(0.005, 0.04)))
    if statement == "income":  # sales taken into the wrong year, with their cost and tax
        cost = round(shift * rng.uniform(0.3, 0.7))
        tax = round((shift - cost) * rng.uniform(0.18, 0.27))
        changes = {REVENUE: shift, COST: cost, "IncomeTaxExpenseBenefit": tax}
    else:
        changes = {"InventoryNet": shift, "RetainedEarningsAccumulatedDeficit": shift}
    first = {key: value + changes[key] if key in changes else value for key, value in true.items()}
    first = _per_share(retotalled(statement, first))
    heads = _heads(rng, voice)
    return _mixed(
        rng,
        (
            Column(str(last), last, _printed(filer, statement, last)),
            Column(heads["restated"].format(year=before), before, true, "restated"),
            Column(heads["reported"].format(year=before), before, first, "reported"),
        ),
    )


def interim(rng: random.Random, filer: Filer, voice: Voice) -> tuple[Column, ...]:
    """Return the second quarter and the half year of the last two years; a half year contains its quarter."""
    heads, columns = _heads(rng, voice), []
    for year in filer.years[-2:]:
        half = _shares(rng, _part(filer, year, INTERIM_LINES), 0.5)
        quarter = _shares(rng, half, 0.5)
        columns.append(Column(heads["half"].format(year=year), year, half, "half"))
        columns.append(Column(heads["quarter"].format(year=year), year, quarter, "quarter"))
    behind = rng.choice(("half", "quarter"))
    return tuple(sorted(columns, key=lambda column: (column.role == behind, -column.year)))


def segments(rng: random.Random, filer: Filer, voice: Voice) -> tuple[Column, ...]:
    """Return the two segments and the total of the last year."""
    year, names = filer.years[-1], rng.choice(voice.segments)
    whole = _part(filer, year, SEGMENT_LINES)
    first = _shares(rng, whole, rng.uniform(0.3, 0.7))
    second = {key: value - first[key] for key, value in whole.items()}
    total = Column(_heads(rng, voice)["total"], year, whole, "total")
    columns = (Column(names[0], year, first, "segment"), Column(names[1], year, second, "segment"))
    return (total, *columns) if rng.random() < 0.4 else (*columns, total)


def _per_share(figures: dict[str, Number]) -> dict[str, Number]:
    """Return figures whose earnings per share are computed anew from net income and shares, if they have these."""
    result = dict(figures)
    for key, shares in zip(INCOME_PER_SHARE[:2], INCOME_PER_SHARE[2:], strict=True):
        if key in result:
            result[key] = (Decimal(result["NetIncomeLoss"]) / result[shares]).quantize(Decimal("0.01"))
    return result


def _printed(filer: Filer, statement: str, year: int) -> dict[str, Number]:
    return {line.key: printed_figure(filer, line, year) for line in STATEMENTS[statement]}


def _heads(rng: random.Random, voice: Voice) -> dict[str, str]:
    return {role: rng.choice(texts) for role, texts in voice.headers.items()}


def _mixed(rng: random.Random, columns: tuple[Column, ...]) -> tuple[Column, ...]:
    """Return the columns with the last year first or last."""
    last, restated, reported = columns
    two = rng.choice(((restated, reported), (reported, restated)))
    return (last, *two) if rng.random() < 0.5 else (*two, last)


def _part(filer: Filer, year: int, keys: tuple[str, ...]) -> dict[str, Number]:
    return {key: value for key, value in _printed(filer, "income", year).items() if key in keys}


def _shares(rng: random.Random, whole: Mapping[str, Number], share: float) -> dict[str, int]:
    """Return about this share of each part of an income statement, with totals computed anew."""
    primitive = set(parts("income", "NetIncomeLoss"))
    drawn: dict[str, Number] = {}
    for key, value in whole.items():
        assert not isinstance(value, Decimal)
        drawn[key] = round(value * share * rng.uniform(0.85, 1.15)) if key in primitive else 0
    return {key: int(value) for key, value in retotalled("income", drawn).items()}
