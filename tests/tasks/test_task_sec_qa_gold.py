"""Promises of `sec_qa`'s gold answers: statements that add up, and every answer found again from the text alone."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from functools import cache
from typing import Any

from harness.metrics.expression import parse_expression
from harness.record import SPLITS
from tasks.data.sec_qa import make
from tasks.data.sec_qa.filer import Filer
from tasks.data.sec_qa.questions import Question
from tasks.data.sec_qa.statements import IDENTITIES
from tests.support.sec_qa_reader import (
    LINES,
    OUTFLOWS,
    RATIOS,
    Row,
    asked_line,
    asked_ratio,
    asked_years,
    of_kind,
    read_number,
    read_table,
    recognise,
    recognised,
    rows,
)


@cache
def filings() -> list[tuple[str, Filer, list[Question]]]:
    return list(make.filings())


def test_no_two_splits_compute_with_the_same_figures() -> None:
    def operands(row: Row) -> object:
        table, years = read_table(row["context"]), sorted(set(asked_years(row)))
        if asked_ratio(row) is None:
            return tuple(sorted(table[asked_line(row)][year] for year in years))
        return tuple(sorted(recognised(row, years[0]).get(tag, Fraction(0)) for tag in row["tags"]))

    train, validation, test = ({operands(row) for row in of_kind("computed", split)} for split in SPLITS)
    assert not train & test
    assert not validation & (train | test)


def test_the_statements_of_every_filer_add_up_and_tie_to_each_other() -> None:
    assert len(filings()) == sum(len({row["filing"] for row in rows(split)}) for split in SPLITS)
    for _, filer, _ in filings():
        v: Any = filer.values
        cash = v["CashAndCashEquivalentsAtCarryingValue"]
        for year in (filer.years[0] - 1, *filer.years):
            assert v["Assets"][year] == v["Liabilities"][year] + v["StockholdersEquity"][year]
            assert cash[year] > 0
        for year in filer.years:
            last = year - 1
            assert v["GrossProfit"][year] == v["Revenues"][year] - v["CostOfRevenue"][year]
            retained = v["RetainedEarningsAccumulatedDeficit"]
            assert retained[year] - retained[last] == v["NetIncomeLoss"][year] - v["PaymentsOfDividends"][year]
            flows = [
                v[f"NetCashProvidedByUsedIn{name}Activities"][year] for name in ("Operating", "Investing", "Financing")
            ]
            assert cash[year] - cash[last] == sum(flows)
            debt = {y: v["LongTermDebtCurrent"][y] + v["LongTermDebtNoncurrent"][y] for y in (last, year)}
            borrowed = v["ProceedsFromIssuanceOfLongTermDebt"][year] - v["RepaymentsOfLongTermDebt"][year]
            assert debt[year] - debt[last] == borrowed
            for name, balance in (
                ("AccountsReceivable", "AccountsReceivableNetCurrent"),
                ("Inventories", "InventoryNet"),
            ):
                assert v[f"IncreaseDecreaseIn{name}"][year] == v[balance][year] - v[balance][last]
            share = Fraction(v["NetIncomeLoss"][year], v["WeightedAverageNumberOfSharesOutstandingBasic"][year])
            assert abs(Fraction(v["EarningsPerShareBasic"][year]) - share) <= Fraction(1, 200)
            longlived = ("PropertyPlantAndEquipmentNet", "Goodwill", "IntangibleAssetsNetExcludingGoodwill")
            bought = v["PaymentsToAcquirePropertyPlantAndEquipment"][year]
            bought += v["PaymentsToAcquireBusinessesNetOfCashAcquired"][year]
            growth = sum(v[name][year] - v[name][last] for name in longlived)
            assert growth == bought - v["DepreciationDepletionAndAmortization"][year]


def test_subtotals_shown_with_all_their_parts_add_up_in_the_excerpt() -> None:
    checked: Counter[str] = Counter()
    for _, filer, questions in filings():
        for excerpt in (question.excerpt for question in questions):
            shown = {key: read_table(excerpt.text)[filer.wording[key]] for key in excerpt.keys}
            for total, parts in IDENTITIES[excerpt.statement]:
                names = {part.removeprefix("-"): -1 if part[0] == "-" else 1 for part in parts}
                # A line that the filer does not have is not printed and counts nothing.
                lacking = {
                    name
                    for name in names
                    if name in filer.values and not any(map(filer.values[name].get, excerpt.years))
                }
                if total in shown and names.keys() - lacking <= shown.keys():
                    checked[total] += 1
                    for year in excerpt.years:
                        added = sum(sign * shown[name][year] for name, sign in names.items() if name in shown)
                        assert shown[total][year] == added, (filer.filing, total)
    assert checked["AssetsCurrent"] >= 50
    assert checked["LiabilitiesAndStockholdersEquity"] >= 25
    assert checked["NetCashProvidedByUsedInFinancingActivities"] >= 50
    assert len(checked) >= 15
    assert checked.total() >= 1500


def test_every_lookup_is_the_cell_that_the_question_names() -> None:
    for row in of_kind("lookup"):
        (year,) = asked_years(row)
        figures = read_table(row["context"])[asked_line(row)]
        assert read_number(row["answer"]) == figures[year]
        assert f"| {row['answer']}" in row["context"]
        assert len(set(figures.values())) == len(figures)  # so that the year decides


def test_every_computed_answer_follows_from_the_excerpt() -> None:
    for row in of_kind("computed"):
        years, name = sorted(asked_years(row)), asked_ratio(row)
        if name:
            exact = RATIOS[name](recognised(row, years[0]))
        else:
            figures = read_table(row["context"])[asked_line(row)]
            exact = figures[years[1]] - figures[years[0]]
            exact = exact / figures[years[0]] if "percent" in row["question"] else exact
        percent = row["answer"].endswith("%")
        assert percent == ("percent" in row["question"])
        places = 1 if percent else 2 if "two decimals" in row["question"] else 0
        assert row["answer"] == f"{float(exact) * (100 if percent else 1):.{places}f}" + "%" * percent, row["id"]


def test_every_formula_gives_the_ratio_that_is_asked_for() -> None:
    for row in of_kind("formula"):
        formula, name = parse_expression(row["answer"]), asked_ratio(row)
        assert formula is not None
        assert name is not None
        year = next(iter(next(iter(read_table(row["context"]).values()))))
        shown = recognised(row, year)
        tagged = {key: abs(value) if key in OUTFLOWS else value for key, value in shown.items()}
        assert formula.at(tagged) == RATIOS[name](shown), row["id"]
    assert len({row["answer"] for row in of_kind("formula", "test")}) >= 25


def test_the_tag_of_a_line_is_what_its_wording_says() -> None:
    checked: Counter[str] = Counter()
    for row in of_kind("tag"):
        tag, kind = row["answer"].removeprefix("us-gaap:"), recognise(asked_line(row))
        if kind in tag_kinds():
            assert kind == tag, row["id"]
            checked[tag] += 1
    assert len(checked) >= 25


def tag_kinds() -> set[str]:
    """The recognised lines that are an element, not a group of them."""
    return set(LINES) - {"Flow", "CashFlow", "EarningsPerShare", "Pretax"}
