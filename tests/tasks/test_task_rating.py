"""The rating task: its data's promises, a second route to every test answer, and what needs no arithmetic."""

from __future__ import annotations

import itertools
import math
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from harness import SPLITS
from tasks.data.rating import make
from tasks.data.rating.wording import ASKS, FACTS
from tasks.rating import TASK
from tests.support import shipped_data
from tests.support.shallow import by_numbers_alone, by_words

ROWS = shipped_data.rows(TASK.name)
EVERY = [row for rows in ROWS.values() for row in rows]
EXAMPLES = shipped_data.examples(TASK)


def test_the_maker_writes_the_shipped_files_again_byte_for_byte(tmp_path: Path) -> None:
    shipped_data.require_same_bytes(make, TASK, tmp_path)


def test_sizes_and_kinds_are_as_promised() -> None:
    assert {split: len(rows) for split, rows in ROWS.items()} == make.SIZES
    for rows in ROWS.values():
        assert len(set(Counter(row["kind"] for row in rows).values())) == 1
    assert all(len(set(row["options"])) == 4 and row["answer"] in row["options"] for row in EVERY)


def test_no_facts_and_no_sentence_are_in_two_splits() -> None:
    facts = [{tuple(re.findall(r"[\d.,]*\d", row["context"])) for row in ROWS[split]} for split in SPLITS]
    assert not any(a & b for a, b in itertools.combinations(facts, 2))
    for wording in (*FACTS.values(), *(quantity for asks in ASKS.values() for quantity in asks.values())):
        texts = [text for split in SPLITS for text in wording[split]]
        assert len(set(texts)) == len(texts)


# --- a second route, from the sentences of the test split

Numbers = list[float]


def trio(question: str) -> int:
    """Return the position of the subject A, B or C, or of north, south or west."""
    (letter,) = set(re.findall(r"\b([ABC])\b|(north|south|west)", question))
    return "ABC".index(letter[0]) if letter[0] else ("north", "south", "west").index(letter[1])


def relativities(n: Numbers, question: str) -> float:
    base, *regions = n[:4]
    petrol, diesel, credit, fee = n[4:]
    fuel = diesel if "diesel" in question else petrol
    discount = 1 - credit / 100 if "without claims" in question else 1.0
    return base * regions[trio(question)] * fuel * discount + fee


def earned(n: Numbers, question: str) -> float:
    i = trio(question)
    still = n[i] - n[i] / 12 * n[3 + i]
    if "still to come" in question:
        return still
    return n[i] - still if "has passed" in question else still - still * n[6] / 100


def credibility(n: Numbers, question: str) -> float:
    full, pure_a, claims_a, pure_b, claims_b, manual = n
    if "put together" in question:
        claims, pure = claims_a + claims_b, (pure_a * claims_a + pure_b * claims_b) / (claims_a + claims_b)
    else:
        claims, pure = ((claims_a, pure_a), (claims_b, pure_b))[trio(question)]
    return manual + min(1.0, math.sqrt(claims / full)) * (pure - manual)


def cover(n: Numbers, question: str) -> float:
    i = trio(question)
    rest = n[0] - n[1 + i]
    paid = min(rest - rest * n[4 + i] / 100, n[7 + i])
    return paid if "from the insurer" in question else n[0] - paid


def limits(n: Numbers, question: str) -> float:
    i = trio(question)  # 100, three averages, 250, three, 500, three, 100
    return n[(5 if "limit of 250" in question else 9) + i] / n[1 + i]


def gross(n: Numbers, question: str) -> float:
    *losses, administration, variable, profit = n
    cost = losses[trio(question)] + (0 if "separately" in question else administration)
    return 100 * cost / (100 - variable - (0 if "no profit" in question else profit))


def change(n: Numbers, question: str) -> float:
    premium_a, loss_a, premium_b, loss_b, adequate = n
    if "the same change" in question:
        premium, loss = premium_a + premium_b, loss_a + loss_b
    else:
        premium, loss = ((premium_a, loss_a), (premium_b, loss_b))[trio(question)]
    return 100 * loss / (premium * adequate / 100) - 100


def trend(n: Numbers, question: str) -> float:
    year, i = n[0], trio(question)
    sold = int(re.findall(r"\b20\d\d\b", question)[0])
    return n[1 + i] * math.exp((sold + 1 - (year + 0.5)) * math.log1p(n[4 + i] / 100))


ROUTES: dict[str, Callable[[Numbers, str], float]] = {
    "relativities": relativities,
    "earned premium": earned,
    "credibility": credibility,
    "deductible and limit": cover,
    "increased limits": limits,
    "gross premium": gross,
    "rate change": change,
    "trend": trend,
}


@pytest.mark.parametrize("kind", ROUTES)
def test_every_test_answer_follows_from_the_text_and_no_other_option_does(kind: str) -> None:
    for row in (row for row in ROWS["test"] if row["kind"] == kind):
        text = row["context"].split("A limit of 100 is")[0]
        numbers = [float(number.replace(",", "")) for number in re.findall(r"\d[\d,]*(?:\.\d+)?", text)]
        values = {option: float(option.replace(",", "").removesuffix(" %")) for option in row["options"]}
        result = ROUTES[kind](numbers, row["question"])
        assert min(values, key=lambda option: abs(values[option] - result)) == row["answer"], row["id"]
        step = 1 if kind not in ("increased limits", "rate change") else 0.001 if kind == "increased limits" else 0.1
        assert abs(values[row["answer"]] - result) <= 0.5001 * step, row["id"]


# --- what needs no arithmetic


def test_words_and_the_sizes_of_options_do_not_answer_it() -> None:
    assert by_words(EXAMPLES["train"], EXAMPLES["test"]) <= 0.35
    assert by_numbers_alone(EXAMPLES["train"], EXAMPLES["test"], kind="kind") <= 0.40
