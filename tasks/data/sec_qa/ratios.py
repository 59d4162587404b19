"""The measures of the questions: their lines, their value, and how a reader names or describes them.

A flow over a balance takes the average of the opening and the closing balance wherever practice does, and the question says
so. A measure at one balance date (the current ratio) has no average.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

from tasks.data.sec_qa.filer import CASH, COST, PRETAX, REVENUE
from tasks.data.sec_qa.insurer import BONDS, CLAIMS, EARNED, OTHER_COSTS, RESERVES, WRITTEN, WRITTEN_OFF, YIELD

CFO = "NetCashProvidedByUsedInOperatingActivities"
CAPEX = "PaymentsToAcquirePropertyPlantAndEquipment"
DIVIDENDS = "PaymentsOfDividends"
DA = "DepreciationDepletionAndAmortization"
EBIT = "OperatingIncomeLoss"
EQUITY = "StockholdersEquity"
RECEIVABLES, PAYABLES, PROPERTY = (
    "AccountsReceivableNetCurrent",
    "AccountsPayableCurrent",
    "PropertyPlantAndEquipmentNet",
)
RESEARCH, SELLING = "ResearchAndDevelopmentExpense", "SellingGeneralAndAdministrativeExpense"
CURRENT, CURRENT_DEBTS = "AssetsCurrent", "LiabilitiesCurrent"
DEBT = "LongTermDebtNoncurrent"

Value = Callable[..., Fraction]


@dataclass(frozen=True)
class Ratio:
    """A measure of `lines`, in order the arguments of `value`; those in `averaged` enter as averages.

    `name` is used in all splits, `words` in train and validation, `test_words` in test. `unit` is percent, times, days or amount.
    `rivals` are lines that would allow another common definition.
    """

    name: str
    words: str
    test_words: str
    unit: str
    statement: str
    lines: tuple[str, ...]
    value: Value
    averaged: tuple[str, ...] = ()
    rivals: tuple[str, ...] = ()


def _share(a: Fraction, b: Fraction) -> Fraction:
    return 100 * a / b


def _over(a: Fraction, b: Fraction) -> Fraction:
    return a / b


def _days(stock: Fraction, flow: Fraction) -> Fraction:
    return 365 * stock / flow


_S, _I, _B = "selected", "income", "balance"

RATIOS: tuple[Ratio, ...] = (
    Ratio("the gross margin", "the part of sales left after the cost of the goods", "gross profit as a share of turnover", "percent", _I, ("GrossProfit", REVENUE), _share),
    Ratio("the operating margin", "the operating profit on each hundred dollars of sales", "EBIT as a share of turnover", "percent", _I, (EBIT, REVENUE), _share),
    Ratio("the net margin", "the part of sales that remains as net profit", "the bottom line relative to turnover", "percent", _I, ("NetIncomeLoss", REVENUE), _share),
    Ratio("the effective tax rate", "the share of pre-tax profit taken by tax", "tax as a part of profit before it", "percent", _I, ("IncomeTaxExpenseBenefit", PRETAX), _share),
    Ratio("the R&D intensity", "the share of sales spent on research", "research spending relative to turnover", "percent", _I, (RESEARCH, REVENUE), _share),
    Ratio("the SG&A ratio", "overheads as a share of sales", "selling and administrative cost relative to turnover", "percent", _I, (SELLING, REVENUE), _share),
    Ratio("the markup on cost", "gross profit relative to the cost of what was sold", "the surcharge over the cost of the goods", "percent", _I, ("GrossProfit", COST), _share),
    Ratio("interest coverage", "how often operating profit pays the interest", "EBIT as a multiple of interest", "times", _S, (EBIT, "InterestExpense"), _over),
    Ratio("the current ratio", "short-term assets over short-term liabilities", "how often debts due within a year are covered by short-term assets", "times", _B, (CURRENT, CURRENT_DEBTS), _over),
    Ratio("the quick ratio (current assets without inventory)", "short-term assets without stocks over short-term liabilities", "the cover of short-term debts if the stock of goods is left out", "times", _S, (CURRENT, "InventoryNet", CURRENT_DEBTS), lambda a, b, c: (a - b) / c, (), ("PrepaidExpenseAndOtherAssetsCurrent",)),
    Ratio("the cash ratio", "cash over short-term liabilities", "the part of short-term debts that cash would pay", "times", _S, (CASH, CURRENT_DEBTS), _over),
    Ratio("working capital", "short-term assets less short-term liabilities", "the remainder of short-term assets once short-term debts are paid", "amount", _B, (CURRENT, CURRENT_DEBTS), lambda a, b: a - b),
    Ratio("liabilities to equity", "debts of all kinds per dollar of equity", "total obligations as a multiple of the owners' capital", "times", _B, ("Liabilities", EQUITY), _over),
    Ratio("the equity ratio", "the part of the balance sheet that owners finance", "owners' capital as a share of all assets", "percent", _B, (EQUITY, "Assets"), _share, (), ("LiabilitiesAndStockholdersEquity",)),
    Ratio("the debt ratio (liabilities to assets)", "the part of the assets that outsiders finance", "total obligations as a share of all assets", "percent", _B, ("Liabilities", "Assets"), _share, (), ("LiabilitiesAndStockholdersEquity",)),
    Ratio("long-term debt to equity", "noncurrent loans per dollar of equity", "borrowings beyond a year as a multiple of the owners' capital", "times", _S, (DEBT, EQUITY), _over),
    Ratio("noncurrent debt less cash", "long-term loans after repayment with all cash", "long-term borrowings net of cash", "amount", _S, (DEBT, CASH), lambda a, b: a - b),
    Ratio("the return on average equity", "net profit per hundred dollars of the owners' mean stake", "the yield on the owners' capital (opening and closing averaged)", "percent", _S, ("NetIncomeLoss", EQUITY), _share, (EQUITY,)),
    Ratio("the return on average assets", "net profit relative to the mean balance sheet total", "the yield on all assets (opening and closing averaged)", "percent", _S, ("NetIncomeLoss", "Assets"), _share, ("Assets",)),
    Ratio("the operating return on average assets", "operating profit relative to mean total assets", "EBIT on the average of opening and closing assets", "percent", _S, (EBIT, "Assets"), _share, ("Assets",)),
    Ratio("asset turnover on average assets", "sales per dollar of mean total assets", "how often turnover covers assets (opening and closing averaged)", "times", _S, (REVENUE, "Assets"), _over, ("Assets",)),
    Ratio("fixed asset turnover on average property", "sales per dollar of mean plant and equipment", "turnover as a multiple of plant (opening and closing averaged)", "times", _S, (REVENUE, PROPERTY), _over, (PROPERTY,)),
    Ratio("inventory turnover on average inventory", "how often the mean stock was sold, at cost", "cost of the goods as a multiple of stock (opening and closing averaged)", "times", _S, (COST, "InventoryNet"), _over, ("InventoryNet",)),
    Ratio("receivables turnover on average receivables", "sales per dollar that customers owed on average", "turnover as a multiple of customers' bills (opening and closing averaged)", "times", _S, (REVENUE, RECEIVABLES), _over, (RECEIVABLES,)),
    Ratio("payables turnover on average payables", "cost of sales per dollar owed to suppliers on average", "cost of the goods as a multiple of suppliers' bills (opening and closing averaged)", "times", _S, (COST, PAYABLES), _over, (PAYABLES,)),
    Ratio("days sales outstanding on average receivables", "for how many days of sales customers owed on average", "the collection period from mean customers' bills, a year having 365 days", "days", _S, (RECEIVABLES, REVENUE), _days, (RECEIVABLES,)),
    Ratio("days inventory outstanding on average inventory", "for how many days of cost of sales the mean stock lasted", "the days that goods lay in stock, from the mean of both year-ends", "days", _S, ("InventoryNet", COST), _days, ("InventoryNet",)),
    Ratio("days payable outstanding on average payables", "after how many days of cost of sales suppliers were paid on average", "the days' credit of suppliers, from the mean of both year-ends", "days", _S, (PAYABLES, COST), _days, (PAYABLES,)),
    Ratio("days sales outstanding on closing receivables", "for how many days of sales customers owed at the year-end", "the collection period from customers' bills at the close, a year having 365 days", "days", _S, (RECEIVABLES, REVENUE), _days),
    Ratio("days inventory outstanding on closing inventory", "for how many days of cost of sales the stock at the year-end lasts", "the days that goods last, from the closing stock alone", "days", _S, ("InventoryNet", COST), _days),
    Ratio("operating cash flow to current liabilities", "cash from operations per dollar of short-term debts", "the part of short-term debts that one year's operating cash pays", "times", _S, (CFO, CURRENT_DEBTS), _over),
    Ratio("the operating cash flow margin", "the part of sales that came in as operating cash", "cash from operations relative to turnover", "percent", _S, (CFO, REVENUE), _share),
    Ratio("cash conversion (operating cash flow to net income)", "operating cash per dollar of net profit", "how much of the bottom line arrived as operating cash", "times", _S, (CFO, "NetIncomeLoss"), _over),
    Ratio("free cash flow", "operating cash less capital expenditure", "the operating cash that remains once plant has been bought", "amount", _S, (CFO, CAPEX), lambda a, b: a - b),
    Ratio("the free cash flow margin", "operating cash less capital expenditure, on sales", "operating cash after buying plant, relative to turnover", "percent", _S, (CFO, CAPEX, REVENUE), lambda a, b, c: 100 * (a - b) / c),
    Ratio("the payout ratio", "the part of net profit paid to shareholders as dividends", "dividends relative to the bottom line", "percent", _S, (DIVIDENDS, "NetIncomeLoss"), _share),
    Ratio("the retention ratio", "the part of net profit that was not paid as dividends", "the part of each hundred dollars of profit kept in the business", "percent", _S, (DIVIDENDS, "NetIncomeLoss"), lambda a, b: 100 * (b - a) / b),
    Ratio("EBITDA", "operating profit before depreciation and amortization", "EBIT with the write-off of long-lived assets added back", "amount", _S, (EBIT, DA), lambda a, b: a + b),
    Ratio("the EBITDA margin", "operating profit before depreciation, on sales", "EBIT plus the write-off of long-lived assets, relative to turnover", "percent", _S, (EBIT, DA, REVENUE), lambda a, b, c: 100 * (a + b) / c),
    Ratio("capital expenditure to depreciation", "capital spending per dollar of depreciation", "how often the plant bought replaces the year's write-off", "times", _S, (CAPEX, DA), _over),
)  # fmt: skip
_P, _IN = "insurer selected", "insurer income"
INSURER: tuple[Ratio, ...] = (
    Ratio("the loss ratio", "", "claims as a share of premiums earned", "percent", _P, (CLAIMS, EARNED), _share),
    Ratio("the expense ratio on premiums earned", "", "underwriting costs as a share of premiums earned", "percent", _P, (WRITTEN_OFF, OTHER_COSTS, EARNED), lambda a, b, c: 100 * (a + b) / c),
    Ratio("the combined ratio on premiums earned", "", "claims and underwriting costs as a share of premiums earned", "percent", _P, (CLAIMS, WRITTEN_OFF, OTHER_COSTS, EARNED), lambda a, b, c, d: 100 * (a + b + c) / d),
    Ratio("the underwriting result", "", "premiums earned less claims and underwriting costs", "amount", _IN, (EARNED, CLAIMS, WRITTEN_OFF, OTHER_COSTS), lambda a, b, c, d: a - b - c - d),
    Ratio("the yield on average bonds", "", "investment income on the mean of opening and closing bonds", "percent", _P, (YIELD, BONDS), _share, (BONDS,)),
    Ratio("the insurer's return on average equity", "", "the bottom line on the owners' mean capital", "percent", _P, ("NetIncomeLoss", EQUITY), _share, (EQUITY,)),
    Ratio("premiums written to equity", "", "premiums written per dollar of the owners' capital", "times", _P, (WRITTEN, EQUITY), _over),
    Ratio("claims reserves to equity", "", "unpaid claims as a multiple of the owners' capital", "times", _P, (RESERVES, EQUITY), _over),
)  # fmt: skip
EVERY = {**{ratio.name: ratio for ratio in INSURER}, **{ratio.name: ratio for ratio in RATIOS}}
AMOUNTS = tuple(ratio for ratio in RATIOS if ratio.unit == "amount")
POINTS = tuple(ratio for ratio in RATIOS if ratio.unit == "percent" and not ratio.averaged)


def decimal_text(value: Fraction, decimals: int) -> str | None:
    """Return the value with this number of decimals; None if it is zero, or too close to the middle of two roundings."""
    scaled = value * 10**decimals
    if abs(abs(scaled) % 1 - Fraction(1, 2)) < Fraction(1, 1000):
        return None
    exact = (Decimal(scaled.numerator) / Decimal(scaled.denominator)).quantize(Decimal(1), ROUND_HALF_UP)
    return f"{exact.scaleb(-decimals):.{decimals}f}" if exact else None
