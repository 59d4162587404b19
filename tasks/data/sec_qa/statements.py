"""The statements of a filing: their lines in order, the lines' printed signs, and the identities between lines.

A line's key is its us-gaap element. Opening and closing balances within a statement of flows have keys of their own
(`CashAtBeginning`, `CashAtEnd`, `EquityAtBeginning`, `EquityAtEnd`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from tasks.data.sec_qa import insurer
from tasks.data.sec_qa.filer import (
    ALL_CASH,
    ALLOWANCE,
    CASH,
    CASH_CHANGE,
    COMPREHENSIVE,
    COST,
    CURRENT_ASSETS,
    CURRENT_LIABILITIES,
    EQUITY,
    EXPENSES,
    GROSS_PROPERTY,
    GROSS_RECEIVABLES,
    OCI,
    OTHER_ASSETS,
    OTHER_LIABILITIES,
    PRETAX,
    REVENUE,
    WORN,
    Filer,
    Number,
)

BEGINNING, END = "CashAtBeginning", "CashAtEnd"
EQUITY_BEGINNING, EQUITY_END = "EquityAtBeginning", "EquityAtEnd"
ELEMENTS = {
    BEGINNING: ALL_CASH,
    END: ALL_CASH,
    EQUITY_BEGINNING: "StockholdersEquity",
    EQUITY_END: "StockholdersEquity",
}
OPENING = (BEGINNING, EQUITY_BEGINNING)
DAYS = ("balance", "receivables", "property", "insurer balance")  # statements of balances; the others are of flows


@dataclass(frozen=True)
class Line:
    """A line of a statement. `sign` is -1 if the filing prints the element's value with the opposite sign."""

    key: str
    sign: int = 1

    @property
    def element(self) -> str:
        """Return the us-gaap element of the line's tag."""
        return ELEMENTS.get(self.key, self.key)


def _lines(*names: str) -> tuple[Line, ...]:
    """Return the lines of these names; one with a leading minus is printed with the opposite sign."""
    return tuple(Line(name[1:], -1) if name.startswith("-") else Line(name) for name in names)


INCOME_PER_SHARE = (
    "EarningsPerShareBasic",
    "EarningsPerShareDiluted",
    "WeightedAverageNumberOfSharesOutstandingBasic",
    "WeightedAverageNumberOfDilutedSharesOutstanding",
)
INCOME = _lines(
    REVENUE,
    COST,
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
    *INCOME_PER_SHARE,
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
    CASH_CHANGE,
    BEGINNING,
    END,
)
EQUITY_ROLL = _lines(
    EQUITY_BEGINNING,
    "NetIncomeLoss",
    OCI,
    "ShareBasedCompensation",
    "-PaymentsOfDividends",
    "-PaymentsForRepurchaseOfCommonStock",
    EQUITY_END,
)
# "Selected financial data" has single lines from all three statements, with the sign of their elements.
SELECTED = _lines(
    REVENUE,
    COST,
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
INSURER_INCOME = _lines(
    *(insurer.WRITTEN, insurer.EARNED, insurer.YIELD, insurer.GAINS, insurer.REVENUES),
    *(insurer.CLAIMS, insurer.WRITTEN_OFF, insurer.OTHER_COSTS, "InterestExpense", insurer.COSTS),
    *(PRETAX, "IncomeTaxExpenseBenefit", "NetIncomeLoss"),
)
INSURER_BALANCE = _lines(
    *(*insurer.ASSETS, "Assets", *insurer.LIABILITIES, "Liabilities"),
    *(*insurer.EQUITY, "StockholdersEquity", "LiabilitiesAndStockholdersEquity"),
)
INSURER_SELECTED = _lines(
    *(insurer.WRITTEN, insurer.EARNED, insurer.YIELD, insurer.CLAIMS, insurer.WRITTEN_OFF, insurer.OTHER_COSTS),
    *("NetIncomeLoss", insurer.BONDS, "Assets", insurer.RESERVES, "Liabilities", "StockholdersEquity"),
)
STATEMENTS: Mapping[str, tuple[Line, ...]] = {
    "income": INCOME,
    "balance": BALANCE,
    "cash flow": CASH_FLOW,
    "equity": EQUITY_ROLL,
    "comprehensive": _lines("NetIncomeLoss", OCI, COMPREHENSIVE, *INCOME_PER_SHARE),
    "receivables": _lines(GROSS_RECEIVABLES, f"-{ALLOWANCE}", "AccountsReceivableNetCurrent"),
    "property": _lines(GROSS_PROPERTY, f"-{WORN}", "PropertyPlantAndEquipmentNet"),
    "selected": SELECTED,
    "insurer income": INSURER_INCOME,
    "insurer balance": INSURER_BALANCE,
    "insurer selected": INSURER_SELECTED,
}

# (total, its parts) as printed; a leading minus subtracts. Each holds in every year of every filer.
Identity = tuple[str, tuple[str, ...]]
IDENTITIES: Mapping[str, tuple[Identity, ...]] = {
    "income": (
        ("GrossProfit", (REVENUE, f"-{COST}")),
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
            CASH_CHANGE,
            (
                "NetCashProvidedByUsedInOperatingActivities",
                "NetCashProvidedByUsedInInvestingActivities",
                "NetCashProvidedByUsedInFinancingActivities",
            ),
        ),
        (END, (BEGINNING, CASH_CHANGE)),
    ),
    "equity": ((EQUITY_END, tuple(line.key for line in EQUITY_ROLL[:-1])),),
    "comprehensive": ((COMPREHENSIVE, ("NetIncomeLoss", OCI)),),
    "receivables": (("AccountsReceivableNetCurrent", (GROSS_RECEIVABLES, ALLOWANCE)),),
    "property": (("PropertyPlantAndEquipmentNet", (GROSS_PROPERTY, WORN)),),
    "insurer income": (
        (insurer.REVENUES, (insurer.EARNED, insurer.YIELD, insurer.GAINS)),
        (insurer.COSTS, (insurer.CLAIMS, insurer.WRITTEN_OFF, insurer.OTHER_COSTS, "InterestExpense")),
        (PRETAX, (insurer.REVENUES, f"-{insurer.COSTS}")),
        ("NetIncomeLoss", (PRETAX, "-IncomeTaxExpenseBenefit")),
    ),
    "insurer balance": (
        ("Assets", insurer.ASSETS),
        ("Liabilities", insurer.LIABILITIES),
        ("StockholdersEquity", insurer.EQUITY),
        ("LiabilitiesAndStockholdersEquity", ("Liabilities", "StockholdersEquity")),
    ),
    "insurer selected": (("Assets", ("Liabilities", "StockholdersEquity")),),
    "selected": (
        ("GrossProfit", (REVENUE, f"-{COST}")),
        ("Assets", ("Liabilities", "StockholdersEquity")),
    ),
}


def printed_figure(filer: Filer, line: Line, year: int) -> Number:
    """Return the number that the filing prints on this line for this fiscal year."""
    return line.sign * filer.values[line.element][year - (line.key in OPENING)]


def parts(statement: str, total: str) -> dict[str, int]:
    """Return the lines that make up a total, subtotals taken apart, with the sign of each printed figure in it."""
    equations = dict(reversed(IDENTITIES[statement]))
    result: dict[str, int] = {}
    for name in equations[total]:
        sign, key = (-1, name[1:]) if name.startswith("-") else (1, name)
        inner = parts(statement, key) if key in equations else {key: 1}
        result |= {part: sign * other for part, other in inner.items()}
    return result


def retotalled(statement: str, figures: Mapping[str, Number]) -> dict[str, Number]:
    """Return printed figures whose totals are computed anew from their parts; a missing part counts nothing."""
    result = dict(figures)
    for total, names in IDENTITIES[statement]:
        if total in result and len(names) > 1:
            result[total] = sum(
                (-1 if name.startswith("-") else 1) * result.get(name.removeprefix("-"), 0) for name in names
            )
    return result


def figure_text(number: Number) -> str:
    """Return a number as filings print it: thousands separated, negatives in parentheses, dollars per share with cents."""
    text = f"{abs(number):,.2f}" if isinstance(number, Decimal) else f"{abs(number):,}"
    return f"({text})" if number < 0 else text
