"""What can be answered in `cfa` without understanding it: by words, neighbors, options, lengths, places, frequencies."""

from __future__ import annotations

from functools import cache

import pytest

from harness.data import loading, registry
from tests.support import counters

pytest.importorskip("sklearn")
LIMITS = {"transfer": 0.45, "calculation": 0.40, "judgement": 0.40}
KINDS = tuple(LIMITS)
COUNTERS = ("words", "question_words", "nearest", "options_only", "longest", "shortest", "position", "commonest")


@cache
def shares(name: str) -> dict[str, float]:
    splits = loading.load_splits(registry.task("cfa"))
    return counters.shares(counters.ANSWERERS[name], splits.train, splits.test, "kind")


@pytest.mark.parametrize("name", COUNTERS)
def test_no_counter_answers_what_is_not_recall(name: str) -> None:
    assert {kind: shares(name)[kind] <= LIMITS[kind] + 0.001 for kind in KINDS} == dict.fromkeys(KINDS, True)


def test_a_word_counter_answers_what_is_recall() -> None:
    assert shares("words")["recall"] >= 0.85


def test_the_option_with_the_fewest_common_words_is_not_the_answer_either() -> None:
    assert shares("fewest_common")["transfer"] <= 0.45


def test_the_headline_is_out_of_a_word_counters_reach() -> None:
    assert shares("words")["all"] <= 0.45


def test_without_its_vignette_no_question_of_levels_two_and_three_is_answered_by_words() -> None:
    hits = shares("question_words")
    assert hits["judgement"] <= 0.40
    assert hits["calculation"] <= 0.40
