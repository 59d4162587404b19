"""The wordings of lines by us-gaap element: one list for train and validation, one for test.

The two lists of an element have no wording in common if natural variants exist; `SHARED` has the wordings that every filer
uses. A wording with a bracketed word, such as "(loss)", is for figures that change sign.
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

SHARED = frozenset({"Goodwill", "Total assets", "Total liabilities", "Other comprehensive income (loss)"}) | {
    "Other comprehensive income (loss), net of tax"
}

# key: ((train and validation), (test))
WORDINGS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    REVENUE: (
        ("Total revenues", "Revenues", "Revenue", "Total net revenue"),
        ("Net revenues", "Total net revenues", "Total revenue"),
    ),
    COST: (
        ("Cost of revenue", "Cost of revenues", "Cost of sales", "Total cost of revenues"),
        ("Total cost of revenue", "Total cost of sales"),
    ),
    "GrossProfit": (("Gross profit", "Gross margin"), ("Total gross profit", "Total gross margin")),
    "ResearchAndDevelopmentExpense": (
        ("Research and development", "Research and development expense", "Research and development costs"),
        ("Research and development expenses", "Total research and development"),
    ),
    "SellingGeneralAndAdministrativeExpense": (
        (
            "Selling, general and administrative",
            "Selling, general and administrative expense",
            "General, selling and administrative",
        ),
        ("Selling, general and administrative expenses", "Selling, administrative and general"),
    ),
    "RestructuringCharges": (
        ("Restructuring charges", "Restructuring", "Restructuring costs"),
        ("Restructuring expense", "Charges for restructuring"),
    ),
    "OperatingExpenses": (
        ("Total operating expenses", "Operating expenses"),
        ("Operating expenses, total", "Total operating expense"),
    ),
    "OperatingIncomeLoss": (
        ("Operating income", "Income from operations", "Operating profit", "Operating income (loss)"),
        ("Earnings from operations", "Income (loss) from operations", "Operating profit (loss)"),
    ),
    "InterestExpense": (
        ("Interest expense", "Interest on borrowings", "Interest cost of debt"),
        ("Interest expense on borrowings", "Interest expense on debt"),
    ),
    "InvestmentIncomeInterest": (
        ("Interest income", "Investment interest income", "Interest earned"),
        ("Interest income on investments", "Interest earned on investments"),
    ),
    "OtherNonoperatingIncomeExpense": (
        ("Other income (expense), net", "Other nonoperating income (expense)", "Other income (loss)"),
        ("Other income (expense)", "Other nonoperating income (expense), net"),
    ),
    PRETAX: (
        ("Income before income taxes", "Income before taxes", "Income (loss) before income taxes"),
        ("Earnings before income taxes", "Income (loss) before taxes"),
    ),
    "IncomeTaxExpenseBenefit": (
        ("Provision for income taxes", "Income tax expense", "Income tax provision", "Income tax expense (benefit)"),
        ("Provision for taxes", "Income taxes", "Provision (benefit) for income taxes"),
    ),
    "NetIncomeLoss": (
        ("Net income", "Net earnings", "Net income (loss)"),
        ("Net income for the year", "Net earnings (loss)"),
    ),
    "EarningsPerShareBasic": (
        ("Basic earnings (loss) per share", "Earnings per share, basic", "Net income (loss) per share, basic"),
        ("Basic earnings per share", "Earnings (loss) per share, basic"),
    ),
    "EarningsPerShareDiluted": (
        ("Diluted earnings (loss) per share", "Earnings per share, diluted", "Net income (loss) per share, diluted"),
        ("Diluted earnings per share", "Earnings (loss) per share, diluted"),
    ),
    "WeightedAverageNumberOfSharesOutstandingBasic": (
        ("Weighted average shares, basic", "Basic weighted average shares", "Average shares outstanding, basic"),
        ("Weighted average basic shares", "Basic shares, weighted average"),
    ),
    "WeightedAverageNumberOfDilutedSharesOutstanding": (
        ("Weighted average shares, diluted", "Diluted weighted average shares", "Average shares outstanding, diluted"),
        ("Weighted average diluted shares", "Diluted shares, weighted average"),
    ),
    CASH: (("Cash and cash equivalents", "Cash & cash equivalents"), ("Cash and equivalents", "Cash & equivalents")),
    "ShortTermInvestments": (
        ("Short-term investments", "Investments, short-term"),
        ("Total short-term investments", "Short-term investment securities"),
    ),
    "AccountsReceivableNetCurrent": (
        ("Accounts receivable, net", "Accounts receivable", "Trade accounts receivable", "Receivables, net"),
        ("Trade receivables, net", "Trade accounts receivable, net"),
    ),
    "InventoryNet": (("Inventories", "Inventories, net", "Inventory"), ("Inventory, net", "Total inventories")),
    "PrepaidExpenseAndOtherAssetsCurrent": (
        ("Prepaid expenses and other current assets", "Prepaid expenses and other", "Prepaid and other current assets"),
        ("Prepaid expenses and other assets", "Prepaid and other current items"),
    ),
    "AssetsCurrent": (("Total current assets", "Current assets, total"), ("Current assets",)),
    "PropertyPlantAndEquipmentNet": (
        (
            "Property, plant and equipment, net",
            "Property and equipment, net",
            "Net property, plant and equipment",
        ),
        ("Property, plant and equipment", "Net property and equipment"),
    ),
    "Goodwill": (("Goodwill",), ("Goodwill",)),
    "IntangibleAssetsNetExcludingGoodwill": (
        ("Intangible assets, net", "Other intangible assets, net", "Intangible assets"),
        ("Net intangible assets", "Other intangible assets"),
    ),
    "OtherAssetsNoncurrent": (
        ("Other assets", "Other noncurrent assets", "Other long-term assets"),
        ("Other assets, noncurrent", "Other assets, long-term"),
    ),
    "Assets": (("Total assets",), ("Total assets",)),
    "AccountsPayableCurrent": (
        ("Accounts payable", "Accounts payable, trade", "Trade payables"),
        ("Trade accounts payable", "Accounts payable to suppliers"),
    ),
    "AccruedLiabilitiesCurrent": (
        ("Accrued liabilities", "Accrued expenses", "Accrued liabilities and other"),
        ("Accrued expenses and other", "Total accrued liabilities"),
    ),
    "ContractWithCustomerLiabilityCurrent": (
        ("Deferred revenue", "Contract liabilities", "Deferred revenue, current portion"),
        ("Current deferred revenue", "Contract liabilities, current"),
    ),
    "LongTermDebtCurrent": (
        (
            "Current portion of long-term debt",
            "Current maturities of long-term debt",
            "Long-term debt due within one year",
        ),
        ("Long-term debt, current portion", "Current part of long-term debt"),
    ),
    "LiabilitiesCurrent": (("Total current liabilities", "Current liabilities, total"), ("Current liabilities",)),
    "LongTermDebtNoncurrent": (
        ("Long-term debt", "Long-term debt, noncurrent", "Long-term debt, less current portion"),
        ("Noncurrent long-term debt", "Long-term debt, due after one year"),
    ),
    "DeferredIncomeTaxLiabilitiesNet": (
        ("Deferred income taxes", "Deferred tax liabilities", "Deferred income tax liabilities"),
        ("Deferred taxes", "Deferred tax liabilities, net"),
    ),
    "OtherLiabilitiesNoncurrent": (
        ("Other liabilities", "Other noncurrent liabilities", "Other long-term liabilities"),
        ("Other liabilities, noncurrent", "Other liabilities, long-term"),
    ),
    "Liabilities": (("Total liabilities",), ("Total liabilities",)),
    "CommonStockValue": (
        ("Common stock", "Common stock, at par", "Common shares"),
        ("Common stock, at par value", "Common shares, at par"),
    ),
    "AdditionalPaidInCapital": (
        ("Additional paid-in capital", "Paid-in capital", "Capital in excess of par"),
        ("Paid-in capital in excess of par", "Additional capital paid in"),
    ),
    "RetainedEarningsAccumulatedDeficit": (
        ("Retained earnings", "Retained earnings (accumulated deficit)", "Retained earnings (deficit)"),
        ("Earnings retained", "Retained earnings (accumulated losses)"),
    ),
    "AccumulatedOtherComprehensiveIncomeLossNetOfTax": (
        ("Accumulated other comprehensive income (loss)", "Accumulated other comprehensive (loss) income"),
        ("Accumulated other comprehensive income (loss), net", "Accumulated comprehensive income (loss)"),
    ),
    "StockholdersEquity": (
        ("Total stockholders' equity", "Total shareholders' equity", "Stockholders' equity"),
        ("Shareholders' equity", "Stockholders' equity, total"),
    ),
    "LiabilitiesAndStockholdersEquity": (
        ("Total liabilities and stockholders' equity", "Total liabilities and shareholders' equity"),
        ("Liabilities and stockholders' equity", "Total liabilities and equity"),
    ),
    "DepreciationDepletionAndAmortization": (
        ("Depreciation and amortization", "Depreciation, depletion and amortization", "Depreciation & amortization"),
        ("Total depreciation and amortization", "Amortization and depreciation"),
    ),
    "ShareBasedCompensation": (
        ("Stock-based compensation", "Share-based compensation", "Stock-based compensation expense"),
        ("Share-based compensation expense", "Compensation, stock-based"),
    ),
    "IncreaseDecreaseInAccountsReceivable": (
        ("Change in accounts receivable", "Change in receivables", "(Increase) decrease in accounts receivable"),
        ("Changes in accounts receivable", "(Increase) decrease in receivables"),
    ),
    "IncreaseDecreaseInInventories": (
        ("Change in inventories", "Change in inventory", "(Increase) decrease in inventories"),
        ("Changes in inventories", "(Increase) decrease in inventory"),
    ),
    "IncreaseDecreaseInAccountsPayable": (
        ("Change in accounts payable", "Change in payables", "Increase (decrease) in accounts payable"),
        ("Changes in accounts payable", "Increase (decrease) in payables"),
    ),
    "IncreaseDecreaseInOtherOperatingCapitalNet": (
        ("Change in other assets and liabilities", "Other operating assets and liabilities"),
        ("Changes in other assets and liabilities", "Other operating assets and liabilities, net"),
    ),
    "NetCashProvidedByUsedInOperatingActivities": (
        (
            "Net cash provided by operating activities",
            "Net cash from operating activities",
            "Net cash provided by (used in) operating activities",
        ),
        ("Cash provided by operating activities", "Net cash from (used in) operating activities"),
    ),
    "PaymentsToAcquirePropertyPlantAndEquipment": (
        (
            "Capital expenditures",
            "Purchases of property, plant and equipment",
            "Purchases of property and equipment",
            "Additions to property and equipment",
        ),
        ("Payments for property and equipment", "Additions to property, plant and equipment"),
    ),
    "PaymentsToAcquireBusinessesNetOfCashAcquired": (
        (
            "Acquisitions, net of cash acquired",
            "Acquisition of businesses, net of cash",
            "Payments for acquisitions, net of cash",
        ),
        ("Acquisitions of businesses, net of cash acquired", "Acquisitions, net of cash"),
    ),
    "PaymentsForProceedsFromShortTermInvestments": (
        ("Net (purchases) sales of short-term investments", "(Purchases) sales of short-term investments"),
        ("(Purchases) sales of short-term investments, net", "Short-term investments (purchased) sold"),
    ),
    "NetCashProvidedByUsedInInvestingActivities": (
        (
            "Net cash used in investing activities",
            "Net cash used for investing activities",
            "Net cash provided by (used in) investing activities",
        ),
        ("Cash used in investing activities", "Net cash from (used in) investing activities"),
    ),
    "ProceedsFromIssuanceOfLongTermDebt": (
        ("Proceeds from long-term debt", "Proceeds from issuance of long-term debt", "Issuance of long-term debt"),
        ("Proceeds from issuance of debt", "Proceeds from long-term debt issued"),
    ),
    "RepaymentsOfLongTermDebt": (
        ("Repayments of long-term debt", "Repayment of debt", "Payments on long-term debt"),
        ("Repayments of debt", "Repayment of long-term debt"),
    ),
    "PaymentsOfDividends": (
        ("Dividends paid", "Payments of dividends", "Cash dividends paid"),
        ("Payment of dividends", "Dividends paid to shareholders"),
    ),
    "PaymentsForRepurchaseOfCommonStock": (
        ("Repurchases of common stock", "Purchases of treasury stock", "Common stock repurchased"),
        ("Repurchase of common stock", "Repurchases of common shares"),
    ),
    "NetCashProvidedByUsedInFinancingActivities": (
        (
            "Net cash used in financing activities",
            "Net cash provided by (used in) financing activities",
            "Net cash (used in) provided by financing activities",
        ),
        ("Cash used in financing activities", "Net cash from (used in) financing activities"),
    ),
    CASH_CHANGE: (
        ("Net change in cash and restricted cash", "Net increase (decrease) in cash and restricted cash"),
        ("Change in cash and restricted cash", "Increase (decrease) in cash and restricted cash, net"),
    ),
    BEGINNING: (
        ("Cash and restricted cash at beginning of year", "Cash and restricted cash, beginning of year"),
        ("Cash and restricted cash at the beginning of the year",),
    ),
    END: (
        ("Cash and restricted cash at end of year", "Cash and restricted cash, end of year"),
        ("Cash and restricted cash at the end of the year",),
    ),
    RESTRICTED: (("Restricted cash", "Restricted cash, current"), ("Cash, restricted", "Current restricted cash")),
    LEASED: (
        ("Operating lease right-of-use assets", "Right-of-use assets"),
        ("Operating lease right-of-use assets, net", "Right-of-use assets, operating leases"),
    ),
    LEASE_CURRENT: (
        ("Current portion of operating lease liabilities", "Operating lease liabilities, current"),
        ("Operating lease liabilities, current portion", "Current operating lease liabilities"),
    ),
    LEASE_LATER: (
        ("Operating lease liabilities, less current portion", "Operating lease liabilities, noncurrent"),
        ("Noncurrent operating lease liabilities", "Operating lease liabilities, net of current portion"),
    ),
    OCI: (("Other comprehensive income (loss)", "Other comprehensive income (loss), net of tax"),) * 2,
    COMPREHENSIVE: (
        ("Comprehensive income", "Total comprehensive income", "Comprehensive income (loss)"),
        ("Comprehensive income for the year", "Comprehensive earnings (loss)"),
    ),
    EQUITY_BEGINNING: (
        ("Balance at beginning of year", "Equity, beginning of year"),
        ("Balance at the beginning of the year", "Equity at beginning of year"),
    ),
    EQUITY_END: (
        ("Balance at end of year", "Equity, end of year"),
        ("Balance at the end of the year", "Equity at end of year"),
    ),
    GROSS_RECEIVABLES: (
        ("Accounts receivable, gross", "Receivables before allowance"),
        ("Gross accounts receivable", "Trade receivables, gross"),
    ),
    ALLOWANCE: (
        ("Allowance for credit losses", "Less allowance for credit losses"),
        ("Less: allowance for expected credit losses", "Allowance for doubtful accounts"),
    ),
    GROSS_PROPERTY: (
        ("Property and equipment, gross", "Property, plant and equipment, at cost"),
        ("Gross property and equipment", "Property and equipment, at cost"),
    ),
    WORN: (
        ("Accumulated depreciation", "Less accumulated depreciation"),
        ("Less: accumulated depreciation", "Depreciation accumulated to date"),
    ),
}
