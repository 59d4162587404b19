"""The statements of a filing: their lines in order, the lines' printed signs, and the identities between lines.

A line's key is its us-gaap element. Two lines of the cash flow statement repeat the cash balance and have keys of
their own (`CashAtBeginning`, `CashAtEnd`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from tasks.data.sec_qa.filer import (
    CASH,
    CURRENT_ASSETS,
    CURRENT_LIABILITIES,
    EQUITY,
    EXPENSES,
    OTHER_ASSETS,
    OTHER_LIABILITIES,
    PRETAX,
    Filer,
    Number,
)

BEGINNING, END = "CashAtBeginning", "CashAtEnd"


@dataclass(frozen=True)
class Line:
    """A line of a statement. `sign` is -1 if the filing prints the element's value with the opposite sign."""

    key: str
    sign: int = 1

    @property
    def element(self) -> str:
        """Return the us-gaap element of the line's tag."""
        return CASH if self.key in (BEGINNING, END) else self.key


def _lines(*names: str) -> tuple[Line, ...]:
    """Return the lines of these names; one with a leading minus is printed with the opposite sign."""
    return tuple(Line(name[1:], -1) if name.startswith("-") else Line(name) for name in names)


INCOME = _lines(
    "Revenues",
    "CostOfRevenue",
    "GrossProfit",
    *EXPENSES,
    "OperatingExpenses",
    "OperatingIncomeLoss",
    "-InterestExpense",
    "InvestmentIncomeInterest",
    "OtherNonoperatingIncomeExpense",
    PRETAX,
    "IncomeTaxExpenseBenefit",
    "NetIncomeLoss",
    "EarningsPerShareBasic",
    "EarningsPerShareDiluted",
    "WeightedAverageNumberOfSharesOutstandingBasic",
    "WeightedAverageNumberOfDilutedSharesOutstanding",
)
BALANCE = _lines(
    *CURRENT_ASSETS,
    "AssetsCurrent",
    *OTHER_ASSETS,
    "Assets",
    *CURRENT_LIABILITIES,
    "LiabilitiesCurrent",
    *OTHER_LIABILITIES,
    "Liabilities",
    *EQUITY,
    "StockholdersEquity",
    "LiabilitiesAndStockholdersEquity",
)
CASH_FLOW = _lines(
    "NetIncomeLoss",
    "DepreciationDepletionAndAmortization",
    "ShareBasedCompensation",
    "-IncreaseDecreaseInAccountsReceivable",
    "-IncreaseDecreaseInInventories",
    "IncreaseDecreaseInAccountsPayable",
    "-IncreaseDecreaseInOtherOperatingCapitalNet",
    "NetCashProvidedByUsedInOperatingActivities",
    "-PaymentsToAcquirePropertyPlantAndEquipment",
    "-PaymentsToAcquireBusinessesNetOfCashAcquired",
    "-PaymentsForProceedsFromShortTermInvestments",
    "NetCashProvidedByUsedInInvestingActivities",
    "ProceedsFromIssuanceOfLongTermDebt",
    "-RepaymentsOfLongTermDebt",
    "-PaymentsOfDividends",
    "-PaymentsForRepurchaseOfCommonStock",
    "NetCashProvidedByUsedInFinancingActivities",
    "CashAndCashEquivalentsPeriodIncreaseDecrease",
    BEGINNING,
    END,
)
# "Selected financial data" has single lines from all three statements, with the sign of their elements.
SELECTED = _lines(
    "Revenues",
    "CostOfRevenue",
    "GrossProfit",
    "ResearchAndDevelopmentExpense",
    "SellingGeneralAndAdministrativeExpense",
    "OperatingIncomeLoss",
    "InterestExpense",
    "NetIncomeLoss",
    "DepreciationDepletionAndAmortization",
    "NetCashProvidedByUsedInOperatingActivities",
    "PaymentsToAcquirePropertyPlantAndEquipment",
    "PaymentsOfDividends",
    CASH,
    "AccountsReceivableNetCurrent",
    "InventoryNet",
    "AssetsCurrent",
    "PropertyPlantAndEquipmentNet",
    "Assets",
    "AccountsPayableCurrent",
    "LiabilitiesCurrent",
    "LongTermDebtNoncurrent",
    "Liabilities",
    "StockholdersEquity",
)
STATEMENTS: Mapping[str, tuple[Line, ...]] = {
    "income": INCOME,
    "balance": BALANCE,
    "cash flow": CASH_FLOW,
    "selected": SELECTED,
}

# (total, its parts) as printed; a leading minus subtracts. Each holds in every year of every filer.
Identity = tuple[str, tuple[str, ...]]
IDENTITIES: Mapping[str, tuple[Identity, ...]] = {
    "income": (
        ("GrossProfit", ("Revenues", "-CostOfRevenue")),
        ("OperatingExpenses", EXPENSES),
        ("OperatingIncomeLoss", ("GrossProfit", "-OperatingExpenses")),
        (
            PRETAX,
            ("OperatingIncomeLoss", "InterestExpense", "InvestmentIncomeInterest", "OtherNonoperatingIncomeExpense"),
        ),
        ("NetIncomeLoss", (PRETAX, "-IncomeTaxExpenseBenefit")),
    ),
    "balance": (
        ("AssetsCurrent", CURRENT_ASSETS),
        ("Assets", ("AssetsCurrent", *OTHER_ASSETS)),
        ("LiabilitiesCurrent", CURRENT_LIABILITIES),
        ("Liabilities", ("LiabilitiesCurrent", *OTHER_LIABILITIES)),
        ("StockholdersEquity", EQUITY),
        ("LiabilitiesAndStockholdersEquity", ("Liabilities", "StockholdersEquity")),
        ("Assets", ("LiabilitiesAndStockholdersEquity",)),
    ),
    "cash flow": (
        ("NetCashProvidedByUsedInOperatingActivities", tuple(line.key for line in CASH_FLOW[:7])),
        ("NetCashProvidedByUsedInInvestingActivities", tuple(line.key for line in CASH_FLOW[8:11])),
        ("NetCashProvidedByUsedInFinancingActivities", tuple(line.key for line in CASH_FLOW[12:16])),
        (
            "CashAndCashEquivalentsPeriodIncreaseDecrease",
            (
                "NetCashProvidedByUsedInOperatingActivities",
                "NetCashProvidedByUsedInInvestingActivities",
                "NetCashProvidedByUsedInFinancingActivities",
            ),
        ),
        (END, (BEGINNING, "CashAndCashEquivalentsPeriodIncreaseDecrease")),
    ),
    "selected": (
        ("GrossProfit", ("Revenues", "-CostOfRevenue")),
        ("Assets", ("Liabilities", "StockholdersEquity")),
    ),
}


def printed_figure(filer: Filer, line: Line, year: int) -> Number:
    """Return the number that the filing prints on this line for this fiscal year."""
    if line.key == BEGINNING:
        return filer.values[CASH][year - 1]
    return line.sign * filer.values[line.element][year]


def present(filer: Filer, line: Line, years: Collection[int]) -> bool:
    """Return whether the filing has this line; a line without any amount is omitted."""
    return all(printed_figure(filer, line, year) != 0 for year in years)


def redundant(filer: Filer, statement: str, keys: Collection[str], years: Collection[int]) -> bool:
    """Return whether a line among `keys` follows from the others, so that a formula could be written in two ways.

    Every identity is an equation. A combination of equations without hidden lines relates the visible lines to each other. It
    exists if and only if the equations, restricted to the hidden lines, are not independent.
    """
    hidden = [line.key for line in STATEMENTS[statement] if line.key not in keys]
    hidden = [key for key in hidden if any(printed_figure(filer, _line(statement, key), year) != 0 for year in years)]
    rows = [
        [Fraction((key == total) - _coefficient(parts, key)) for key in hidden]
        for total, parts in IDENTITIES[statement]
    ]
    return _rank(rows) < len(rows)


def _line(statement: str, key: str) -> Line:
    return next(line for line in STATEMENTS[statement] if line.key == key)


def _coefficient(parts: Collection[str], key: str) -> int:
    return (key in parts) - (f"-{key}" in parts)


def _rank(rows: list[list[Fraction]]) -> int:
    """Return the rank of a matrix, by elimination."""
    rank = 0
    for column in range(len(rows[0]) if rows else 0):
        pivot = next((row for row in rows[rank:] if row[column]), None)
        if pivot is None:
            continue
        rows.remove(pivot)
        rows = [[a - b * row[column] / pivot[column] for a, b in zip(row, pivot, strict=True)] for row in rows]
        rows.insert(0, pivot)
        rank += 1
    return rank


def figure_text(number: Number) -> str:
    """Return a number as filings print it: thousands separated, negatives in parentheses, dollars per share with cents."""
    text = f"{abs(number):,.2f}" if isinstance(number, Decimal) else f"{abs(number):,}"
    return f"({text})" if number < 0 else text
