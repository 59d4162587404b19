"""What `sec_qa` gives to those who read no language: forty lines of rules, a word counter, the most alike question."""

from __future__ import annotations

import inspect
from collections import defaultdict
from dataclasses import replace
from functools import cache

import pytest

from harness.challengers import commonest, nearest, words
from harness.record import Split
from harness.schema import Example
from harness.verify.task import make_answers
from tasks.sec_qa import TASK, examples
from tests.support import filing_rules
from tests.support.sec_qa_reader import FOLDER

KINDS = ("twin", "change", "computed", "explain")


@cache
def split(name: Split) -> list[Example]:
    return list(examples(FOLDER / f"{name}.jsonl"))


def by_kind(texts: list[str], asked: list[Example]) -> dict[str, float]:
    """Return the share right of each kind, and of all."""
    scores: dict[str, list[float]] = defaultdict(list)
    for answer in make_answers(TASK, asked, texts):
        for kind in (answer.slices["kind"], "all"):
            scores[kind].append(TASK.metrics[0].score(answer))
    return {kind: sum(values) / len(values) for kind, values in scores.items()}


def ruled(example: Example) -> str:
    try:
        return filing_rules.answer(example.context, example.question)
    except (KeyError, IndexError, ValueError, ZeroDivisionError, OverflowError):
        return ""


def test_forty_lines_of_rules_answer_less_than_half_and_more_than_a_third() -> None:
    source = inspect.getsource(filing_rules)
    page = source.split("begin below.\n")[1].split("# The forty lines end")[0].splitlines()
    assert len(page) == 40
    assert sum(map(len, page)) <= 40 * 140
    asked = split("test")
    shares = by_kind([ruled(example) for example in asked], asked)
    assert 1 / 3 < shares["all"] <= 0.5  # fewer would mean that the rules no longer fit the data
    assert shares["twin"] <= 0.75
    assert shares["explain"] <= 0.6
    assert shares["change"] <= 0.5
    assert shares["computed"] <= 0.2


@pytest.mark.parametrize(("challenger", "most"), [(words, 0.15), (nearest, 0.06), (commonest, 0.03)])
def test_neither_words_nor_the_most_alike_question_answer_it(challenger: object, most: float) -> None:
    asked = split("test")
    plugin = challenger.CHALLENGER  # type: ignore[attr-defined]
    fitted = plugin.fit(split("train"), TASK, 0)
    texts = plugin.answer(fitted, [replace(example, target="", slices={}) for example in asked])
    assert by_kind(list(texts), asked)["all"] <= most


def test_plain_lookups_are_kept_out_of_the_test() -> None:
    assert {example.slices["kind"] for example in split("test")} == set(KINDS)
    assert {example.slices["kind"] for example in split("validation")} == set(KINDS)
    assert {example.slices["kind"] for example in split("train")} == {*KINDS, "lookup", "tag"}
