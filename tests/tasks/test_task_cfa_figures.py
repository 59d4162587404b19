"""Gold of the judgement questions of `cfa` that rest on figures or on a record, decided a second time from the text of the vignette alone.

Nothing here comes from the files that made the questions: the sentence about the person or thing of the question is cut
out, its figures are read by pattern and compared.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[2] / "tasks" / "data" / "cfa"
ROWS: list[dict[str, Any]] = [
    row
    for split in ("train", "validation", "test")
    for line in (FOLDER / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()
    if (row := json.loads(line))["step"] in ("rule", "limit", "comparison", "lookup", "record", "threshold")
]

# What follows if a figure is above the upper limit, below the lower one, or between them.
BANDS = {
    "rebalancing corridor": ("sell equity", "buy equity", "make no trade"),
    "gifts between limits": ("return it", "keep it", "report it"),
    "trade and report": ("permitted", "ahead of clients", "too early"),
    "project return": ("start it", "reject it", "let it wait"),
    "inflation target": ("an increase", "a cut", "no change"),
    "covenant": ("in default", "free to pay dividends", "barred from dividends"),
}
TAUGHT = {
    "voting stake": (50, 20, ("consolidation", "fair value", "the equity method")),
    "p-value": (5, 1, ("not rejected", "rejected at both levels", "rejected at 5% only")),
}
# What stands before or behind the first of two figures; what follows if it is larger, smaller, or equal.
TWINS = {
    "value and price": (r"worth \$#|value of \$#|value of [^$]+ is \$#|valued at \$#", ("buy", "sell", "hold")),
    "coupon and yield": (
        r"pays #|coupon of #|coupon of Bond . is #|#% coupon",
        ("above par", "below par", "at par"),
    ),
    "moneyness": (
        r"stock (?:is )?at \$#|stock of \w+ is at \$#|stock that costs \$#|stock trades at \$#|stock \$#",
        ("in the money", "out of the money", "at the money"),
    ),
    "forward quote": (
        r"quoted at #|quote (?:of )?#|stands at #|trades at #|costs #",
        ("sell the forward", "buy the forward", "nothing, there is none"),
    ),
    "marginal cost and revenue": (
        r"marginal revenue (?:of )?\$#|brings \$#|earn \$#",
        ("raise output", "cut output", "leave it unchanged"),
    ),
    "high-water mark": (
        r"stands at #|value (?:of )?#|now worth #",
        ("an incentive fee", "a loss to recover", "neither of them"),
    ),
    "futures curve": (
        r"spot (?:price )?(?:of |at )?\$#|\$# for today|today's \$#",
        ("backwardation", "contango", "a flat curve"),
    ),
    "deferred tax": (
        r"profit (?:of |is )?#",
        ("a deferred tax liability", "a deferred tax asset", "no deferred tax"),
    ),
    "return objective": (
        r"needs #|need of \w+ is #|must earn #|#% is needed",
        ("goals out of reach", "room for less risk", "a plan that just fits"),
    ),
}
# For each choice: words of the question, the figure that decides, and whether the largest is wanted.
CHOICES = {
    "choice of a bond": (
        (r"income|yield", r"yields #|yield (?:of )?#|yield of Bond . is #|offers #", max),
        (r"safest|rising|smallest|least", r"duration (?:of )?#", min),
        (r"gains most|falling|largest|moves most", r"duration (?:of )?#", max),
    ),
    "choice of a stock": (
        (r"growth|grows", r"grows by #|growth (?:of )?#", max),
        (r"suits a value|cheapest|prefers|for a value", r"P/E (?:of )?#|P/E of [^.]+ is #", min),
        (r"sell|dearest|avoids", r"P/E (?:of )?#|P/E of [^.]+ is #", max),
    ),
    "choice of a fund": (
        (
            r"(?i)most risk|largest swings|avoids|swings most",
            r"volatility (?:of )?#|volatility of Fund . is #|swings by #",
            max,
        ),
        (
            r"(?i)least risk|smallest|prefers|calmest",
            r"volatility (?:of )?#|volatility of Fund . is #|swings by #",
            min,
        ),
        (r"(?i)cost|cheapest", r"costs? (?:of )?#", min),
    ),
    "choice of a borrower": (
        (
            r"most on debt|highest|largest|riskiest|most leverage",
            r"#% debt|debt (?:of )?#|debt is #|debt of [^.%]+ is #",
            max,
        ),
        (r"least|lowest|smallest|structure, the safest", r"#% debt|debt (?:of )?#|debt is #|debt of [^.%]+ is #", min),
        (r"easily|best|easiest|earnings|often", r"covers its interest #|coverage (?:of )?#|covered #", max),
    ),
}


# What follows from the word of a record.
RECORDS = {
    "control of a stake": {"control": "consolidation", "influence": "the equity method", "neither": "fair value"},
    "horizon of a client": {"short": "money market bills", "long": "growth stocks", "medium": "a mix of both"},
    "phase of an economy": {"boom": "raise the rate", "recession": "cut the rate", "balance": "leave the rate"},
    "scale of a variable": {"category": "the mode", "rank": "the median", "amount": "the mean"},
    "option in a bond": {
        "call": "the issuer repay early",
        "put": "the holder sell early",
        "conversion": "the holder take shares",
    },
    "kind of information": {"public": "trade freely", "secret": "keep from trading", "rumour": "check it first"},
    "ordering of costs": {"FIFO": "highest", "LIFO": "lowest", "average": "in the middle"},
    "market of a firm": {"competition": "accept it", "monopoly": "choose it", "oligopoly": "watch rivals"},
    "stage of a business": {"start": "venture capital", "growth": "a public offering", "mature": "retained earnings"},
    "view of a stock": {"rise": "buy a call", "fall": "buy a put", "calm": "sell a straddle"},
    "curve of a country": {"upward": "an expansion", "inverse": "a slump", "flat": "a turning point"},
    "style of a manager": {"value": "low multiples", "growth": "fast sales", "income": "high dividends"},
    "risk of a property": {"full": "core", "empty": "opportunistic", "part": "value added"},
    "source of a fee": {
        "broker": "disclose it to clients",
        "issuer": "refuse it in research",
        "nobody": "do nothing more",
    },
}
# What follows if the figure of the question is above, below or equal to that of the vignette.
THRESHOLDS = {
    "price of a share": ("sell", "buy", "hold"),
    "justified multiple": ("sell", "buy", "hold"),
    "quoted forward": ("sell", "buy", "hold"),
    "target weight": ("sell", "buy", "hold"),
    "volatility view": ("sell", "buy", "hold"),
    "goal for inflation": ("raise", "lower", "keep"),
    "next unit": ("raise", "lower", "keep"),
    "date of a liability": ("raise", "lower", "keep"),
    "optimal debt": ("raise", "lower", "keep"),
    "value of a stake": ("a gain", "a loss", "neither"),
    "sales and breakeven": ("a gain", "a loss", "neither"),
    "mark of a fund": ("a gain", "a loss", "neither"),
    "long futures": ("a gain", "a loss", "neither"),
    "hurdle rate": ("accept", "reject", "either"),
    "required return": ("accept", "reject", "either"),
    "price of a deal": ("accept", "reject", "either"),
    "day of a report": ("after clients", "ahead of clients", "on the same day"),
}


def figures(text: str) -> list[float]:
    return [float(text) for text in re.findall(r"\d+(?:\.\d+)?", text)]


def sentences(row: dict[str, Any]) -> list[str]:
    return re.split(r"(?<=[.!?])\s(?=[A-Z])", row["context"])


def sentence(row: dict[str, Any], name: str) -> str:
    """Return the one sentence with figures of its own about a name."""
    (text,) = [
        text for text in sentences(row)[1:] if re.search(rf"\b{re.escape(name)}\b", text) and re.search(r"\d", text)
    ]
    return text


def subject(row: dict[str, Any]) -> str:
    return str(row["stem"]).rsplit("/", 1)[1]


def outcome(row: dict[str, Any], high: float, low: float, outcomes: tuple[str, str, str]) -> str:
    (value,) = figures(sentence(row, subject(row)))
    assert value not in (low, high)
    return outcomes[0] if value > high else outcomes[1] if value < low else outcomes[2]


def figure(pattern: str, text: str) -> float:
    """Return the one figure at the place of # in a pattern."""
    (found,) = {
        number
        for match in re.finditer(pattern.replace("#", r"(\d+(?:\.\d+)?)"), text)
        for number in match.groups()
        if number
    }
    return float(found)


@pytest.mark.parametrize("concept", sorted(BANDS))
def test_a_figure_against_two_limits_of_the_vignette_decides(concept: str) -> None:
    rows = [row for row in ROWS if row["concept"] == concept]
    assert len(rows) >= 12
    for row in rows:
        low, high = sorted(figures(row["context"])[:2])
        assert row["answer"] == outcome(row, high, low, BANDS[concept]), row["id"]


@pytest.mark.parametrize("concept", sorted(TAUGHT))
def test_a_figure_against_two_limits_of_the_curriculum_decides(concept: str) -> None:
    high, low, outcomes = TAUGHT[concept]
    for row in (row for row in ROWS if row["concept"] == concept):
        assert row["answer"] == outcome(row, high, low, outcomes), row["id"]


@pytest.mark.parametrize("concept", sorted(TWINS))
def test_the_comparison_of_two_figures_decides(concept: str) -> None:
    pattern, (larger, smaller, equal) = TWINS[concept]
    for row in (row for row in ROWS if row["concept"] == concept):
        text = sentence(row, subject(row))
        first, both = figure(pattern, text), figures(text)
        assert len(both) == 2
        second = both[1] if both[0] == first else both[0]
        right = larger if first > second else smaller if first < second else equal
        assert row["answer"] == right, row["id"]


@pytest.mark.parametrize("concept", sorted(CHOICES))
def test_the_choice_among_three_is_that_of_the_largest_or_smallest_figure(concept: str) -> None:
    for row in (row for row in ROWS if row["concept"] == concept):
        (pattern, pick) = next(
            (figure, pick) for words, figure, pick in CHOICES[concept] if re.search(words, row["question"])
        )
        values = {name: figure(pattern, sentence(row, name)) for name in row["options"]}
        right = pick(values.values())
        assert [name for name, value in values.items() if value == right] == [row["answer"]], row["id"]


@pytest.mark.parametrize("concept", sorted(RECORDS))
def test_the_word_of_the_one_that_is_named_decides(concept: str) -> None:
    for row in (row for row in ROWS if row["concept"] == concept):
        (word,) = re.findall(rf"{subject(row)}\W+(\w+)\.", row["context"])
        assert row["answer"] == RECORDS[concept][word], row["id"]


@pytest.mark.parametrize("concept", sorted(THRESHOLDS))
def test_a_figure_of_the_question_against_that_of_the_vignette_decides(concept: str) -> None:
    above, below, equal = THRESHOLDS[concept]
    for row in (row for row in ROWS if row["concept"] == concept):
        (x,), (y,) = figures(row["context"]), figures(row["question"])
        assert row["answer"] == (above if y > x else below if y < x else equal), row["id"]


def test_every_family_of_figures_is_decided_here() -> None:
    assert {row["concept"] for row in ROWS} == {*BANDS, *TAUGHT, *TWINS, *CHOICES, *RECORDS, *THRESHOLDS}
    assert Counter(row["step"] for row in ROWS if row["id"].startswith("test")) == {
        "rule": 27,
        "comparison": 18,
        "limit": 6,
        "lookup": 12,
        "record": 168,
        "threshold": 51,
    }
