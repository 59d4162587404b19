"""The statements of sec_qa's filers tie within a year and from year to year, and excerpts add up."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from functools import cache
from typing import Any

from tasks.data.sec_qa import make
from tasks.data.sec_qa.filer import (
    ALL_CASH,
    CASH_CHANGE,
    COMPREHENSIVE,
    COST,
    LEASE_CURRENT,
    LEASE_LATER,
    LEASED,
    OCI,
    REVENUE,
    Filer,
)
from tasks.data.sec_qa.questions import Question
from tasks.data.sec_qa.statements import IDENTITIES
from tests.support.sec_qa_reader import (
    FILES,
    read_table,
    rows,
)


@cache
def filings() -> list[tuple[str, Filer, list[Question]]]:
    return list(make.filings())


def test_the_statements_of_every_filer_tie_within_a_year_and_from_year_to_year() -> None:
    assert len(filings()) == sum(len({row["filing"] for row in rows(file)}) for file in FILES)
    for _, filer, _ in filings():
        v: Any = filer.values
        for year in (filer.years[0] - 1, *filer.years):
            assert v["Assets"][year] == v["Liabilities"][year] + v["StockholdersEquity"][year]
            cash = v["CashAndCashEquivalentsAtCarryingValue"][year]
            assert v[ALL_CASH][year] - cash == v["RestrictedCashCurrent"][year] < v[ALL_CASH][year]
        for year in filer.years:
            grown = {name: v[name][year] - v[name][year - 1] for name in v if year - 1 in v[name]}
            assert v["GrossProfit"][year] == v[REVENUE][year] - v[COST][year]
            dividends, profit = v["PaymentsOfDividends"][year], v["NetIncomeLoss"][year]
            assert grown["RetainedEarningsAccumulatedDeficit"] == profit - dividends
            assert v[COMPREHENSIVE][year] == profit + v[OCI][year]
            awards, bought = v["ShareBasedCompensation"][year], v["PaymentsForRepurchaseOfCommonStock"][year]
            assert grown["StockholdersEquity"] == v[COMPREHENSIVE][year] + awards - dividends - bought
            assert grown["AccumulatedOtherComprehensiveIncomeLossNetOfTax"] == v[OCI][year]
            kinds = ("Operating", "Investing", "Financing")
            flows = [v[f"NetCashProvidedByUsedIn{kind}Activities"][year] for kind in kinds]
            assert grown[ALL_CASH] == v[CASH_CHANGE][year] == sum(flows)
            borrowed = v["ProceedsFromIssuanceOfLongTermDebt"][year] - v["RepaymentsOfLongTermDebt"][year]
            assert grown["LongTermDebtCurrent"] + grown["LongTermDebtNoncurrent"] == borrowed
            assert grown[LEASED] == grown[LEASE_CURRENT] + grown[LEASE_LATER]
            assert v["IncreaseDecreaseInInventories"][year] == grown["InventoryNet"]
            assert v["IncreaseDecreaseInAccountsReceivable"][year] == grown["AccountsReceivableNetCurrent"]
            share = Fraction(profit, v["WeightedAverageNumberOfSharesOutstandingBasic"][year])
            assert abs(Fraction(v["EarningsPerShareBasic"][year]) - share) <= Fraction(1, 200)


def test_totals_shown_with_all_their_parts_add_up_in_every_column_of_the_excerpt() -> None:
    checked: Counter[str] = Counter()
    for _, filer, questions in filings():
        for excerpt in (question.excerpt for question in questions):
            table = read_table(excerpt.text)
            shown = {key: table[filer.wording[key]] for key in excerpt.keys}
            for total, parts in IDENTITIES[excerpt.statement]:
                names = {part.removeprefix("-"): -1 if part[0] == "-" else 1 for part in parts}
                # A line that the filer does not have is not printed and counts nothing.
                lacking = {name for name in names if not any(column.figures.get(name) for column in excerpt.columns)}
                if total in shown and names.keys() - lacking <= shown.keys():
                    checked[total] += 1
                    for column in excerpt.columns:
                        added = sum(sign * shown[name][column.header] for name, sign in names.items() if name in shown)
                        assert shown[total][column.header] == added, (filer.filing, total, column.header)
    assert min(checked[total] for total in ("AssetsCurrent", "OperatingExpenses", "EquityAtEnd", COMPREHENSIVE)) >= 10
    assert len(checked) >= 15
    assert checked.total() >= 1000


def test_a_half_year_contains_its_quarter_and_segments_add_up_to_their_total() -> None:
    seen: Counter[str] = Counter()
    for _, _, questions in filings():
        for columns in (question.excerpt.columns for question in questions):
            roles = {(column.role, column.year): column for column in columns}
            for (role, year), column in roles.items():
                if role == "quarter":
                    seen[role] += 1
                    assert 0 < column.figures[REVENUE] < roles["half", year].figures[REVENUE]
            parts = [column for column in columns if column.role == "segment"]
            for total in (column for column in columns if column.role == "total"):
                seen["total"] += 1
                assert all(sum(part.figures[key] for part in parts) == total.figures[key] for key in total.figures)
    assert seen["quarter"] > 100 < seen["total"] + 50
