"""Formulas over the accounts of one company: liquidity, cash flow, margins, returns, turnover, coverage.

The value is that of the formula as the problem states it: per cent for "× 100", otherwise a fraction.
"""

from __future__ import annotations

from collections.abc import Mapping

from tasks.data.financial_math.reader import Reading, amount, ratio

_ASSETS = amount("current assets")
_LIABILITIES = amount("current liabilities")
_EBIT = amount("ebit", r"earnings before interest and taxes(?: \(ebit\))?")
_INCOME = amount("net income")
_EQUITY = amount(r"(?<!to-)(?<!return on )(?<!'s )(?<!s' )(?<!shareholder )equity", r"shareholders?'?s?'? equity")

ACCOUNTS: Mapping[str, tuple[Reading, ...]] = {
    "Debt-to-Equity Ratio": (
        ratio(
            amount(r"(?:total )?liabilities"),
            _EQUITY,
            refused={
                r"\bincreases\b": "figures of two years",
                "current liabilities": "unclear whether these are all liabilities",
            },
        ),
    ),
    "Current Ratio": (ratio(_ASSETS, amount(r"(?:current )?liabilities")),),
    "Quick Ratio (Acid-Test Ratio)": (
        Reading(
            {
                "assets": _ASSETS,
                "inventories": (
                    *amount(r"inventor(?:y|ies)"),
                    r"#m tied up in inventories",
                    ("without any inventories", 0),
                ),
                "liabilities": _LIABILITIES,
            },
            lambda assets, inventories, liabilities: (assets - inventories) / liabilities,
        ),
    ),
    "Operating Cash Flow (OCF)": (
        Reading(
            {
                "net_income": amount("net income"),
                "depreciation": amount(r"depres?c?i?ation"),
                "change": (r"changes in working capital~#m", ("no changes in working capital", 0)),
            },
            lambda net_income, depreciation, change: net_income + depreciation + change,
            refused={
                r"increase|decrease|rise|decrement|growth|reduction|hike|decline|upsurge|increment": (
                    "the sign of a rise or fall in working capital is unclear"
                )
            },
        ),
    ),
    "Free Cash Flow (FCF)": (
        Reading(
            {
                "operations": (
                    *amount(r"operat(?:ing|ional) cash flows?"),
                    r"#m (?:cash flow )?from (?:client )?operations",
                    r"#m from service fees as operating cash flow",
                ),
                "spent": (
                    *amount("capital expenditures"),
                    r"(?:spent|spends|invested|invests) #m",
                    r"#m (?:spent|directed)\b",
                    r"#m in expenditures",
                ),
            },
            lambda operations, spent: operations - spent,
            refused={
                "maintenance|research|printing|community|advertis|launch|supplies": "unclear whether this is an investment"
            },
        ),
    ),
    "Gross Profit Margin": (
        Reading(
            {
                "revenue": (
                    *amount(r"revenues?", r"(?:total |drug |artwork )?sales", r"(?:membership )?fees"),
                    r"earn(?:s|ed) #m",
                ),
                "costs": (
                    *amount(
                        r"cost of (?:goods sold|drug production)(?: \(cogs\))?",
                        r"(?:manufacturing |development |operating )?costs?",
                    ),
                    r"spen(?:t|ds) #m",
                    r"#m in purchasing and maintenance costs",
                    r"\bcosts? [a-z -]*?(?:amounted to|were|totaling) #m",
                    r"expenses of #m",
                ),
            },
            lambda revenue, costs: 100 * (revenue - costs) / revenue,
        ),
    ),
    "Operating Margin": (
        ratio(
            amount(r"operating income(?: \(ebit\))?"),
            (*amount("revenues?", "sales"), r"revenue from art sales to be #m"),
            scale=100,
        ),
    ),
    "Net Profit Margin": (
        ratio(
            amount(r"net profits?(?! margin)"),
            amount("revenues?"),
            scale=100,
            refused={"selling products": "unclear what is asked"},
        ),
    ),
    "Return on Assets (ROA)": (ratio(_INCOME, amount("(?:total )?assets"), scale=100),),
    "Return on Equity (ROE)": (
        ratio((*amount("net income", "profits?", "earnings"), r"earned #m"), _EQUITY, scale=100),
    ),
    "Inventory Turnover": (
        ratio(
            (*amount(r"cost of goods sold(?: \(cgs\))?"), r"costs amounting to #m for goods sold"),
            amount("average inventory(?: (?:level|valuation|valued))?"),
            refused={"beginning inventory": "see the other wording"},
        ),
        Reading(
            {
                "cost": amount("cost of goods sold"),
                "beginning": amount("beginning inventory"),
                "ending": amount("ending inventory"),
            },
            lambda cost, beginning, ending: cost / ((beginning + ending) / 2),
        ),
    ),
    "Days Sales Outstanding (DSO)": (
        Reading(
            {
                "receivable": (
                    *amount(r"accounts receivable", "receivables", "unpaid customer accounts"),
                    r"#m (?:still pending in|outstanding from|owed by) (?:accounts receivable|customers)",
                    r"accounts amount to #m",
                    r"#m in unpaid",
                ),
                "sales": (*amount(r"(?:total )?credit sales"), r"#m (?:worth of sales|in sales) on credit"),
                "days": (r"#n[- ]days?\b", r"accounting period is #n"),
            },
            lambda receivable, sales, days: receivable / sales * days,
            ignored=(r"#w-year",),
        ),
    ),
    "Accounts Receivable Turnover": (
        ratio(
            (*amount("net credit sales"), r"#m through net credit sales"),
            amount(r"average accounts receivable(?: amount)?"),
        ),
    ),
    "Debt Service Coverage Ratio (DSCR)": (
        ratio(
            amount(r"net operating (?:loads )?income"),
            (
                *amount(
                    r"debt (?:service(?! coverage)|repayments?|payments?|obligations)(?: payments?)?",
                    r"mortgage payment",
                ),
                r"pays #m towards debt service",
            ),
        ),
    ),
    "Interest Coverage Ratio": (
        ratio(
            (*_EBIT, r"#m before taxes and interest"),
            amount(r"interests? (?:expenses?|payments|costs?)", "debt interest cost", "cost of interest on debt"),
        ),
    ),
    "Working Capital": (
        Reading(
            {
                "assets": (
                    *amount(r"current assets"),
                    r"#m in cash, (?:accounts receivables?, and inventory|inventory, and receivables)",
                ),
                "liabilities": (
                    *amount(r"current (?:more )?liabilities", "short-term (?:debts|obligations)"),
                    r"#m in debts requiring payment in less than a year",
                    r"liabilities due within the year are #m",
                    r"#m in liabilities payable within the next year",
                    r"#m due to vendors within a year",
                    r"#m in accounts payable and short-term debts",
                ),
            },
            lambda assets, liabilities: assets - liabilities,
        ),
    ),
}
