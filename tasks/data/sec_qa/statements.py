"""The statements of a filing: which lines in which order, with which sign shown, and which lines add up to which.

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
    """A line of a statement. `sign` is -1 where the filing shows the element's value with the opposite sign."""

    key: str
    sign: int = 1

    @property
    def element(self) -> str:
        """The us-gaap element that tags the line."""
        return CASH if self.key in (BEGINNING, END) else self.key


def _lines(*names: str) -> tuple[Line, ...]:
    """A name with a leading minus is shown with the opposite sign."""
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
# "Selected financial data" takes single lines from all three statements and shows every element as it is tagged.
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

# (total, its parts) as shown; a leading minus subtracts. Each holds in every year of every filer.
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


def shown(filer: Filer, line: Line, year: int) -> Number:
    """The number that the filing prints on this line for this fiscal year."""
    if line.key == BEGINNING:
        return filer.values[CASH][year - 1]
    return line.sign * filer.values[line.element][year]


def present(filer: Filer, line: Line, years: Collection[int]) -> bool:
    """Whether the filing has this line: one without any amount is left out."""
    return all(shown(filer, line, year) != 0 for year in years)


def redundant(filer: Filer, statement: str, keys: Collection[str], years: Collection[int]) -> bool:
    """Whether some line among `keys` follows from the others, so that a formula could be written in two ways.

    Every identity is an equation. A combination of equations in which no hidden line is left ties shown lines to each
    other; it exists when the equations, restricted to the hidden lines, are not independent.
    """
    hidden = [line.key for line in STATEMENTS[statement] if line.key not in keys]
    hidden = [key for key in hidden if any(shown(filer, _line(statement, key), year) != 0 for year in years)]
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
    """The rank of a matrix, by elimination."""
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


def written(number: Number) -> str:
    """As filings print it: thousands separated, negatives in parentheses, dollars per share with cents."""
    text = f"{abs(number):,.2f}" if isinstance(number, Decimal) else f"{abs(number):,}"
    return f"({text})" if number < 0 else text
