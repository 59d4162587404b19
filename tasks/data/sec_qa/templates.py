"""The wording of plain lookups and of captions; no template is in two splits.

`{line}` is the line item as printed, `{year}` the fiscal year. The questions that count are in `asks.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

QUESTIONS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "lookup": {
        "train": (
            "What was {line} in fiscal {year}?",
            "What amount does the filing report for {line} in {year}?",
            "Report the {year} figure for {line}.",
            "For fiscal year {year}, what is {line}?",
            "State {line} for {year} as shown.",
            "How much was {line} in {year}?",
            "Look up {line} for fiscal {year}.",
            "{line}: what is the value for {year}?",
            "In {year}, what did the company report as {line}?",
            "Give the amount on the line {line} under {year}.",
            "Find the {year} amount of {line}.",
            "Which number stands for {line} in the {year} column?",
        ),
        "validation": (
            "Quote the {year} number for {line}.",
            "What does the statement list for {line} in {year}?",
            "Read off {line} for fiscal year {year}.",
            "What value is given for {line} in the year {year}?",
        ),
        "test": (
            "What figure is shown for {line} in fiscal year {year}?",
            "Give {line} for {year}, in the units of the filing.",
            "According to the excerpt, how much was {line} in fiscal {year}?",
            "What is the {year} value of {line}?",
            "Under fiscal {year}, which amount appears for {line}?",
            "Tell me the amount of {line} for the year {year}.",
        ),
    },
    "tag": {
        "train": (
            "Which us-gaap element tags the line {line}?",
            "Name the us-gaap tag for {line}.",
            "What is the XBRL element of the line item {line}?",
            "Tag the line {line} with its us-gaap element.",
            "With which us-gaap element would {line} be tagged?",
            "Give the us-gaap element for {line}.",
            "What us-gaap tag belongs to {line}?",
            "{line}: which us-gaap element is it?",
            "Find the us-gaap element that fits {line}.",
            "The line {line} carries which us-gaap tag?",
        ),
        "validation": (
            "State the us-gaap element of {line}.",
            "Which XBRL tag goes with {line}?",
            "By which us-gaap element is {line} reported?",
            "Pick the us-gaap tag of the line {line}.",
        ),
        "test": (
            "Under which us-gaap element is {line} tagged?",
            "What us-gaap element does the line item {line} have?",
            "Identify the us-gaap tag of {line}.",
            "In XBRL, which us-gaap element stands for {line}?",
            "How is {line} tagged in us-gaap?",
        ),
    },
}

TITLES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "train": {
        "income": ("Consolidated Statements of Operations", "Consolidated Statements of Income"),
        "balance": ("Consolidated Balance Sheets", "Consolidated Statements of Financial Position"),
        "cash flow": ("Consolidated Statements of Cash Flows", "Statements of Cash Flows"),
        "equity": ("Consolidated Statements of Stockholders' Equity", "Changes in Stockholders' Equity"),
        "comprehensive": ("Consolidated Statements of Comprehensive Income", "Comprehensive Income and Share Data"),
        "receivables": ("Note 4: Receivables", "Accounts Receivable"),
        "property": ("Note 6: Property", "Property and Equipment"),
        "selected": ("Selected Financial Data", "Selected Consolidated Data"),
    },
    "validation": {
        "income": ("Consolidated Income Statements",),
        "balance": ("Statements of Financial Condition",),
        "cash flow": ("Consolidated Cash Flows",),
        "equity": ("Stockholders' Equity",),
        "comprehensive": ("Comprehensive Income Statements",),
        "receivables": ("Receivables by Component",),
        "property": ("Property by Component",),
        "selected": ("Financial Data, Selected",),
    },
    "test": {
        "income": ("Statements of Consolidated Earnings", "Statements of Consolidated Operations"),
        "balance": ("Statements of Consolidated Financial Position", "Balance Sheets, Consolidated"),
        "cash flow": ("Statements of Consolidated Cash Flows",),
        "equity": ("Statements of Changes in Shareholders' Equity", "Movements in Shareholders' Equity"),
        "comprehensive": ("Statements of Consolidated Comprehensive Earnings",),
        "receivables": ("Components of Receivables",),
        "property": ("Components of Property",),
        "selected": ("Summary of Selected Financial Data", "Financial Summary"),
    },
}


@dataclass(frozen=True)
class Layout:
    """The head of an excerpt: caption lines, then the line above the labels, for a period or for a day."""

    caption: str
    period: str
    day: str


LAYOUTS: Mapping[str, tuple[Layout, ...]] = {
    "train": (
        Layout("{filer}\n{title}\n(in {unit}, except per share data)", "Years ended {year_end}", "At {year_end}"),
        Layout("{filer} - {title} (in {unit})", "Fiscal year", "Fiscal year-end"),
        Layout("{title} of {filer}\n(Dollars in {unit}, except per share amounts)", "Year ended {year_end}", "{year_end}"),
        Layout("Form 10-K, {filer}\n{title}, in {unit}", "For the years ended {year_end}", "As of {year_end}"),
        Layout("{filer}\n{title} ($ in {unit})", "Fiscal years ended {year_end}", "Balances at {year_end}"),
        Layout("{title}\n{filer}\n(in {unit})", "Twelve months to {year_end}", "On {year_end}"),
        Layout("{filer}: {title}\n(Amounts in {unit}, except per share data)", "Fiscal", "Fiscal, {year_end}"),
        Layout("Item 8. {title}\n{filer} (in {unit})", "Year to {year_end}", "Position at {year_end}"),
    ),
    "validation": (
        Layout("Annual report of {filer}\n{title} (US dollars in {unit})", "Financial years", "Close of {year_end}"),
        Layout("{title} | {filer}\n(stated in {unit})", "Years to {year_end}", "Balance {year_end}"),
        Layout("{filer}, {title}\nUnits: {unit}, except per share", "Full years", "Year-end"),
    ),
    "test": (
        Layout("{filer} / {title}\n(in {unit} of dollars, except per share)", "Year ending {year_end}", "At the end of {year_end}"),
        Layout("{filer} and Subsidiaries\n{title}\n(In {unit})", "For fiscal years", "At fiscal year-end"),
        Layout("{title} ({unit})\n{filer}", "Fiscal year ended {year_end}", "As at {year_end}"),
        Layout("From the 10-K of {filer}\n{title}\n(amounts in {unit})", "Years ending {year_end}", "{year_end}, year-end"),
        Layout("{filer}\n{title}, {unit} except per-share figures", "Reporting year", "End of reporting year"),
    ),
}  # fmt: skip

# The line above the labels if the columns are no fiscal years.
OVER: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "quarter": {"train": ("Unaudited", "Interim"), "validation": ("Interim periods",), "test": ("Unaudited periods",)},
    "half": {"train": ("Unaudited", "Interim"), "validation": ("Interim periods",), "test": ("Unaudited periods",)},
    "segment": {
        "train": ("Segments, fiscal {year}", "Segments {year}"),
        "validation": ("{year}, segments",),
        "test": ("By segment, fiscal {year}", "{year} by segment"),
    },
    "total": {
        "train": ("Segments, fiscal {year}", "Segments {year}"),
        "validation": ("{year}, segments",),
        "test": ("By segment, fiscal {year}", "{year} by segment"),
    },
}
# The heads of columns that are no fiscal year.
HEADERS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "train": {
        "restated": ("{year} restated", "{year} as restated"),
        "reported": ("{year} as reported", "{year} first reported"),
        "quarter": ("3 months {year}", "Three months {year}"),
        "half": ("6 months {year}", "Six months {year}"),
        "total": ("Total", "Consolidated"),
    },
    "test": {
        "restated": ("{year} (restated)", "Restated {year}"),
        "reported": ("{year} (previously reported)", "Originally reported {year}"),
        "quarter": ("Quarter {year}", "Second quarter {year}"),
        "half": ("Half year {year}", "First half {year}"),
        "total": ("Group", "All segments"),
    },
}
SEGMENTS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "train": (("Consumer", "Industrial"), ("Americas", "Europe"), ("Equipment", "Services"), ("Retail", "Wholesale")),
    "test": (("Home", "Trade"), ("North", "South"), ("Hardware", "Subscriptions"), ("Stores", "Online")),
}
