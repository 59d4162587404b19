"""How the readers of `sec_qa_shifted` ask: no template of `sec_qa` is used; the names of lines and measures are its own.

The fields are those of `tasks.data.sec_qa.voice.Voice`.
"""

from __future__ import annotations

from collections.abc import Mapping

Wording = Mapping[str, tuple[str, ...]]

ASKS: Wording = {
    "twin": (
        "Please copy out {line} {when}.",
        "The accounts put {line} at which sum {when}?",
        "Against {line}, which sum is entered {when}?",
    ),
    "amount": (
        "Take the earlier sum of {line} from the later one, {span}. What is left (below zero for a drop)?",
        "Which movement did {line} show {span}, below zero for a drop?",
    ),
    "percent": (
        "By how many per cent did {line} move {span} (one decimal place)?",
        "As a percentage of its starting sum, how did {line} move {span} (one decimal place)?",
    ),
    "compound": ("At which steady yearly rate did {line} grow over both years, in per cent with one decimal place?",),
    "lead": (
        "By how many points did {line} outpace {rival} {span} (growth in per cent, one decimal place, below zero if it lagged)?",
    ),
    "organic": ("Disregard what was taken over: by how many per cent did {line} move {span} (one decimal place)?",),
    "points": (
        "Over how many percentage points did {ratio} travel {span} (one decimal place, below zero for a drop)?",
    ),
    "ratio": ("Which value do the accounts imply for {ratio} {when}, {form}?", "Deduce {ratio} {when}, {form}."),
    "first quarter": ("From the half year {year}, set apart the first quarter of {line}.",),
    "adjusted": ("Strip {matter} out of {line} {when}. Which sum results?",),
    "moved": (
        "Name the entry that {did} {total} above all others {span}.",
        "{span}, which entry chiefly {did} {total}?",
    ),
    "largest": (
        "Name the entry that {did} {total} above all others {when}.",
        "Which entry chiefly {did} {total} {when}?",
    ),
}
WHEN: Mapping[str, Wording] = {
    "in": {
        "year": ("over the year {year}", "in the accounts of {year}"),
        "latest": ("over the final year here", "in the youngest accounts here"),
        "highest": ("over the year topping all others in {line}",),
        "lowest": ("over the year trailing all others in {line}",),
        "middle": ("over the year between", "in the middle accounts"),
        "earliest": ("over the year that comes first in time", "in the oldest accounts here"),
        "restated": ("over {year}, amendment included", "over {year}, mistakes put right"),
        "reported": ("over {year}, amendment left out", "over {year}, mistakes still inside"),
        "quarter": ("over the second quarter of {year} only",),
        "half": ("over the first half of {year}",),
        "segment": ("in the division {name}",),
        "total": ("in both divisions together",),
    },
    "at": {
        "year": ("as {year} closed", "on the closing date of {year}"),
        "highest": ("on the closing date topping all others in {line}",),
        "lowest": ("on the closing date trailing all others in {line}",),
        "latest": ("on the latest closing date", "as the youngest of the years closed"),
        "middle": ("on the closing date between", "as the middle year closed"),
        "earliest": ("on the oldest closing date", "as the first of the years closed"),
        "restated": ("as {year} closed, amendment included", "as {year} closed, mistakes put right"),
        "reported": ("as {year} closed, amendment left out", "as {year} closed, mistakes still inside"),
    },
}
SPANS: Wording = {
    "years": ("over the way {first} to {last}", "with {first} as the base and {last} as the end"),
    "latest": ("over the last twelve months", "with the last year but one as the base"),
    "whole": ("over all these accounts", "with the oldest accounts as the base"),
    "sides": ("on amending {year}", "as the mistakes of {year} were put right"),
    "quarters": ("over a year of second quarters, {first} to {last}",),
    "halves": ("over a year of first halves, {first} to {last}",),
}
UNITS: Wording = {"dollars": ("Write out whole currency units.",), "thousands": ("Write it in thousands.",)}
DIRECTIONS: Wording = {
    "up": ("increased", "enlarged"),
    "down": ("diminished", "reduced"),
}
ASIDE: Wording = {
    "income": (" (Sales and the cost of sales excepted.)",),
    "AssetsCurrent": (" (Cash and securities excepted.)",),
    "NetCashProvidedByUsedInOperatingActivities": (" (Net profit excepted.)",),
    "StockholdersEquity": (" (Undistributed profits excepted.)",),
}
FORMS: Mapping[str, str] = {
    "percent": "as a percentage, one decimal place",
    "times": "two decimal places",
    "days": "in days, one decimal place",
    "amount": "in the unit of the accounts",
}
MATTERS: tuple[tuple[str, str, int], ...] = (
    ("A cyber attack in {year} put {amount} into {label}.", "the cyber attack", 1),
    ("{amount} of the {label} of {year} fell on a strike.", "the strike", 1),
    ("A rebate of {amount} for energy eased {label} in {year}.", "the energy rebate", -1),
)
PURCHASES: tuple[str, ...] = ("{amount} of the {label} of {year} came with a takeover.",)
