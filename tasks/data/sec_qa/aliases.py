"""Readers' own words for a line: how an analyst names it in a question, instead of by its printed wording.

The first is used in every split, the second tuple in train and validation, the third in test. Only lines that are printed
with the sign of their element are here: a question for a payment would leave its sign open.
"""

from __future__ import annotations

from collections.abc import Mapping

from tasks.data.sec_qa.filer import (
    CASH,
    COMPREHENSIVE,
    COST,
    GROSS_PROPERTY,
    GROSS_RECEIVABLES,
    LEASE_CURRENT,
    LEASE_LATER,
    LEASED,
    OCI,
    PRETAX,
    RESTRICTED,
    REVENUE,
)

Words = tuple[str, tuple[str, ...], tuple[str, ...]]

ALIASES: Mapping[str, Words] = {
    REVENUE: ("sales", ("the top line", "the value of goods sold"), ("turnover", "the amount billed to customers")),
    COST: (
        "the cost of the goods",
        ("the cost of making the goods", "direct costs of sales"),
        ("the direct cost of turnover", "the price of making the goods sold"),
    ),
    "GrossProfit": (
        "the margin after direct costs",
        ("sales less the cost of the goods", "the remainder of sales after direct costs"),
        ("the amount by which sales exceed the cost of the goods", "the remainder after the cost of the goods"),
    ),
    "ResearchAndDevelopmentExpense": (
        "spending on new products",
        ("the R&D bill", "the cost of the laboratories"),
        ("R&D spending", "the cost of developing products"),
    ),
    "SellingGeneralAndAdministrativeExpense": (
        "SG&A",
        ("overhead and selling costs", "the cost of salesforce and head office"),
        ("selling costs and overheads", "the cost of sales staff and administration"),
    ),
    "OperatingExpenses": (
        "all operating costs below gross profit",
        ("the sum of operating costs", "opex in total"),
        ("operating costs taken together", "the total of opex"),
    ),
    "OperatingIncomeLoss": (
        "EBIT",
        ("the result of operations", "the profit of the business before interest and tax"),
        ("the operating result", "the earnings of operations before interest and tax"),
    ),
    "InvestmentIncomeInterest": (
        "the yield of cash and securities",
        ("interest received", "the earnings on deposits"),
        ("income from deposits and securities", "interest earnings"),
    ),
    PRETAX: (
        "profit before tax",
        ("the result ahead of tax", "profit still to be taxed"),
        ("the pre-tax result", "earnings ahead of tax"),
    ),
    "IncomeTaxExpenseBenefit": (
        "the tax charge",
        ("tax on profits", "the bill for income tax"),
        ("the charge for tax on income", "the part that tax took"),
    ),
    "NetIncomeLoss": (
        "the bottom line",
        ("profit after tax", "the final profit of the year"),
        ("after-tax profit", "the profit left for the owners"),
    ),
    OCI: (
        "gains and losses outside the income statement",
        ("the part of the result outside profit or loss",),
        ("revaluations taken directly to equity",),
    ),
    COMPREHENSIVE: (
        "profit together with items outside the income statement",
        ("the overall result, items outside profit included",),
        ("net profit plus the items taken straight to equity",),
    ),
    "EarningsPerShareBasic": (
        "profit per share before dilution",
        ("undiluted profit per share",),
        ("the undiluted result for each share",),
    ),
    "EarningsPerShareDiluted": (
        "profit per share after dilution",
        ("profit per share if all options were exercised",),
        ("the result for each share with options counted",),
    ),
    "WeightedAverageNumberOfSharesOutstandingBasic": (
        "the average share count before dilution",
        ("the undiluted average number of shares",),
        ("the mean number of shares, options left out",),
    ),
    "WeightedAverageNumberOfDilutedSharesOutstanding": (
        "the average share count after dilution",
        ("the average number of shares with options counted",),
        ("the mean number of shares, options included",),
    ),
    CASH: (
        "freely available cash",
        ("money at hand and at the bank", "liquid funds without restriction"),
        ("cash that may be spent freely", "unrestricted liquid funds"),
    ),
    RESTRICTED: (
        "cash that is pledged",
        ("cash not free for use", "money tied up by contract"),
        ("cash set aside under contracts", "liquid funds with strings attached"),
    ),
    "ShortTermInvestments": (
        "securities due within a year",
        ("money placed for the short term",),
        ("short-dated securities",),
    ),
    "AccountsReceivableNetCurrent": (
        "customers' debts after the allowance",
        ("trade debtors net of expected losses",),
        ("customers' open bills less expected losses",),
    ),
    GROSS_RECEIVABLES: (
        "customers' debts before any allowance",
        ("trade debtors before expected losses",),
        ("customers' open bills in full",),
    ),
    "InventoryNet": (
        "goods in stock",
        ("stocks", "unsold goods and materials"),
        ("the stock of goods", "goods on the shelf"),
    ),
    "PrepaidExpenseAndOtherAssetsCurrent": (
        "advance payments and sundry short-term assets",
        ("costs paid ahead and the like",),
        ("expenses paid in advance and small items",),
    ),
    "AssetsCurrent": (
        "everything that turns into cash within a year",
        ("all short-term assets", "the short-term asset total"),
        ("short-term assets together", "the sum of assets due within a year"),
    ),
    "PropertyPlantAndEquipmentNet": (
        "plant and equipment after depreciation",
        ("the book value of fixed assets", "buildings and machines at book value"),
        ("the carrying amount of plant", "fixed assets less wear"),
    ),
    GROSS_PROPERTY: (
        "plant and equipment before depreciation",
        ("buildings and machines at their original price",),
        ("the original cost of plant",),
    ),
    LEASED: (
        "assets used under leases",
        ("the value of leased premises and vehicles",),
        ("the right to use rented assets",),
    ),
    "Goodwill": (
        "the premium paid for acquired businesses",
        ("the excess paid over net assets of acquired firms",),
        ("the price of takeovers above net assets",),
    ),
    "IntangibleAssetsNetExcludingGoodwill": (
        "patents, brands and licences",
        ("acquired rights at book value",),
        ("customer lists, brands and the like",),
    ),
    "Assets": (
        "the balance sheet total",
        ("everything the company owned", "all that the company owned"),
        ("the sum of everything owned", "the size of the balance sheet"),
    ),
    "AccountsPayableCurrent": (
        "debts to suppliers of goods",
        ("trade creditors", "open bills of suppliers"),
        ("amounts owed to suppliers", "suppliers' unpaid bills"),
    ),
    "AccruedLiabilitiesCurrent": (
        "costs incurred and not yet billed",
        ("accruals",),
        ("expenses owed without a bill",),
    ),
    "ContractWithCustomerLiabilityCurrent": (
        "customers' payments for work still to be done",
        ("money received for later delivery",),
        ("cash taken for goods not yet delivered",),
    ),
    "LongTermDebtCurrent": (
        "borrowings to be repaid within a year",
        ("the slice of loans falling due soon",),
        ("debt maturing in the next twelve months",),
    ),
    "LongTermDebtNoncurrent": (
        "borrowings to be repaid after more than a year",
        ("loans beyond the next twelve months",),
        ("debt maturing later than a year from then",),
    ),
    LEASE_CURRENT: (
        "rent obligations of the coming year",
        ("lease payments owed within twelve months",),
        ("the part of lease debt due soon",),
    ),
    LEASE_LATER: (
        "rent obligations beyond the coming year",
        ("lease payments owed after twelve months",),
        ("the part of lease debt due later",),
    ),
    "LiabilitiesCurrent": (
        "all debts due within a year",
        ("the short-term liability total", "short-term obligations in all"),
        ("short-term liabilities together", "the sum of debts falling due within a year"),
    ),
    "Liabilities": (
        "everything owed to outsiders",
        ("all debts", "obligations in total"),
        ("the sum of all obligations", "debts of every kind together"),
    ),
    "StockholdersEquity": (
        "the owners' stake",
        ("net worth", "the book value of the shares"),
        ("the book value of equity", "the capital belonging to the owners"),
    ),
    "AdditionalPaidInCapital": (
        "the owners' payments above par",
        ("share premium",),
        ("contributions of owners beyond par",),
    ),
    "RetainedEarningsAccumulatedDeficit": (
        "profits left in the business",
        ("profits that were never paid out",),
        ("undistributed profits",),
    ),
    "DepreciationDepletionAndAmortization": (
        "the non-cash charge for wear of assets",
        ("D&A", "write-downs over useful lives"),
        ("the yearly write-off of long-lived assets", "D&A charges"),
    ),
    "ShareBasedCompensation": (
        "pay in the form of shares",
        ("the cost of stock awards",),
        ("the cost of awarding stock to staff",),
    ),
    "NetCashProvidedByUsedInOperatingActivities": (
        "cash from the business itself",
        ("operating cash flow",),
        ("the cash that operations brought in",),
    ),
    "NetCashProvidedByUsedInInvestingActivities": (
        "the cash balance of investing",
        ("investing cash flow",),
        ("net cash of investing",),
    ),
    "NetCashProvidedByUsedInFinancingActivities": (
        "the cash balance of financing",
        ("financing cash flow",),
        ("net cash of financing",),
    ),
    "ProceedsFromIssuanceOfLongTermDebt": (
        "new borrowing",
        ("loans newly taken up",),
        ("cash from fresh loans",),
    ),
}

# Lines that are easily taken for each other: questions for one of them need the other beside it.
TWINS: tuple[tuple[str, tuple[str, str]], ...] = (
    ("balance", ("LongTermDebtCurrent", "LongTermDebtNoncurrent")),
    ("balance", (LEASE_CURRENT, LEASE_LATER)),
    ("balance", (CASH, RESTRICTED)),
    ("balance", ("AssetsCurrent", "Assets")),
    ("balance", ("LiabilitiesCurrent", "Liabilities")),
    ("balance", ("Goodwill", "IntangibleAssetsNetExcludingGoodwill")),
    ("balance", ("AccountsPayableCurrent", "AccruedLiabilitiesCurrent")),
    ("balance", ("AdditionalPaidInCapital", "RetainedEarningsAccumulatedDeficit")),
    ("receivables", (GROSS_RECEIVABLES, "AccountsReceivableNetCurrent")),
    ("property", (GROSS_PROPERTY, "PropertyPlantAndEquipmentNet")),
    ("income", ("GrossProfit", "OperatingIncomeLoss")),
    ("income", (PRETAX, "NetIncomeLoss")),
    ("income", ("SellingGeneralAndAdministrativeExpense", "OperatingExpenses")),
    ("comprehensive", ("NetIncomeLoss", COMPREHENSIVE)),
    ("comprehensive", ("EarningsPerShareBasic", "EarningsPerShareDiluted")),
    (
        "comprehensive",
        ("WeightedAverageNumberOfSharesOutstandingBasic", "WeightedAverageNumberOfDilutedSharesOutstanding"),
    ),
    ("cash flow", ("NetIncomeLoss", "NetCashProvidedByUsedInOperatingActivities")),
    (
        "cash flow",
        ("NetCashProvidedByUsedInInvestingActivities", "NetCashProvidedByUsedInFinancingActivities"),
    ),
)
CHANGE_LINES: Mapping[str, tuple[str, ...]] = {
    "income": (
        REVENUE,
        COST,
        "GrossProfit",
        "ResearchAndDevelopmentExpense",
        "SellingGeneralAndAdministrativeExpense",
        "OperatingExpenses",
        "OperatingIncomeLoss",
        PRETAX,
        "IncomeTaxExpenseBenefit",
        "NetIncomeLoss",
    ),
    "balance": (
        CASH,
        "AccountsReceivableNetCurrent",
        "InventoryNet",
        "AssetsCurrent",
        "PropertyPlantAndEquipmentNet",
        LEASED,
        "Assets",
        "AccountsPayableCurrent",
        "LiabilitiesCurrent",
        "LongTermDebtNoncurrent",
        "Liabilities",
        "RetainedEarningsAccumulatedDeficit",
        "StockholdersEquity",
    ),
    "cash flow": ("DepreciationDepletionAndAmortization", "NetCashProvidedByUsedInOperatingActivities"),
}
