"""A fictional filer: income statements, balance sheets and cash flows of three fiscal years that tie together.

Only the opening balance sheet is free. Afterwards every balance moves by a flow: net income less dividends into
retained earnings, capital expenditure less depreciation into property, borrowing less repayment into debt, new leases less
amortization into both sides, and the rest into cash. So assets equal liabilities plus equity without any balancing item, and
equity rolls forward by net income, other comprehensive income, awards, dividends and repurchases. Elements are those that
filers use since 2018: revenue under ASC 606, leases under ASC 842, cash with restricted cash under ASU 2016-18. Values have the sign of the us-gaap element
(payments and increases in receivables are positive), in units of the filing (thousands or millions); earnings per share
are in dollars.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

Number = int | Decimal
Sheet = dict[str, int]

PRETAX = "IncomeLossFromContinuingOperationsBeforeIncomeTaxesExtraordinaryItemsNoncontrollingInterest"
CASH = "CashAndCashEquivalentsAtCarryingValue"
REVENUE = "RevenueFromContractWithCustomerExcludingAssessedTax"
COST = "CostOfGoodsAndServicesSold"
ALL_CASH = "CashCashEquivalentsRestrictedCashAndRestrictedCashEquivalents"
CASH_CHANGE = f"{ALL_CASH}PeriodIncreaseDecreaseIncludingExchangeRateEffect"
RESTRICTED = "RestrictedCashCurrent"
LEASED = "OperatingLeaseRightOfUseAsset"
LEASE_CURRENT, LEASE_LATER = "OperatingLeaseLiabilityCurrent", "OperatingLeaseLiabilityNoncurrent"
OCI, COMPREHENSIVE = "OtherComprehensiveIncomeLossNetOfTax", "ComprehensiveIncomeNetOfTax"
GROSS_RECEIVABLES = "AccountsReceivableGrossCurrent"
ALLOWANCE = "AccountsReceivableAllowanceForCreditLossCurrent"
GROSS_PROPERTY = "PropertyPlantAndEquipmentGross"
WORN = "AccumulatedDepreciationDepletionAndAmortizationPropertyPlantAndEquipment"
CURRENT_ASSETS = (
    CASH,
    RESTRICTED,
    "ShortTermInvestments",
    "AccountsReceivableNetCurrent",
    "InventoryNet",
    "PrepaidExpenseAndOtherAssetsCurrent",
)
OTHER_ASSETS = (
    "PropertyPlantAndEquipmentNet",
    LEASED,
    "Goodwill",
    "IntangibleAssetsNetExcludingGoodwill",
    "OtherAssetsNoncurrent",
)
CURRENT_LIABILITIES = (
    "AccountsPayableCurrent",
    "AccruedLiabilitiesCurrent",
    "ContractWithCustomerLiabilityCurrent",
    LEASE_CURRENT,
    "LongTermDebtCurrent",
)
OTHER_LIABILITIES = (
    "LongTermDebtNoncurrent",
    LEASE_LATER,
    "DeferredIncomeTaxLiabilitiesNet",
    "OtherLiabilitiesNoncurrent",
)
EQUITY = (
    "CommonStockValue",
    "AdditionalPaidInCapital",
    "RetainedEarningsAccumulatedDeficit",
    "AccumulatedOtherComprehensiveIncomeLossNetOfTax",
)
EXPENSES = ("ResearchAndDevelopmentExpense", "SellingGeneralAndAdministrativeExpense", "RestructuringCharges")

# Opening balances as a share of revenue (lowest, highest), and the probability that a filer has the line.
_OPENING: tuple[tuple[str, float, float, float], ...] = (
    (CASH, 0.06, 0.20, 1.0),
    (RESTRICTED, 0.005, 0.03, 0.6),
    ("ShortTermInvestments", 0.04, 0.15, 0.75),
    ("AccountsReceivableNetCurrent", 0.08, 0.18, 1.0),
    ("InventoryNet", 0.05, 0.18, 0.9),
    ("PrepaidExpenseAndOtherAssetsCurrent", 0.015, 0.05, 1.0),
    ("PropertyPlantAndEquipmentNet", 0.15, 0.60, 1.0),
    (LEASED, 0.03, 0.15, 0.8),
    ("Goodwill", 0.05, 0.40, 0.85),
    ("IntangibleAssetsNetExcludingGoodwill", 0.04, 0.20, 0.85),
    ("OtherAssetsNoncurrent", 0.03, 0.08, 1.0),
    ("AccountsPayableCurrent", 0.05, 0.12, 1.0),
    ("AccruedLiabilitiesCurrent", 0.04, 0.10, 1.0),
    ("ContractWithCustomerLiabilityCurrent", 0.03, 0.09, 0.75),
    ("LongTermDebtCurrent", 0.015, 0.05, 0.95),
    ("LongTermDebtNoncurrent", 0.10, 0.40, 1.0),
    ("DeferredIncomeTaxLiabilitiesNet", 0.015, 0.05, 0.9),
    ("OtherLiabilitiesNoncurrent", 0.02, 0.06, 1.0),
    ("CommonStockValue", 0.005, 0.02, 1.0),
    ("AdditionalPaidInCapital", 0.15, 0.45, 1.0),
)
# Working balances that follow revenue from year to year.
_FOLLOW_REVENUE = (
    RESTRICTED,
    "ShortTermInvestments",
    "AccountsReceivableNetCurrent",
    "InventoryNet",
    "PrepaidExpenseAndOtherAssetsCurrent",
    "AccountsPayableCurrent",
    "AccruedLiabilitiesCurrent",
    "ContractWithCustomerLiabilityCurrent",
    "DeferredIncomeTaxLiabilitiesNet",
    "OtherLiabilitiesNoncurrent",
)


@dataclass(frozen=True)
class Filer:
    """One annual report. `values[element][year]`; `years` oldest first; the year before them has balances only."""

    filing: str
    name: str
    unit: str
    year_end: str
    years: tuple[int, ...]
    newest_first: bool
    values: Mapping[str, Mapping[int, Number]]
    wording: Mapping[str, str]


def figures(rng: random.Random, years: tuple[int, ...], unit: str) -> dict[str, dict[int, Number]] | None:
    """Return a filer's random figures for `years` (oldest first) and the opening balances; None if it went bankrupt."""
    revenue = round(10 ** (rng.uniform(2.75, 4.55) if unit == "millions" else rng.uniform(3.7, 4.95)))
    rates = _rates(rng)
    before = _opening(rng, revenue)
    table: dict[str, dict[int, Number]] = {}
    _enter(table, years[0] - 1, before)
    shares = max(10, round(revenue * rng.uniform(0.05, 0.4)))
    for year in years:
        revenue = round(revenue * (1 + rates["growth"] + rng.uniform(-0.08, 0.08)))
        income = _income(rng, rates, revenue, before)
        after, flows = _roll(rng, rates, revenue, before, income)
        if after[CASH] < revenue * 0.02 or after["StockholdersEquity"] < revenue * 0.05:
            return None
        shares = round(shares * rng.uniform(0.97, 1.03))
        _enter(table, year, {**income, **after, **flows, **_per_share(rng, income["NetIncomeLoss"], shares)})
        before = after
    return table


def _enter(table: dict[str, dict[int, Number]], year: int, sheet: Mapping[str, Number]) -> None:
    for element, value in sheet.items():
        table.setdefault(element, {})[year] = value


def _rates(rng: random.Random) -> dict[str, float]:
    struggling = rng.random() < 0.35
    return {
        "growth": rng.uniform(-0.10, 0.18),
        "gross": rng.uniform(0.20, 0.35) if struggling else rng.uniform(0.28, 0.55),
        "research": rng.uniform(0.03, 0.10) if rng.random() < 0.75 else 0.0,
        "selling": rng.uniform(0.14, 0.26),
        "restructuring": rng.uniform(0.01, 0.03) if rng.random() < 0.5 else 0.0,
        "dividends": rng.uniform(0.2, 0.6) if rng.random() < 0.75 else 0.0,
        "repurchases": rng.uniform(0.02, 0.08) if rng.random() < 0.75 else 0.0,
        "interest": rng.uniform(0.035, 0.07),
        "tax": rng.uniform(0.18, 0.27),
        "wear": rng.uniform(0.08, 0.15),
        "acquisitions": rng.uniform(0.02, 0.08) if rng.random() < 0.7 else 0.0,
        "borrowing": rng.uniform(0.02, 0.10) if rng.random() < 0.85 else 0.0,
    }


def _opening(rng: random.Random, revenue: int) -> Sheet:
    sheet: Sheet = {}
    for element, low, high, share in _OPENING:
        present = rng.random() < share
        sheet[element] = max(2, round(revenue * rng.uniform(low, high))) if present else 0
    sheet["AccumulatedOtherComprehensiveIncomeLossNetOfTax"] = round(revenue * rng.uniform(-0.05, 0.02))
    sheet["RetainedEarningsAccumulatedDeficit"] = 0
    sheet[LEASE_CURRENT] = round(sheet[LEASED] * rng.uniform(0.12, 0.25))
    sheet[LEASE_LATER] = round(sheet[LEASED] * 1.04) - sheet[LEASE_CURRENT] if sheet[LEASED] else 0
    sheet[ALLOWANCE] = max(1, round(sheet["AccountsReceivableNetCurrent"] * rng.uniform(0.02, 0.08)))
    sheet[WORN] = round(sheet["PropertyPlantAndEquipmentNet"] * rng.uniform(0.3, 1.2))
    _total(sheet)
    # The opening retained earnings balance the sheet: the only free choice of the model.
    sheet["RetainedEarningsAccumulatedDeficit"] = sheet["Assets"] - sheet["LiabilitiesAndStockholdersEquity"]
    _total(sheet)
    return sheet


def _total(sheet: Sheet) -> None:
    sheet["AssetsCurrent"] = sum(sheet[name] for name in CURRENT_ASSETS)
    sheet["Assets"] = sheet["AssetsCurrent"] + sum(sheet[name] for name in OTHER_ASSETS)
    sheet["LiabilitiesCurrent"] = sum(sheet[name] for name in CURRENT_LIABILITIES)
    sheet["Liabilities"] = sheet["LiabilitiesCurrent"] + sum(sheet[name] for name in OTHER_LIABILITIES)
    sheet["StockholdersEquity"] = sum(sheet[name] for name in EQUITY)
    sheet["LiabilitiesAndStockholdersEquity"] = sheet["Liabilities"] + sheet["StockholdersEquity"]
    sheet[ALL_CASH] = sheet[CASH] + sheet[RESTRICTED]
    sheet[GROSS_RECEIVABLES] = sheet["AccountsReceivableNetCurrent"] + sheet[ALLOWANCE]
    sheet[GROSS_PROPERTY] = sheet["PropertyPlantAndEquipmentNet"] + sheet[WORN]


def _income(rng: random.Random, rates: Mapping[str, float], revenue: int, before: Sheet) -> Sheet:
    cost = round(revenue * (1 - rates["gross"] + rng.uniform(-0.03, 0.03)))
    spent = {
        name: round(revenue * rates[rate] * rng.uniform(0.9, 1.1))
        for name, rate in zip(EXPENSES, ("research", "selling", "restructuring"), strict=True)
    }
    operating = revenue - cost - sum(spent.values())
    debt = before["LongTermDebtCurrent"] + before["LongTermDebtNoncurrent"]
    interest = round(debt * rates["interest"] * rng.uniform(0.9, 1.1))
    earned = round((before[CASH] + before["ShortTermInvestments"]) * rng.uniform(0.02, 0.05))
    other = round(revenue * rng.uniform(-0.015, 0.015))
    pretax = operating - interest + earned + other
    tax = round(pretax * rates["tax"] * (rng.uniform(0.9, 1.1) if pretax > 0 else rng.uniform(0.3, 0.8)))
    return {
        REVENUE: revenue,
        COST: cost,
        "GrossProfit": revenue - cost,
        **spent,
        "OperatingExpenses": sum(spent.values()),
        "OperatingIncomeLoss": operating,
        "InterestExpense": interest,
        "InvestmentIncomeInterest": earned,
        "OtherNonoperatingIncomeExpense": other,
        PRETAX: pretax,
        "IncomeTaxExpenseBenefit": tax,
        "NetIncomeLoss": pretax - tax,
    }


def _per_share(rng: random.Random, net_income: int, basic: int) -> dict[str, Number]:
    # Options outstanding do not dilute a loss (ASC 260-10-45-19).
    diluted = basic if net_income < 0 else basic + max(1, round(basic * rng.uniform(0.01, 0.05)))
    cent = Decimal("0.01")
    return {
        "EarningsPerShareBasic": (Decimal(net_income) / basic).quantize(cent),
        "EarningsPerShareDiluted": (Decimal(net_income) / diluted).quantize(cent),
        "WeightedAverageNumberOfSharesOutstandingBasic": basic,
        "WeightedAverageNumberOfDilutedSharesOutstanding": diluted,
    }


def _invest(rng: random.Random, rates: Mapping[str, float], revenue: int, after: Sheet) -> Sheet:
    """Return capital expenditure, acquisitions, depreciation and amortization, and update the long-lived assets."""
    depreciation = round(after["PropertyPlantAndEquipmentNet"] * rates["wear"] * rng.uniform(0.92, 1.08))
    capex = round(depreciation * rng.uniform(0.6, 1.7)) + 1
    bought_goodwill = round(revenue * rates["acquisitions"] * rng.uniform(0.2, 1.0)) if after["Goodwill"] else 0
    bought_rights = round(bought_goodwill * rng.uniform(0.2, 0.7))
    amortization = round(after["IntangibleAssetsNetExcludingGoodwill"] * rates["wear"] * rng.uniform(0.92, 1.08))
    after["PropertyPlantAndEquipmentNet"] += capex - depreciation
    after[WORN] += depreciation
    after["Goodwill"] += bought_goodwill
    after["IntangibleAssetsNetExcludingGoodwill"] += bought_rights - amortization
    return {
        "DepreciationDepletionAndAmortization": depreciation + amortization,
        "PaymentsToAcquirePropertyPlantAndEquipment": capex,
        "PaymentsToAcquireBusinessesNetOfCashAcquired": bought_goodwill + bought_rights,
    }


def _finance(rng: random.Random, rates: Mapping[str, float], revenue: int, after: Sheet, net_income: int) -> Sheet:
    """Return borrowing, repayment, dividends and buybacks, and update debt, paid-in capital and retained earnings."""
    repaid = after["LongTermDebtCurrent"]
    borrowed = round(revenue * rates["borrowing"] * rng.uniform(0.4, 1.2))
    debt = after["LongTermDebtCurrent"] + after["LongTermDebtNoncurrent"] + borrowed - repaid
    after["LongTermDebtCurrent"] = round(debt * rng.uniform(0.06, 0.15)) if repaid else 0
    after["LongTermDebtNoncurrent"] = debt - after["LongTermDebtCurrent"]
    dividends = round(max(net_income, 0) * rates["dividends"] * rng.uniform(0.8, 1.2))
    bought_back = round(revenue * rates["repurchases"] * rng.uniform(0.4, 1.3))
    granted = round(revenue * rng.uniform(0.006, 0.03))
    after["AdditionalPaidInCapital"] += granted - bought_back
    after["RetainedEarningsAccumulatedDeficit"] += net_income - dividends
    return {
        "ShareBasedCompensation": granted,
        "ProceedsFromIssuanceOfLongTermDebt": borrowed,
        "RepaymentsOfLongTermDebt": repaid,
        "PaymentsOfDividends": dividends,
        "PaymentsForRepurchaseOfCommonStock": bought_back,
    }


def _lease(rng: random.Random, after: Sheet) -> None:
    """Update leased assets and lease liabilities: new leases and amortization move both sides by the same amount."""
    if not after[LEASED]:
        return
    moved = round(after[LEASED] * rng.uniform(-0.15, 0.2))
    total = after[LEASE_CURRENT] + after[LEASE_LATER] + moved
    after[LEASED] += moved
    after[LEASE_CURRENT] = round(total * rng.uniform(0.12, 0.25))
    after[LEASE_LATER] = total - after[LEASE_CURRENT]


def _roll(
    rng: random.Random, rates: Mapping[str, float], revenue: int, before: Sheet, income: Sheet
) -> tuple[Sheet, Sheet]:
    """Return the closing balances and the cash flows of the next year."""
    after = dict(before)
    flows = _invest(rng, rates, revenue, after) | _finance(rng, rates, revenue, after, income["NetIncomeLoss"])
    for element in _FOLLOW_REVENUE:
        after[element] = round(before[element] * (1 + rates["growth"] + rng.uniform(-0.12, 0.12)))
    after[ALLOWANCE] = max(1, round(after["AccountsReceivableNetCurrent"] * rng.uniform(0.02, 0.08)))
    _lease(rng, after)
    # Long-term securities among the other assets are revalued through equity, without cash.
    revalued = round(revenue * rng.uniform(-0.008, 0.008))
    after["AccumulatedOtherComprehensiveIncomeLossNetOfTax"] += revalued
    after["OtherAssetsNoncurrent"] += revalued + round(revenue * rng.uniform(0.0, 0.01))
    flows[OCI], flows[COMPREHENSIVE] = revalued, income["NetIncomeLoss"] + revalued
    change = {name: after[name] - before[name] for name in before}
    flows["IncreaseDecreaseInAccountsReceivable"] = change["AccountsReceivableNetCurrent"]
    flows["IncreaseDecreaseInInventories"] = change["InventoryNet"]
    flows["IncreaseDecreaseInAccountsPayable"] = change["AccountsPayableCurrent"]
    flows["IncreaseDecreaseInOtherOperatingCapitalNet"] = (
        change["PrepaidExpenseAndOtherAssetsCurrent"]
        + change["OtherAssetsNoncurrent"]
        - revalued
        - change["AccruedLiabilitiesCurrent"]
        - change["ContractWithCustomerLiabilityCurrent"]
        - change["DeferredIncomeTaxLiabilitiesNet"]
        - change["OtherLiabilitiesNoncurrent"]
    )
    flows["PaymentsForProceedsFromShortTermInvestments"] = change["ShortTermInvestments"]
    _subtotal(flows, income["NetIncomeLoss"])
    after[CASH] = before[ALL_CASH] + flows[CASH_CHANGE] - after[RESTRICTED]
    _total(after)
    return after, flows


def _subtotal(flows: Sheet, net_income: int) -> None:
    operating = (
        net_income
        + flows["DepreciationDepletionAndAmortization"]
        + flows["ShareBasedCompensation"]
        - flows["IncreaseDecreaseInAccountsReceivable"]
        - flows["IncreaseDecreaseInInventories"]
        + flows["IncreaseDecreaseInAccountsPayable"]
        - flows["IncreaseDecreaseInOtherOperatingCapitalNet"]
    )
    investing = -(
        flows["PaymentsToAcquirePropertyPlantAndEquipment"]
        + flows["PaymentsToAcquireBusinessesNetOfCashAcquired"]
        + flows["PaymentsForProceedsFromShortTermInvestments"]
    )
    financing = flows["ProceedsFromIssuanceOfLongTermDebt"] - (
        flows["RepaymentsOfLongTermDebt"] + flows["PaymentsOfDividends"] + flows["PaymentsForRepurchaseOfCommonStock"]
    )
    flows["NetCashProvidedByUsedInOperatingActivities"] = operating
    flows["NetCashProvidedByUsedInInvestingActivities"] = investing
    flows["NetCashProvidedByUsedInFinancingActivities"] = financing
    flows[CASH_CHANGE] = operating + investing + financing
