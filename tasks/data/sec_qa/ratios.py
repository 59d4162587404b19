"""The ratios of the questions: their formulas with us-gaap elements, and the lines that their excerpts must not have."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

from tasks.data.sec_qa.filer import CASH, PRETAX

CFO = "NetCashProvidedByUsedInOperatingActivities"
CAPEX = "PaymentsToAcquirePropertyPlantAndEquipment"
EQUITY = "StockholdersEquity"


@dataclass(frozen=True)
class Ratio:
    """A ratio. `statement` is the excerpt to show. `rivals` are lines that would allow another common definition."""

    name: str
    formula: str
    elements: tuple[str, ...]
    statement: str
    rivals: tuple[str, ...] = ()


def _over(name: str, above: str, below: str, statement: str, *rivals: str) -> Ratio:
    return Ratio(name, f"{above} / {below}", (above, below), statement, rivals)


def _days(name: str, stock: str, flow: str, *rivals: str) -> Ratio:
    return Ratio(name, f"365 * {stock} / {flow}", (stock, flow), "selected", rivals)


_QUICK = (CASH, "ShortTermInvestments", "AccountsReceivableNetCurrent", "PrepaidExpenseAndOtherAssetsCurrent")

RATIOS: tuple[Ratio, ...] = (
    _over("gross margin", "GrossProfit", "Revenues", "income", "CostOfRevenue"),
    _over("operating margin", "OperatingIncomeLoss", "Revenues", "income"),
    _over("net profit margin", "NetIncomeLoss", "Revenues", "income"),
    _over("research intensity", "ResearchAndDevelopmentExpense", "Revenues", "income"),
    _over("selling expense ratio", "SellingGeneralAndAdministrativeExpense", "Revenues", "income"),
    _over("interest coverage", "OperatingIncomeLoss", "InterestExpense", "income", PRETAX),
    _over("current ratio", "AssetsCurrent", "LiabilitiesCurrent", "balance"),
    Ratio(
        "quick ratio",
        "(AssetsCurrent - InventoryNet) / LiabilitiesCurrent",
        ("AssetsCurrent", "InventoryNet", "LiabilitiesCurrent"),
        "balance",
        _QUICK,
    ),
    _over("cash ratio", CASH, "LiabilitiesCurrent", "balance", "ShortTermInvestments"),
    Ratio("working capital", "AssetsCurrent - LiabilitiesCurrent", ("AssetsCurrent", "LiabilitiesCurrent"), "balance"),
    _over("liabilities-to-assets ratio", "Liabilities", "Assets", "balance"),
    _over("liabilities-to-equity ratio", "Liabilities", EQUITY, "balance"),
    _over("equity ratio", EQUITY, "Assets", "balance", "LiabilitiesAndStockholdersEquity"),
    _over("equity multiplier", "Assets", EQUITY, "balance", "LiabilitiesAndStockholdersEquity"),
    _over("long-term-debt-to-equity ratio", "LongTermDebtNoncurrent", EQUITY, "balance", "LongTermDebtCurrent"),
    _over("return on assets", "NetIncomeLoss", "Assets", "selected"),
    _over("return on equity", "NetIncomeLoss", EQUITY, "selected"),
    _over("asset turnover", "Revenues", "Assets", "selected"),
    _over("fixed asset turnover", "Revenues", "PropertyPlantAndEquipmentNet", "selected"),
    _over("inventory turnover", "CostOfRevenue", "InventoryNet", "selected", "Revenues"),
    _over("receivables turnover", "Revenues", "AccountsReceivableNetCurrent", "selected"),
    _over("payables turnover", "CostOfRevenue", "AccountsPayableCurrent", "selected"),
    _days("days sales outstanding", "AccountsReceivableNetCurrent", "Revenues"),
    _days("days inventory outstanding", "InventoryNet", "CostOfRevenue", "Revenues"),
    _days("days payable outstanding", "AccountsPayableCurrent", "CostOfRevenue"),
    _over("operating cash flow ratio", CFO, "LiabilitiesCurrent", "selected"),
    _over("cash flow margin", CFO, "Revenues", "selected"),
    Ratio("free cash flow", f"{CFO} - {CAPEX}", (CFO, CAPEX), "cash flow"),
    _over("dividend payout ratio", "PaymentsOfDividends", "NetIncomeLoss", "cash flow"),
    Ratio(
        "EBITDA",
        "OperatingIncomeLoss + DepreciationDepletionAndAmortization",
        ("OperatingIncomeLoss", "DepreciationDepletionAndAmortization"),
        "selected",
        ("NetIncomeLoss",),
    ),
)
BY_NAME: Mapping[str, Ratio] = {ratio.name: ratio for ratio in RATIOS}
# Usually quoted in percent: the question states that the answer is a fraction.
FRACTIONS = frozenset(
    name for name in BY_NAME if "margin" in name or name.startswith(("return", "research", "selling", "dividend"))
)


@dataclass(frozen=True)
class ComputedRatio:
    """A ratio to compute. `value` takes the printed figures of one year; percentages have one decimal."""

    name: str
    elements: tuple[str, ...]
    statement: str
    percent: bool
    value: Callable[..., Fraction]
    rivals: tuple[str, ...] = ()


COMPUTED_RATIOS: tuple[ComputedRatio, ...] = (
    ComputedRatio("gross margin", ("GrossProfit", "Revenues"), "income", True, lambda a, b: 100 * a / b),
    ComputedRatio("operating margin", ("OperatingIncomeLoss", "Revenues"), "income", True, lambda a, b: 100 * a / b),
    ComputedRatio("net profit margin", ("NetIncomeLoss", "Revenues"), "income", True, lambda a, b: 100 * a / b),
    ComputedRatio("effective tax rate", ("IncomeTaxExpenseBenefit", PRETAX), "income", True, lambda a, b: 100 * a / b),
    ComputedRatio("current ratio", ("AssetsCurrent", "LiabilitiesCurrent"), "balance", False, lambda a, b: a / b),
    ComputedRatio(
        "quick ratio",
        ("AssetsCurrent", "InventoryNet", "LiabilitiesCurrent"),
        "balance",
        False,
        lambda a, b, c: (a - b) / c,
        _QUICK,
    ),
    ComputedRatio("cash ratio", (CASH, "LiabilitiesCurrent"), "balance", False, lambda a, b: a / b, _QUICK[1:2]),
    ComputedRatio("liabilities-to-equity ratio", ("Liabilities", EQUITY), "balance", False, lambda a, b: a / b),
    ComputedRatio("equity multiplier", ("Assets", EQUITY), "balance", False, lambda a, b: a / b),
)
# Lines of the questions for a change from year to year; none is printed with the opposite sign.
CHANGE_LINES: Mapping[str, tuple[str, ...]] = {
    "income": ("Revenues", "CostOfRevenue", "GrossProfit", "OperatingIncomeLoss", "NetIncomeLoss", "OperatingExpenses"),
    "balance": (
        "AccountsReceivableNetCurrent",
        "InventoryNet",
        "AssetsCurrent",
        "Assets",
        "LiabilitiesCurrent",
        "Liabilities",
        EQUITY,
        "LongTermDebtNoncurrent",
    ),
}


def decimal_text(value: Fraction, decimals: int) -> str | None:
    """Return the value with this number of decimals; None if it is zero, or too close to the middle of two roundings."""
    scaled = value * 10**decimals
    if abs(abs(scaled) % 1 - Fraction(1, 2)) < Fraction(1, 1000):
        return None
    exact = (Decimal(scaled.numerator) / Decimal(scaled.denominator)).quantize(Decimal(1), ROUND_HALF_UP)
    return f"{exact.scaleb(-decimals):.{decimals}f}" if exact else None
