"""The wording of the questions that count: near twins, changes, computations, explanations; no template is in two splits.

`{line}` is a reader's word for a line and `{when}` for a column. A change runs from `{first}` to `{last}`. `{ratio}` is a
measure by name or in words, `{form}` the format of the answer, `{total}` a subtotal, `{did}` a direction.
"""

from __future__ import annotations

from collections.abc import Mapping

Wording = Mapping[str, tuple[str, ...]]

# Columns of flows ("in") and of balances ("at"). Train and validation share the first list; the second is of the test.
WHEN: Mapping[str, tuple[Wording, Wording]] = {
    "in": (
        {
            "year": ("in {year}", "in fiscal {year}", "for {year}"),
            "latest": ("in the latest year", "in the last year shown"),
            "highest": ("in the year with the highest {line}", "when {line} was at its peak"),
            "lowest": ("in the year with the lowest {line}", "when {line} was at its low"),
            "middle": ("in the year before the last", "in the middle year"),
            "earliest": ("in the first year shown", "in the oldest year"),
            "restated": ("in {year} after the restatement", "in {year}, on the restated basis"),
            "reported": ("in {year} before the restatement", "in {year}, as it was first published"),
            "quarter": ("in the three months to the middle of {year}", "in the second quarter of {year} alone"),
            "half": ("in the first two quarters of {year}", "in the six months of {year}"),
            "segment": ("at the segment {name}", "in the {name} business"),
            "total": ("for all segments together", "for the company as a whole"),
        },
        {
            "year": ("during {year}", "for the fiscal year {year}"),
            "latest": ("in the most recent year", "in the newest of these years"),
            "highest": ("in the year in which {line} came out highest", "in the year at the top for {line}"),
            "lowest": ("in the year in which {line} came out lowest", "in the year at the bottom for {line}"),
            "middle": ("one year before the most recent", "in the year between the others"),
            "earliest": ("in the earliest year", "in the year furthest back"),
            "restated": ("for {year} with the correction made", "for {year}, as corrected later"),
            "reported": ("for {year} without the correction", "for {year}, as the first report had it"),
            "quarter": ("for the shorter period of {year}", "in that one quarter of {year}"),
            "half": ("in both quarters of {year} to date", "in the half year {year}"),
            "segment": ("within {name}", "for {name} by itself"),
            "total": ("across the segments", "for the whole group"),
        },
    ),
    "at": (
        {
            "year": ("at the end of {year}", "at the close of fiscal {year}"),
            "latest": ("at the latest year-end", "at the last balance date shown"),
            "highest": ("at the year-end with the highest {line}", "at the balance date when {line} was at its peak"),
            "lowest": ("at the year-end with the lowest {line}", "at the balance date when {line} was at its low"),
            "middle": ("a year before the last balance date", "at the middle balance date"),
            "earliest": ("at the first balance date shown", "at the oldest year-end"),
            "restated": ("at the end of {year} after the restatement", "at the end of {year}, on the restated basis"),
            "reported": (
                "at the end of {year} before the restatement",
                "at the end of {year}, as it was first published",
            ),
        },
        {
            "year": ("when {year} ended", "on the last day of {year}"),
            "latest": ("on the most recent balance date", "at the newest of these year-ends"),
            "highest": ("on the balance date on which {line} came out highest",),
            "lowest": ("on the balance date on which {line} came out lowest",),
            "middle": ("one year before the most recent balance date", "at the year-end between the others"),
            "earliest": ("on the earliest balance date", "at the year-end furthest back"),
            "restated": (
                "when {year} ended, with the correction made",
                "on the last day of {year}, as corrected later",
            ),
            "reported": (
                "when {year} ended, without the correction",
                "on the last day of {year}, as the first report had it",
            ),
        },
    ),
}
SPANS: tuple[Wording, Wording] = (
    {
        "years": ("from {first} to {last}", "between {first} and {last}"),
        "latest": ("in the latest year against the year before", "from the year before last to the last"),
        "whole": ("over all the years shown", "from the first to the last year shown"),
        "sides": ("from the original to the restated {year} figures", "by the restatement of {year}"),
        "quarters": ("in the second quarter of {last} against that of {first}",),
        "halves": ("in the first half of {last} against that of {first}",),
    },
    {
        "years": ("{first} to {last}", "when {last} is set against {first}"),
        "latest": ("from the previous year to the most recent", "in the most recent of these years"),
        "whole": ("across the whole period", "from the earliest to the most recent year"),
        "sides": ("when the {year} figures were corrected", "through the correction of {year}"),
        "quarters": (
            "when the second quarter of {last} is set against that of {first}",
            "from one second quarter to the next",
        ),
        "halves": ("when the half year {last} is set against that of {first}", "from one half year to the next"),
    },
)
UNITS: tuple[Wording, Wording] = (
    {
        "dollars": ("Answer in dollars.", "In dollars, please."),
        "thousands": ("Answer in thousands.", "In thousands of dollars."),
    },
    {"dollars": ("State whole dollars.", "Give it in dollars."), "thousands": ("State it in thousands of dollars.",)},
)

ASKS: Mapping[str, Wording] = {
    "twin": {
        "train": (
            "How high was {line} {when}?",
            "State {line} {when}.",
            "Give the amount of {line} {when}.",
            "{line} {when}: how much?",
            "What does the filing show as {line} {when}?",
            "Find {line} {when}.",
            "Which figure is {line} {when}?",
            "{when}, what was {line}?",
            "We need {line} {when}.",
            "What amount of {line} was there {when}?",
        ),
        "validation": ("Quote {line} {when}.", "{line}: which number {when}?", "Read off {line} {when}."),
        "test": (
            "How much did {line} come to {when}?",
            "Tell me {line} {when}.",
            "What did {line} amount to {when}?",
            "{when}, {line} stood at what amount?",
            "Which amount does the table give as {line} {when}?",
        ),
    },
    "amount": {
        "train": (
            "By how much did {line} change {span}? A fall is negative.",
            "What was the change of {line} {span}, negative for a fall?",
            "{span}, how did {line} change in amount? Use a minus for a fall.",
            "Give the change of {line} {span} (minus for a fall).",
        ),
        "validation": ("State the movement of {line} {span}, a fall as negative.", "{line}: what change {span}?"),
        "test": (
            "How did {line} move {span}, with a minus for a decline?",
            "Work out the movement in {line} {span}; a decline is negative.",
            "What did {line} gain {span}? A loss counts negative.",
        ),
    },
    "percent": {
        "train": (
            "By what percentage did {line} change {span}, to one decimal?",
            "What was the growth of {line} {span}, in percent to one decimal?",
            "{span}, how many percent did {line} change, to one decimal?",
        ),
        "validation": ("State the percentage change of {line} {span} to one decimal.",),
        "test": (
            "At what rate did {line} grow {span}, in percent with one decimal?",
            "Express the movement of {line} {span} in percent, one decimal.",
        ),
    },
    "compound": {
        "train": (
            "At what compound annual rate did {line} grow over the three years shown, in percent to one decimal?",
            "What was the compound yearly growth of {line} from the first to the last year, in percent to one decimal?",
        ),
        "validation": ("State the compound annual growth of {line} over these years, in percent to one decimal.",),
        "test": (
            "What constant yearly rate takes {line} from its earliest to its latest figure, in percent with one decimal?",
            "Average the growth of {line} geometrically over both years, in percent with one decimal.",
        ),
    },
    "lead": {
        "train": (
            "By how many percentage points did {line} grow faster than {rival} {span}, to one decimal? Negative if slower.",
            "{span}, by how many points did the growth of {line} exceed that of {rival}, to one decimal? Minus if it fell short.",
        ),
        "validation": ("State by how many points {line} outgrew {rival} {span}, to one decimal, negative if slower.",),
        "test": (
            "How far ahead of {rival} was {line} in growth {span}, in points with one decimal? Behind counts negative.",
            "Set the growth of {line} {span} against that of {rival}: the lead in points, one decimal, a lag being negative?",
        ),
    },
    "organic": {
        "train": (
            "Without the acquired business, by what percentage did {line} change {span}, to one decimal?",
            "What was the organic growth of {line} {span}, in percent to one decimal?",
        ),
        "validation": ("State the growth of {line} {span} with the acquisition left out, in percent to one decimal.",),
        "test": (
            "With the takeover left out, at what rate did {line} grow {span}, in percent with one decimal?",
            "Had nothing been bought, how would {line} have moved {span}, in percent with one decimal?",
        ),
    },
    "points": {
        "train": (
            "By how many percentage points did {ratio} change {span}, to one decimal?",
            "What was the change of {ratio} {span} in percentage points, to one decimal?",
        ),
        "validation": ("State the movement of {ratio} {span} in percentage points, to one decimal.",),
        "test": (
            "How far did {ratio} move {span}, in percentage points with one decimal?",
            "Give the shift of {ratio} {span} in percentage points, one decimal.",
        ),
    },
    "ratio": {
        "train": (
            "What was {ratio} {when}, {form}?",
            "Compute {ratio} {when}, {form}.",
            "{when}, how high was {ratio}, {form}?",
            "Work out {ratio} {when} {form}.",
        ),
        "validation": ("State {ratio} {when}, {form}.", "Find {ratio} {when}, {form}."),
        "test": (
            "Calculate {ratio} {when}, {form}.",
            "Which number is {ratio} {when}, {form}?",
            "Derive {ratio} {when} {form}.",
        ),
    },
    "first quarter": {
        "train": (
            "What was {line} in the first quarter of {year} alone?",
            "How much of {line} fell in the first three months of {year}?",
        ),
        "validation": ("State the first quarter's part of {line} in {year}.",),
        "test": (
            "Which part of {line} came in the opening quarter of {year}?",
            "Take the later quarter out of {line} of the half year {year}. What is left?",
        ),
    },
    "adjusted": {
        "train": (
            "What would {line} have been {when} without {matter}?",
            "Leave {matter} aside: how high was {line} {when}?",
        ),
        "validation": ("State {line} {when}, {matter} excluded.",),
        "test": (
            "Adjust {line} {when} for {matter}. What results?",
            "Had there been no trace of {matter}, what would {line} have come to {when}?",
        ),
    },
    "moved": {
        "train": (
            "Which item {did} {total} the most {span}?",
            "{span}, which line {did} {total} most?",
            "Name the item that {did} {total} by the largest amount {span}.",
        ),
        "validation": ("Which line {did} {total} most strongly {span}?",),
        "test": (
            "What {did} {total} more than any other item {span}?",
            "Identify the line that more than all others {did} {total} {span}.",
        ),
    },
    "largest": {
        "train": (
            "Which item {did} {total} the most {when}?",
            "{when}, which line {did} {total} by the largest amount?",
        ),
        "validation": ("Name the line that {did} {total} most {when}.",),
        "test": (
            "What {did} {total} more than any other line {when}?",
            "Identify the item that above all {did} {total} {when}.",
        ),
    },
}
DIRECTIONS: tuple[Wording, Wording] = (
    {"up": ("raised", "pushed up", "added to"), "down": ("lowered", "pulled down", "took from")},
    {"up": ("lifted", "swelled", "drove up"), "down": ("depressed", "shrank", "drove down")},
)
# What the question for an explanation leaves out, by total; the lines are in `explanations.py`.
ASIDE: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "income": (
        (" Leave sales and their direct cost aside.", " Sales and cost of sales do not count."),
        (" Look past sales and the cost of the goods.", " Only lines below gross profit are meant."),
    ),
    "AssetsCurrent": (
        (" Leave cash and securities aside.", " Cash and securities do not count."),
        (" Look past liquid funds and securities.", " Only receivables, stock and prepayments are meant."),
    ),
    "NetCashProvidedByUsedInOperatingActivities": (
        (" Leave net income aside.", " Net income does not count."),
        (" Look past the profit itself.", " Only adjustments to net income are meant."),
    ),
    "StockholdersEquity": (
        (" Leave retained earnings aside.", " Retained earnings do not count."),
        (" Look past undistributed profits.", " Retained profits are not meant."),
    ),
}
FORMS: Mapping[str, tuple[str, str]] = {  # by unit of the result: train and validation, test
    "percent": ("in percent to one decimal", "as a percentage with one decimal"),
    "times": ("to two decimals", "with two decimals"),
    "days": ("in days to one decimal", "in days with one decimal"),
    "amount": ("in the unit of the table", "in the filing's unit"),
}
# A remark below the table and what the question calls it; the amount is part of the line.
MATTERS: tuple[tuple[tuple[str, str, int], ...], tuple[tuple[str, str, int], ...]] = (
    (
        ("Included in {label} of {year}: {amount} for the settlement of a lawsuit.", "the lawsuit", 1),
        ("{amount} of {label} in {year} was spent on closing a plant.", "the plant closure", 1),
        ("An insurance recovery of {amount} was deducted from {label} of {year}.", "the insurance money", -1),
        ("In {year}, {label} was lowered by a grant of {amount}.", "the grant", -1),
        ("Costs of {amount} for a failed merger are part of {label} of {year}.", "the merger plan", 1),
    ),
    (
        ("{amount} of the {year} {label} stems from a recall of goods.", "the recall", 1),
        ("Flood damage of {amount} was charged to {label} in {year}.", "the flood", 1),
        ("A refund of {amount} from a supplier reduced {label} in {year}.", "the supplier's refund", -1),
        ("From {label} of {year}, {amount} received in a patent dispute was deducted.", "the patent dispute", -1),
    ),
)
PURCHASES: tuple[tuple[str, ...], tuple[str, ...]] = (
    (
        "In {year}, {amount} of {label} came from a business acquired that year.",
        "A company bought in {year} accounts for {amount} of {label}.",
    ),
    (
        "The firm taken over in {year} contributed {amount} to {label}.",
        "Within {label} of {year}, {amount} is from a subsidiary purchased in that year.",
    ),
)
