"""The wording of questions and captions; no template is in two splits.

`{line}` is the line item, `{year}` the fiscal year, `{ratio}` the ratio's name, `{form}` the format of the number. A
change runs from `{first}` to `{last}`.
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
    "formula": {
        "train": (
            "Write the formula of the {ratio} with us-gaap elements.",
            "Which formula of us-gaap elements gives the {ratio}?",
            "Express the {ratio} in us-gaap elements.",
            "How is the {ratio} calculated from us-gaap tags?",
            "Give the formula for the {ratio}, using us-gaap tags.",
            "State the {ratio} as a formula of the tags of these lines.",
            "With us-gaap tags, the {ratio} is which formula?",
            "Put the {ratio} into a formula of us-gaap elements.",
            "What formula of tags yields the {ratio}?",
        ),
        "validation": (
            "Spell out the {ratio} with the us-gaap tags.",
            "Formula wanted: the {ratio}, in us-gaap tags.",
            "Define the {ratio} by us-gaap elements.",
            "By which formula of tags is the {ratio} found?",
        ),
        "test": (
            "Using us-gaap element names, how would you compute the {ratio}?",
            "Set up the {ratio} as a formula over us-gaap tags.",
            "What is the formula for the {ratio} in terms of us-gaap elements?",
            "Show how the tags combine into the {ratio}.",
            "From the us-gaap tags of the excerpt, form the {ratio}.",
        ),
    },
    "change": {
        "train": (
            "By how much did {line} change from {first} to {last}?",
            "What was the change in {line} from {first} to {last}?",
            "Compute {line} of {last} less that of {first}.",
            "From {first} to {last}, how did {line} change?",
            "Give the change of {line} between {first} and {last}.",
        ),
        "validation": (
            "How large was the change in {line}, {first} to {last}?",
            "State by what amount {line} moved from {first} to {last}.",
        ),
        "test": (
            "How did {line} change between fiscal {first} and fiscal {last}?",
            "Calculate the change in {line} in going from {first} to {last}.",
            "What is the difference in {line}, {last} minus {first}?",
        ),
    },
    "percent change": {
        "train": (
            "By what percentage did {line} change from {first} to {last}, to one decimal?",
            "What was the percentage change in {line} from {first} to {last}, to one decimal?",
            "From {first} to {last}, how many percent did {line} change, to one decimal?",
            "Compute the percentage change of {line} between {first} and {last}, to one decimal.",
        ),
        "validation": (
            "State the percentage change in {line}, {first} to {last}, to one decimal.",
            "How many percent did {line} move from {first} to {last}, to one decimal?",
        ),
        "test": (
            "Calculate the percentage change in {line} between fiscal {first} and {last}, to one decimal.",
            "In percent to one decimal, how did {line} change from {first} to {last}?",
        ),
    },
    "ratio": {
        "train": (
            "What was the {ratio} in {year}, {form}?",
            "Compute the {ratio} for {year} {form}.",
            "Work out the {year} {ratio}, {form}.",
            "For fiscal {year}, give the {ratio} {form}.",
            "How high was the {ratio} in fiscal {year}, {form}?",
        ),
        "validation": (
            "State the {ratio} of {year} {form}.",
            "Find the {ratio}, {form}, for fiscal {year}.",
        ),
        "test": (
            "Calculate the {ratio} for fiscal year {year}, {form}.",
            "What {ratio} results for {year}, {form}?",
            "Determine the {ratio} in {year} {form}.",
        ),
    },
}

TITLES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "train": {
        "income": ("Consolidated Statements of Operations", "Consolidated Statements of Income"),
        "balance": ("Consolidated Balance Sheets", "Consolidated Statements of Financial Position"),
        "cash flow": ("Consolidated Statements of Cash Flows", "Statements of Cash Flows"),
        "selected": ("Selected Financial Data", "Selected Consolidated Data"),
    },
    "validation": {
        "income": ("Consolidated Income Statements",),
        "balance": ("Statements of Financial Condition",),
        "cash flow": ("Consolidated Cash Flows",),
        "selected": ("Financial Data, Selected",),
    },
    "test": {
        "income": ("Statements of Consolidated Earnings", "Statements of Consolidated Operations"),
        "balance": ("Statements of Consolidated Financial Position", "Balance Sheets, Consolidated"),
        "cash flow": ("Statements of Consolidated Cash Flows",),
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
