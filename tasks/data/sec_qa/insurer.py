"""Fictional insurers for `sec_qa_shifted`: figures of three years that tie together, in the elements of property insurers.

Premiums written less the rise of unearned premiums are earned; claims incurred less the rise of the liability for claims are paid;
acquisition costs are deferred and written off. Cash moves by what is received and paid, so that assets equal liabilities and
equity without a balancing item.
"""

from __future__ import annotations

import random
from collections.abc import Mapping

from tasks.data.sec_qa.filer import CASH, PRETAX, Number, Sheet

WRITTEN, EARNED = "PremiumsWrittenNet", "PremiumsEarnedNet"
CLAIMS, RESERVES, UNEARNED = (
    "PolicyholderBenefitsAndClaimsIncurredNet",
    "LiabilityForClaimsAndClaimsAdjustmentExpense",
    "UnearnedPremiums",
)
DEFERRED, WRITTEN_OFF = "DeferredPolicyAcquisitionCosts", "DeferredPolicyAcquisitionCostAmortizationExpense"
OTHER_COSTS, COSTS = "OtherUnderwritingExpense", "BenefitsLossesAndExpenses"
YIELD, GAINS, REVENUES = "NetInvestmentIncome", "GainLossOnInvestments", "Revenues"
BONDS, SHARES = "DebtSecuritiesAvailableForSaleExcludingAccruedInterest", "EquitySecuritiesFvNi"
DUE = "PremiumsReceivableAtCarryingValue"
CAPITAL, RETAINED, OCI_SUM = (
    "AdditionalPaidInCapital",
    "RetainedEarningsAccumulatedDeficit",
    "AccumulatedOtherComprehensiveIncomeLossNetOfTax",
)
ASSETS = (BONDS, SHARES, CASH, DUE, DEFERRED)
LIABILITIES = (RESERVES, UNEARNED, "LongTermDebt", "OtherLiabilities")
EQUITY = (CAPITAL, RETAINED, OCI_SUM)


def figures(rng: random.Random, years: tuple[int, ...], unit: str) -> dict[str, dict[int, Number]] | None:
    """Return an insurer's random figures for `years` (oldest first) and the opening balances; None if it went bankrupt."""
    earned = round(10 ** (rng.uniform(2.75, 4.3) if unit == "millions" else rng.uniform(3.8, 4.9)))
    rates = {"claims": rng.uniform(0.55, 0.78), "acquisition": rng.uniform(0.12, 0.2), "other": rng.uniform(0.08, 0.15)}
    growth, yields, payout = rng.uniform(-0.04, 0.12), rng.uniform(0.025, 0.05), rng.uniform(0.1, 0.5)
    before = _opening(rng, earned)
    table: dict[str, dict[int, Number]] = {key: {years[0] - 1: value} for key, value in before.items()}
    for year in years:
        earned = round(earned * (1 + growth + rng.uniform(-0.05, 0.05)))
        sheet = _year(rng, rates, earned, before, (yields, payout))
        if sheet[CASH] < earned * 0.02 or sheet["StockholdersEquity"] < earned * 0.15:
            return None
        for key, value in sheet.items():
            table.setdefault(key, {})[year] = value
        before = {key: sheet[key] for key in before}
    return table


def _opening(rng: random.Random, earned: int) -> Sheet:
    sheet = {
        BONDS: round(earned * rng.uniform(1.2, 1.9)),
        SHARES: round(earned * rng.uniform(0.1, 0.4)),
        CASH: round(earned * rng.uniform(0.1, 0.3)),
        DUE: round(earned * rng.uniform(0.15, 0.3)),
        RESERVES: round(earned * rng.uniform(0.7, 1.1)),
        UNEARNED: round(earned * rng.uniform(0.35, 0.5)),
        "LongTermDebt": round(earned * rng.uniform(0.08, 0.2)),
        "OtherLiabilities": round(earned * rng.uniform(0.03, 0.1)),
        CAPITAL: round(earned * rng.uniform(0.1, 0.25)),
        OCI_SUM: round(earned * rng.uniform(-0.08, 0.05)) or 1,
    }
    sheet[DEFERRED] = round(sheet[UNEARNED] * rng.uniform(0.15, 0.25))
    sheet[RETAINED] = sum(sheet[key] for key in ASSETS) - sum(sheet[key] for key in (*LIABILITIES, CAPITAL, OCI_SUM))
    return _totalled(sheet)


def _year(
    rng: random.Random, rates: Mapping[str, float], earned: int, before: Sheet, ways: tuple[float, float]
) -> Sheet:
    """Return the income of a year and the balances at its end."""
    yields, payout = ways
    after = dict(before)
    after[UNEARNED] += round(earned * rng.uniform(-0.03, 0.06))
    written = earned + after[UNEARNED] - before[UNEARNED]
    incurred = round(earned * rates["claims"] * rng.uniform(0.9, 1.1))
    after[RESERVES] += round(incurred * rng.uniform(-0.05, 0.12))
    written_off = round(earned * rates["acquisition"] * rng.uniform(0.95, 1.05))
    after[DEFERRED] = max(1, before[DEFERRED] + round((after[UNEARNED] - before[UNEARNED]) * 0.2))
    other = round(earned * rates["other"] * rng.uniform(0.92, 1.08))
    earning = round((before[BONDS] + before[SHARES]) * yields * rng.uniform(0.95, 1.05))
    gains = round(before[SHARES] * rng.uniform(-0.15, 0.2)) or 1
    interest = round(before["LongTermDebt"] * 0.05)
    revenues, costs = earned + earning + gains, incurred + written_off + other + interest
    tax = round((revenues - costs) * 0.21)
    profit = revenues - costs - tax
    dividends = round(max(profit, 0) * payout)
    revalued = round(before[BONDS] * rng.uniform(-0.03, 0.03))
    bought = round(written * rng.uniform(0.0, 0.12))
    after[DUE] = round(before[DUE] * rng.uniform(0.93, 1.1))
    after["OtherLiabilities"] = round(before["OtherLiabilities"] * rng.uniform(0.93, 1.1))
    after[BONDS] += bought + revalued
    after[SHARES] += gains
    after[OCI_SUM] += revalued
    after[RETAINED] += profit - dividends
    grown = {key: after[key] - before[key] for key in before}
    paid = (
        incurred - grown[RESERVES] + written_off + grown[DEFERRED] + other - grown["OtherLiabilities"] + interest + tax
    )
    after[CASH] += written - grown[DUE] + earning - paid - bought - dividends
    income = {
        WRITTEN: written,
        EARNED: earned,
        YIELD: earning,
        GAINS: gains,
        REVENUES: revenues,
        CLAIMS: incurred,
        WRITTEN_OFF: written_off,
        OTHER_COSTS: other,
        "InterestExpense": interest,
        COSTS: costs,
        PRETAX: revenues - costs,
        "IncomeTaxExpenseBenefit": tax,
        "NetIncomeLoss": profit,
    }
    return income | _totalled(after)


def _totalled(sheet: Sheet) -> Sheet:
    sheet["Assets"] = sum(sheet[key] for key in ASSETS)
    sheet["Liabilities"] = sum(sheet[key] for key in LIABILITIES)
    sheet["StockholdersEquity"] = sum(sheet[key] for key in EQUITY)
    sheet["LiabilitiesAndStockholdersEquity"] = sheet["Liabilities"] + sheet["StockholdersEquity"]
    return sheet
