"""Reads the questions of `sec_qa` back from their text: the second route to every gold answer.

Nothing here knows the generator's figures: tables are parsed from the excerpts, lines are recognised by their wording, columns by
the words of the question, and the measures are written down once more.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import tasks.sec_qa
from harness.record import SPLITS
from tasks.data.sec_qa.lexicon import WORDINGS
from tasks.data.sec_qa.voice import voice

FOLDER = Path(tasks.sec_qa.__file__).parent / "data" / "sec_qa"
FILES = (*SPLITS, "lookup")
Row = dict[str, Any]
Table = dict[str, dict[str, Fraction]]
Figures = Mapping[str, Fraction]

# How this test recognises a line: the first pattern that fits its wording, in lower case.
LINES: Mapping[str, str] = {
    "all claims": r"liabilities and (stockholders' |shareholders' )?equity",
    "current liabilities": r"(^|total )current liabilities",
    "liabilities": r"^total liabilities$",
    "current assets": r"^(total )?current assets(, total)?$",
    "assets": r"^total assets$",
    "equity": r"(stockholders|shareholders)' equity",
    "current debt": r"long-term debt.*(within one year|, current)|current .*of long-term debt",
    "lease": r"lease|right-of-use",
    "restricted": r"restricted",
    "allowance": r"allowance|gross(?! (profit|margin))|before allowance|at cost|accumulated dep|depreciation accum",
    "flow": r"proceeds|repayment|payments? on|issuance|change|increase|decrease|net of cash|taxes paid",
    "debt": r"long-term debt",
    "operating cash": r"cash .*operating activities",
    "cash flow": r"cash .*(investing|financing) activities",
    "cash": r"^cash (and|&) (cash )?equivalents$",
    "inventory": r"inventor",
    "receivables": r"receivable",
    "payables": r"payable",
    "property": r"^(net )?property",
    "capital expenditure": r"property|capital expenditures",
    "cost": r"^(total )?cost of (revenue|sales)",
    "gross profit": r"gross (profit|margin)",
    "operating expenses": r"operating expense",
    "EBIT": r"^operating (income|profit)|from operations",
    "per share": r"per share",
    "pretax": r"before (income )?taxes",
    "tax": r"^income tax(es$| expense| provision)|^provision",
    "net income": r"^net (income|earnings)",
    "dividends": r"dividends",
    "research": r"research",
    "selling": r"selling",
    "interest": r"^interest (expense|on|cost)",
    "depreciation": r"depreciation",
    "revenue": r"^(?!.*deferred).*revenue",
}
RATIOS: Mapping[
    str, tuple[int, Callable[[Figures, Figures], Fraction]]
] = {  # decimals, value of a year and the year before
    "gross margin": (1, lambda f, _: 100 * f["gross profit"] / f["revenue"]),
    "operating margin": (1, lambda f, _: 100 * f["EBIT"] / f["revenue"]),
    "net margin": (1, lambda f, _: 100 * f["net income"] / f["revenue"]),
    "effective tax": (1, lambda f, _: 100 * f["tax"] / f["pretax"]),
    "R&D": (1, lambda f, _: 100 * f["research"] / f["revenue"]),
    "SG&A": (1, lambda f, _: 100 * f["selling"] / f["revenue"]),
    "markup": (1, lambda f, _: 100 * f["gross profit"] / f["cost"]),
    "interest coverage": (2, lambda f, _: f["EBIT"] / f["interest"]),
    "current ratio": (2, lambda f, _: f["current assets"] / f["current liabilities"]),
    "quick": (2, lambda f, _: (f["current assets"] - f["inventory"]) / f["current liabilities"]),
    "cash ratio": (2, lambda f, _: f["cash"] / f["current liabilities"]),
    "working capital": (0, lambda f, _: f["current assets"] - f["current liabilities"]),
    "liabilities to equity": (2, lambda f, _: f["liabilities"] / f["equity"]),
    "equity ratio": (1, lambda f, _: 100 * f["equity"] / f["assets"]),
    "debt ratio": (1, lambda f, _: 100 * f["liabilities"] / f["assets"]),
    "long-term debt to equity": (2, lambda f, _: f["debt"] / f["equity"]),
    "noncurrent debt less cash": (0, lambda f, _: f["debt"] - f["cash"]),
    "return on average equity": (1, lambda f, g: 200 * f["net income"] / (f["equity"] + g["equity"])),
    "return on average assets": (1, lambda f, g: 200 * f["net income"] / (f["assets"] + g["assets"])),
    "operating return on average assets": (1, lambda f, g: 200 * f["EBIT"] / (f["assets"] + g["assets"])),
    "the asset turnover|^asset turnover": (2, lambda f, g: 2 * f["revenue"] / (f["assets"] + g["assets"])),
    "fixed asset turnover": (2, lambda f, g: 2 * f["revenue"] / (f["property"] + g["property"])),
    "inventory turnover": (2, lambda f, g: 2 * f["cost"] / (f["inventory"] + g["inventory"])),
    "receivables turnover": (2, lambda f, g: 2 * f["revenue"] / (f["receivables"] + g["receivables"])),
    "payables turnover": (2, lambda f, g: 2 * f["cost"] / (f["payables"] + g["payables"])),
    "sales outstanding on average": (1, lambda f, g: 365 * (f["receivables"] + g["receivables"]) / (2 * f["revenue"])),
    "inventory outstanding on average": (1, lambda f, g: 365 * (f["inventory"] + g["inventory"]) / (2 * f["cost"])),
    "payable outstanding": (1, lambda f, g: 365 * (f["payables"] + g["payables"]) / (2 * f["cost"])),
    "sales outstanding on closing": (1, lambda f, _: 365 * f["receivables"] / f["revenue"]),
    "inventory outstanding on closing": (1, lambda f, _: 365 * f["inventory"] / f["cost"]),
    "cash flow to current": (2, lambda f, _: f["operating cash"] / f["current liabilities"]),
    "operating cash flow margin": (1, lambda f, _: 100 * f["operating cash"] / f["revenue"]),
    "cash conversion": (2, lambda f, _: f["operating cash"] / f["net income"]),
    "free cash flow$": (0, lambda f, _: f["operating cash"] - f["capital expenditure"]),
    "free cash flow margin": (1, lambda f, _: 100 * (f["operating cash"] - f["capital expenditure"]) / f["revenue"]),
    "payout": (1, lambda f, _: 100 * f["dividends"] / f["net income"]),
    "retention": (1, lambda f, _: 100 - 100 * f["dividends"] / f["net income"]),
    "EBITDA$": (0, lambda f, _: f["EBIT"] + f["depreciation"]),
    "EBITDA margin": (1, lambda f, _: 100 * (f["EBIT"] + f["depreciation"]) / f["revenue"]),
    "capital expenditure to depreciation": (2, lambda f, _: f["capital expenditure"] / f["depreciation"]),
}
# Words of a question for a column's place among the years; the head of a column that is no fiscal year.
PLACES: Mapping[str, str] = {
    "middle": r"middle|before the last\b|between the others|year before the last|before the most recent|before the last balance",
    "earliest": r"first year shown|first balance|oldest|earliest|furthest back",
    "latest": r"latest|last year shown|last balance date shown|most recent|newest",
}
HEADS: Mapping[str, tuple[str, str]] = {
    "restated": (
        r"(?i)^\d+ (as )?restated$|\(restated\)|^restated",
        r"after the rest|on the restated|with the correction|as corrected",
    ),
    "reported": (r"(?i)reported", r"before the rest|first published|without the correction|first report"),
    "half": (r"(?i)6 months|six months|half", r"two quarters|six months|both quarters|half year"),
    "quarter": (r"(?i)3 months|three months|quarter", r"three months|second quarter|shorter period|one quarter"),
    "total": (
        r"^(Total|Consolidated|Group|All segments)$",
        r"all segments together|as a whole|across the segments|whole group",
    ),
}

PEAK = "(with the highest|at its peak|came out highest|at the top for)|(with the lowest|at its low|came out lowest|at the bottom for)"


@cache
def rows(split: str) -> list[Row]:
    return [json.loads(line) for line in (FOLDER / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()]


def of_kind(kind: str, *files: str) -> list[Row]:
    return [row for file in files or FILES for row in rows(file) if row["kind"] == kind]


def read_number(text: str) -> Fraction:
    sign = -1 if text.startswith("(") else 1
    return sign * Fraction(text.strip("()").replace(",", ""))


def read_table(context: str) -> Table:
    """Labels to heads of columns to figures, from the text alone; remarks below the table are no part of it."""
    lines = [line.split(" | ") for line in context.split("\n")]
    start = next(
        i for i, line in enumerate(lines) if i and len(line) > 1
    )  # the first line is never the head of columns
    heads = lines[start][1:]
    body = [line for line in lines[start + 1 :] if len(line) == len(heads) + 1]
    return {line[0]: dict(zip(heads, map(read_number, line[1:]), strict=True)) for line in body}


def heads_of(row: Row) -> list[str]:
    return list(next(iter(read_table(row["context"]).values())))


def recognise(label: str) -> str | None:
    """What a line is by its wording, a key of `LINES`."""
    return next((key for key, pattern in LINES.items() if re.search(pattern, label.lower())), None)


def recognised(row: Row, head: str) -> dict[str, Fraction]:
    """Lines by what they are, as recognised from their wording; of several of a sort, none is one."""
    known: dict[str, Fraction] = {}
    for label, figures in read_table(row["context"]).items():
        if key := recognise(label):
            known[key] = figures[head]
    return known


def year_of(head: str) -> int:
    match = re.search(r"20\d\d", head)
    assert match
    return int(match[0])


def asked_head(row: Row) -> str:
    """The one column that the question of a twin or a measure names in its own words."""
    heads, question = heads_of(row), row["question"]
    years = re.findall(r"\b20\d\d\b", question)
    for role, (pattern, words) in HEADS.items():
        if any(re.search(pattern, head) for head in heads) and re.search(words, question, re.IGNORECASE):
            fitting = [head for head in heads if re.search(pattern, head)]
            (head,) = [head for head in fitting if not years or role == "total" or years[0] in head]
            return head
    if named := [head for head in heads if not re.search(r"\d", head) and head in question]:
        (head,) = named
        return head
    if peak := re.search(PEAK, question, re.IGNORECASE):
        figures = read_table(row["context"])[label_of_peak(row)]
        return (max if peak[1] else min)(figures, key=lambda head: figures[head])
    if years:
        return next(head for head in heads if head == years[0])
    place = next(place for place, words in PLACES.items() if re.search(words, question, re.IGNORECASE))
    ordered = sorted(heads, key=year_of)
    return {"earliest": ordered[0], "latest": ordered[-1], "middle": ordered[len(ordered) // 2]}[place]


def label_of_peak(row: Row) -> str:
    """The line by whose highest or lowest figure a question names its column, beside the line that it asks about."""
    pattern = r"with the (?:highest|lowest) (.*)|(?:in which|when|on which) (.*?) (?:was at its|came out)"
    words = next(
        part
        for part in re.findall(pattern + "|at the (?:top|bottom) for (.*)", row["question"], re.IGNORECASE)[-1]
        if part
    )
    key = line_of(words, first=True)
    labels = {label for pair in WORDINGS[key] for label in pair}
    return next(label for label in read_table(row["context"]) if label in labels)


def line_of(words: str, *, first: bool = False) -> str:
    """The element of the longest reader's word for a line that a text contains, or begins with."""
    named = {word: key for split in SPLITS for key, texts in voice(split).aliases.items() for word in texts}
    return named[
        max(
            (word for word in named if words.lower().find(word.lower()) in ((0,) if first else range(len(words)))),
            key=len,
        )
    ]
