"""The ratios asked for: their formulas with us-gaap elements, and what an excerpt must not show beside them."""

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
    """`statement` is the excerpt to show. `rivals` are lines that would allow another common definition."""

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
# Customarily quoted in percent: the question says that a fraction is wanted.
FRACTIONS = frozenset(
    name for name in BY_NAME if "margin" in name or name.startswith(("return", "research", "selling", "dividend"))
)


@dataclass(frozen=True)
class Computed:
    """A ratio to work out. `value` takes the shown figures of one year; in percent it is given to one decimal."""

    name: str
    elements: tuple[str, ...]
    statement: str
    percent: bool
    value: Callable[..., Fraction]
    rivals: tuple[str, ...] = ()


COMPUTED: tuple[Computed, ...] = (
    Computed("gross margin", ("GrossProfit", "Revenues"), "income", True, lambda a, b: 100 * a / b),
    Computed("operating margin", ("OperatingIncomeLoss", "Revenues"), "income", True, lambda a, b: 100 * a / b),
    Computed("net profit margin", ("NetIncomeLoss", "Revenues"), "income", True, lambda a, b: 100 * a / b),
    Computed("effective tax rate", ("IncomeTaxExpenseBenefit", PRETAX), "income", True, lambda a, b: 100 * a / b),
    Computed("current ratio", ("AssetsCurrent", "LiabilitiesCurrent"), "balance", False, lambda a, b: a / b),
    Computed(
        "quick ratio",
        ("AssetsCurrent", "InventoryNet", "LiabilitiesCurrent"),
        "balance",
        False,
        lambda a, b, c: (a - b) / c,
        _QUICK,
    ),
    Computed("cash ratio", (CASH, "LiabilitiesCurrent"), "balance", False, lambda a, b: a / b, _QUICK[1:2]),
    Computed("liabilities-to-equity ratio", ("Liabilities", EQUITY), "balance", False, lambda a, b: a / b),
    Computed("equity multiplier", ("Assets", EQUITY), "balance", False, lambda a, b: a / b),
)
# Lines whose change from year to year is asked for; none is shown with a turned sign.
CHANGING: Mapping[str, tuple[str, ...]] = {
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


def rounded(value: Fraction, places: int) -> str | None:
    """The value with so many decimals; None where it is nil or too close to the middle between two of them."""
    scaled = value * 10**places
    if abs(abs(scaled) % 1 - Fraction(1, 2)) < Fraction(1, 1000):
        return None
    exact = (Decimal(scaled.numerator) / Decimal(scaled.denominator)).quantize(Decimal(1), ROUND_HALF_UP)
    return f"{exact.scaleb(-places):.{places}f}" if exact else None
