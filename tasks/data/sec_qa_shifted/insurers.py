"""The insurers of `sec_qa_shifted`: their printed lines, readers' words for them, and the subjects of the questions."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tasks.data.sec_qa import insurer
from tasks.data.sec_qa.changes import change
from tasks.data.sec_qa.explanations import explain
from tasks.data.sec_qa.filer import CASH, PRETAX, Filer
from tasks.data.sec_qa.make import Kinds
from tasks.data.sec_qa.measures import computed
from tasks.data.sec_qa.ratios import INSURER
from tasks.data.sec_qa.twins import twin
from tasks.data.sec_qa.voice import Voice, voice

FORMS = ("Insurance Co.", "Assurance Corp.", "Indemnity Inc.", "Casualty Ltd.")
LINES: Mapping[str, tuple[str, ...]] = {
    insurer.WRITTEN: ("Net premiums written", "Premiums written, net of reinsurance"),
    insurer.EARNED: ("Net premiums earned", "Premiums earned, net of reinsurance"),
    insurer.YIELD: ("Net investment income", "Investment income, net of expenses"),
    insurer.GAINS: ("Net gains (losses) on investments", "Net investment gains (losses)"),
    insurer.REVENUES: ("Total revenues, insurance", "Premiums and investment result"),
    insurer.CLAIMS: ("Losses and loss adjustment expenses", "Losses and loss expenses incurred"),
    insurer.WRITTEN_OFF: ("Amortization of deferred policy acquisition costs", "Policy acquisition costs"),
    insurer.OTHER_COSTS: ("Other underwriting expenses", "General underwriting expenses"),
    "InterestExpense": ("Interest on notes", "Interest on debt"),
    insurer.COSTS: ("Total benefits, losses and expenses", "Losses and expenses, total"),
    PRETAX: ("Profit before income tax", "Earnings before tax"),
    "IncomeTaxExpenseBenefit": ("Income tax charge (benefit)", "Federal income tax (benefit)"),
    "NetIncomeLoss": ("Net profit (loss)", "Net profit (loss) of the year"),
    insurer.BONDS: ("Fixed maturities, available for sale", "Bonds, available for sale"),
    insurer.SHARES: ("Equity securities, at fair value", "Common stocks, at fair value"),
    CASH: ("Cash and short-term funds", "Cash in banks and on hand"),
    insurer.DUE: ("Premiums receivable", "Premium balances due from agents"),
    insurer.DEFERRED: ("Deferred policy acquisition costs", "Acquisition costs, deferred"),
    "Assets": ("Total assets",),
    insurer.RESERVES: ("Reserve for losses and loss adjustment expenses", "Unpaid losses and loss expenses"),
    insurer.UNEARNED: ("Unearned premiums", "Unearned premium reserve"),
    "LongTermDebt": ("Senior notes", "Notes payable"),
    "OtherLiabilities": ("Accounts payable and other", "Sundry liabilities"),
    "Liabilities": ("Total liabilities",),
    insurer.CAPITAL: ("Paid-in surplus", "Surplus paid in"),
    insurer.RETAINED: ("Earned surplus", "Retained earnings of the insurer"),
    insurer.OCI_SUM: ("Unrealized appreciation (depreciation), net", "Net unrealized gains (losses)"),
    "StockholdersEquity": ("Shareholders' equity, total",),
    "LiabilitiesAndStockholdersEquity": ("Total liabilities and surplus",),
}
ALIASES: Mapping[str, tuple[str, ...]] = {
    insurer.WRITTEN: ("premiums for policies sold", "the volume of new and renewed policies"),
    insurer.EARNED: ("premiums for cover already given", "the premiums of expired cover"),
    insurer.YIELD: ("interest and dividends of the portfolio", "the running yield of investments"),
    insurer.CLAIMS: ("the cost of claims", "the burden of claims and their settlement"),
    insurer.WRITTEN_OFF: ("commissions charged against income", "brokers' pay written off in the year"),
    insurer.OTHER_COSTS: ("overheads of underwriting", "running costs of the insurance business"),
    insurer.COSTS: ("claims and costs together", "the sum of all charges"),
    PRETAX: ("profit before tax", "earnings still to be taxed"),
    "NetIncomeLoss": ("the bottom line", "after-tax profit"),
    insurer.BONDS: ("the bond portfolio", "fixed-interest holdings"),
    insurer.SHARES: ("the stock portfolio", "holdings of shares"),
    CASH: ("liquid funds", "money at hand"),
    insurer.DUE: ("premiums that customers still owe", "premiums not yet collected"),
    insurer.DEFERRED: ("commissions carried forward", "brokers' pay not yet charged"),
    "Assets": ("the balance sheet total", "the size of the balance sheet"),
    insurer.RESERVES: ("provisions for claims not yet paid", "the estimate of claims still to be settled"),
    insurer.UNEARNED: ("premiums for cover still to come", "premiums kept for the unexpired term"),
    "LongTermDebt": ("borrowed money", "bonds that the insurer itself issued"),
    "Liabilities": ("everything owed to outsiders", "the sum of all obligations"),
    insurer.RETAINED: ("profits left in the business", "undistributed profits"),
    "StockholdersEquity": ("the owners' stake", "the capital belonging to the owners"),
}
TITLES: Mapping[str, tuple[str, ...]] = {
    "insurer income": ("Statements of Consolidated Income and Underwriting",),
    "insurer balance": ("Statements of Consolidated Financial Condition",),
    "insurer selected": ("Selected Insurance Data",),
}
_INCOME, _BALANCE = "insurer income", "insurer balance"
_TWINS = (
    (_INCOME, (insurer.WRITTEN, insurer.EARNED)),
    (_INCOME, (insurer.CLAIMS, insurer.COSTS)),
    (_INCOME, (insurer.WRITTEN_OFF, insurer.OTHER_COSTS)),
    (_INCOME, (PRETAX, "NetIncomeLoss")),
    (_BALANCE, (insurer.BONDS, insurer.SHARES)),
    (_BALANCE, (insurer.RESERVES, insurer.UNEARNED)),
    (_BALANCE, (insurer.DUE, insurer.DEFERRED)),
    (_BALANCE, ("Liabilities", insurer.RESERVES)),
)
_LINES = (
    *((_INCOME, key) for key in (insurer.WRITTEN, insurer.EARNED, insurer.CLAIMS, insurer.YIELD, "NetIncomeLoss")),
    *((_BALANCE, key) for key in (insurer.BONDS, insurer.RESERVES, insurer.UNEARNED, "Assets", "StockholdersEquity")),
)
KINDS: Kinds = {
    "twin": (twin, tuple(("lines", statement, pair) for statement, pair in _TWINS)),
    "change": (
        change,
        (
            *(("amount", statement, key) for statement, key in _LINES),
            *(("percent", statement, key) for statement, key in _LINES),
            *(("compound", statement, key) for statement, key in _LINES[:4]),
            *(("lead", key, insurer.EARNED) for key in 4 * (insurer.CLAIMS, insurer.WRITTEN)),
            *(("measure", "", ratio.name) for ratio in INSURER if ratio.unit == "amount"),
            *(("points", "", ratio.name) for ratio in 2 * INSURER if ratio.unit == "percent" and not ratio.averaged),
        ),
    ),
    "computed": (computed, tuple(("ratio", ratio.name) for ratio in INSURER)),
    "explain": (
        explain,
        (
            *2 * (("moved", _INCOME, PRETAX),),
            *2 * (("moved", _BALANCE, "Assets"),),
            *2 * (("moved", _BALANCE, "Liabilities"),),
            ("moved", _BALANCE, "StockholdersEquity"),
        ),
    ),
}


def insurer_voice() -> Voice:
    """Return the wording of the insurers' accounts: the test's sentences and heads, with lines and measures of insurance."""
    usual = voice("test")
    measures = {ratio.name: (ratio.name, ratio.test_words) for ratio in INSURER}
    titles: dict[str, Any] = {**usual.titles, **TITLES}
    return replace(usual, titles=titles, aliases=ALIASES, measures=measures, aside={})


def insurer_of(rng: random.Random, filer: Filer) -> Filer:
    """Return an insurer with the unit, the years and the style of a filing."""
    while (values := insurer.figures(rng, filer.years, filer.unit)) is None:
        pass
    wording = {key: rng.choice(texts) for key, texts in LINES.items()}
    return replace(filer, name=f"{filer.name.split()[0]} {rng.choice(FORMS)}", values=values, wording=wording)
