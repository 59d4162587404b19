"""The wording of European filers under IFRS: lines, statements, heads, columns.

No line name of `sec_qa` is used, except for names common to both worlds (`Goodwill`, `Total assets`).
"""

from __future__ import annotations

from collections.abc import Mapping

from tasks.data.sec_qa.filer import (
    ALLOWANCE,
    CASH,
    CASH_CHANGE,
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
    WORN,
)
from tasks.data.sec_qa.statements import BEGINNING, END, EQUITY_BEGINNING, EQUITY_END

FORMS = ("plc", "plc", "SE", "N.V.", "AG", "S.A.")
CURRENCIES = {"plc": "£"}  # other filers report in euro

LINES: Mapping[str, tuple[str, ...]] = {
    REVENUE: ("Turnover", "Revenue from contracts with customers"),
    COST: ("Cost of goods and services sold", "Cost of turnover"),
    "GrossProfit": ("Gross result", "Gross profit/(loss)"),
    "ResearchAndDevelopmentExpense": ("Expenditure on research and development", "R&D costs"),
    "SellingGeneralAndAdministrativeExpense": ("Distribution and administrative costs", "Selling and overhead costs"),
    "RestructuringCharges": ("Reorganisation costs", "Costs of restructuring measures"),
    "OperatingExpenses": ("Total operating costs", "Sum of operating costs"),
    "OperatingIncomeLoss": ("Result from operating activities", "Trading profit/(loss)"),
    "InterestExpense": ("Finance costs", "Interest payable"),
    "InvestmentIncomeInterest": ("Finance income", "Interest receivable and similar income"),
    "OtherNonoperatingIncomeExpense": ("Other gains/(losses)", "Other non-operating result"),
    PRETAX: ("Profit/(loss) before tax", "Result before tax"),
    "IncomeTaxExpenseBenefit": ("Taxation", "Tax charge/(credit)"),
    "NetIncomeLoss": ("Profit/(loss) for the year", "Result after tax"),
    "EarningsPerShareBasic": ("Basic profit/(loss) per ordinary share", "Undiluted result per share"),
    "EarningsPerShareDiluted": ("Diluted profit/(loss) per ordinary share", "Diluted result per share"),
    "WeightedAverageNumberOfSharesOutstandingBasic": (
        "Average number of ordinary shares",
        "Mean shares in issue, undiluted",
    ),
    "WeightedAverageNumberOfDilutedSharesOutstanding": (
        "Average number of ordinary shares, diluted",
        "Mean shares in issue, diluted",
    ),
    CASH: ("Cash at bank and in hand", "Liquid funds"),
    "ShortTermInvestments": ("Current financial assets", "Short-dated deposits and securities"),
    "AccountsReceivableNetCurrent": ("Trade debtors", "Trade and other receivables"),
    "InventoryNet": ("Stocks", "Stocks of goods"),
    "PrepaidExpenseAndOtherAssetsCurrent": ("Prepayments and accrued income", "Prepayments and sundry current assets"),
    "AssetsCurrent": ("Sum of current assets", "Current assets in total"),
    "PropertyPlantAndEquipmentNet": ("Tangible fixed assets", "Land, buildings, plant and machinery"),
    "Goodwill": ("Goodwill", "Goodwill on consolidation"),
    "IntangibleAssetsNetExcludingGoodwill": (
        "Intangible fixed assets other than goodwill",
        "Licences, patents and software",
    ),
    "OtherAssetsNoncurrent": ("Sundry non-current assets", "Other non-current receivables and assets"),
    "Assets": ("Total assets", "Balance sheet total, assets"),
    "AccountsPayableCurrent": ("Trade creditors", "Amounts owed to suppliers"),
    "AccruedLiabilitiesCurrent": ("Accruals", "Accruals and sundry creditors"),
    "ContractWithCustomerLiabilityCurrent": ("Advance payments from customers", "Deferred income"),
    "LongTermDebtCurrent": ("Current part of borrowings", "Borrowings falling due within one year"),
    "LiabilitiesCurrent": ("Sum of current liabilities", "Creditors due within one year, total"),
    "LongTermDebtNoncurrent": ("Non-current borrowings", "Borrowings falling due after one year"),
    "DeferredIncomeTaxLiabilitiesNet": ("Provision for deferred tax", "Deferred taxation"),
    "OtherLiabilitiesNoncurrent": ("Sundry non-current liabilities", "Other creditors due after one year"),
    "Liabilities": ("Sum of liabilities", "Liabilities in total"),
    "CommonStockValue": ("Called-up share capital", "Issued capital"),
    "AdditionalPaidInCapital": ("Share premium", "Capital reserve"),
    "RetainedEarningsAccumulatedDeficit": ("Profit and loss reserve", "Revenue reserves"),
    "AccumulatedOtherComprehensiveIncomeLossNetOfTax": (
        "Translation and hedging reserves",
        "Reserve for other comprehensive income",
    ),
    "StockholdersEquity": ("Equity attributable to owners", "Shareholders' funds"),
    "LiabilitiesAndStockholdersEquity": ("Total equity and liabilities", "Balance sheet total, equity and liabilities"),
    "DepreciationDepletionAndAmortization": (
        "Depreciation of fixed assets",
        "Depreciation, amortisation and write-downs",
    ),
    "ShareBasedCompensation": ("Equity-settled share awards", "Cost of employee share plans"),
    "IncreaseDecreaseInAccountsReceivable": ("Movement in trade debtors", "Movement in receivables"),
    "IncreaseDecreaseInInventories": ("Movement in stocks", "Stock movement"),
    "IncreaseDecreaseInAccountsPayable": ("Movement in trade creditors", "Movement in amounts owed to suppliers"),
    "IncreaseDecreaseInOtherOperatingCapitalNet": (
        "Movement in other working capital",
        "Other working capital movements",
    ),
    "NetCashProvidedByUsedInOperatingActivities": ("Cash flow from operations", "Cash generated by operations"),
    "PaymentsToAcquirePropertyPlantAndEquipment": (
        "Purchase of tangible fixed assets",
        "Investment in tangible assets",
    ),
    "PaymentsToAcquireBusinessesNetOfCashAcquired": (
        "Purchase of subsidiaries, less their cash",
        "Subsidiaries acquired, less cash",
    ),
    "PaymentsForProceedsFromShortTermInvestments": (
        "Movement in current financial assets",
        "Deposits (placed)/withdrawn",
    ),
    "NetCashProvidedByUsedInInvestingActivities": ("Cash flow from investing", "Cash (spent on)/from investing"),
    "ProceedsFromIssuanceOfLongTermDebt": ("Borrowings drawn", "New loans taken up"),
    "RepaymentsOfLongTermDebt": ("Borrowings repaid", "Redemption of loans"),
    "PaymentsOfDividends": ("Equity dividends paid", "Distribution to owners"),
    "PaymentsForRepurchaseOfCommonStock": ("Own shares bought", "Purchase of own shares"),
    "NetCashProvidedByUsedInFinancingActivities": ("Cash flow from financing", "Cash from/(used for) financing"),
    CASH_CHANGE: ("Movement in liquid funds", "Net movement in cash"),
    BEGINNING: ("Opening liquid funds", "Cash on the first day of the year"),
    END: ("Closing liquid funds", "Cash on the last day of the year"),
    RESTRICTED: ("Pledged funds", "Blocked bank balances"),
    LEASED: ("Lease assets", "Rights of use"),
    LEASE_CURRENT: ("Lease debt falling due within one year", "Current part of lease debt"),
    LEASE_LATER: ("Lease debt falling due after one year", "Non-current part of lease debt"),
    OCI: ("Result recognised directly in equity", "Items outside profit or loss"),
    COMPREHENSIVE: ("Overall result for the year", "Result including items outside profit or loss"),
    EQUITY_BEGINNING: ("Equity on the first day of the year", "Opening equity"),
    EQUITY_END: ("Equity on the last day of the year", "Closing equity"),
    GROSS_RECEIVABLES: ("Trade debtors, nominal", "Debtors before loss allowance"),
    ALLOWANCE: ("Loss allowance", "Expected losses on debtors"),
    GROSS_PROPERTY: ("Tangible fixed assets, at historical cost", "Historical cost of tangible assets"),
    WORN: ("Depreciation to date", "Cumulative write-downs"),
}

TITLES: Mapping[str, tuple[str, ...]] = {
    "income": ("Group profit and loss account", "Group statement of profit or loss"),
    "balance": ("Group statement of assets, equity and liabilities", "Group balance sheet"),
    "cash flow": ("Group cash flow statement", "Group statement of cash movements"),
    "equity": ("Group statement of movements in equity",),
    "comprehensive": ("Group statement of overall result",),
    "receivables": ("Breakdown of trade debtors",),
    "property": ("Breakdown of tangible assets",),
    "selected": ("Group key figures", "Five-year review (extract)"),
}
HEADS = (
    "{title}\n{filer}, annual report and accounts, year to {year_end}\n{currency} {unit}; Note; {columns}",
    "{filer} – accounts under IFRS ({year_end})\n{title}\nNote; {columns}; in {currency} {unit}",
)
HEADERS: Mapping[str, tuple[str, ...]] = {
    "restated": ("{year} amended", "{year} (amended)"),
    "reported": ("{year} old", "{year} (before amendment)"),
    "quarter": ("Q2 {year}",),
    "half": ("H1 {year}",),
    "total": ("Sum", "Group"),
}
SEGMENTS = (("Benelux", "Iberia"), ("Care", "Repair"), ("Passenger", "Cargo"))
