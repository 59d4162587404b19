"""`acc` and `acc_norm`: picks by the sum and per character, the first of equals, and less a prior if there is one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import metrics
from harness.metrics import options
from harness.record import Answer
from harness.schema import Metric

NATS = st.floats(-200, -0.01)


def answer(loglik: list[float], choices: list[str], target: int = 0, prior: tuple[float, ...] = ()) -> Answer:
    return Answer("q", "", choices[target], "", None, tuple(choices), tuple(loglik), prior=prior)


@given(st.lists(st.tuples(NATS, st.text(min_size=1, max_size=30)), min_size=2, max_size=6))
def test_picks_are_those_of_numpy_as_lm_eval_takes_them(pairs: list[tuple[float, str]]) -> None:
    loglik, choices = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    example = answer(loglik, choices)
    assert options.by_sum(example) == int(np.argmax(loglik))
    assert options.by_character(example) == int(np.argmax(np.array(loglik) / [float(len(text)) for text in choices]))


def test_the_sum_prefers_the_short_option_and_the_sum_per_character_need_not() -> None:
    example = answer([-4.0, -5.0], ["no", "a longer text"], target=1)
    assert metrics.acc.score(example) == 0.0
    assert metrics.acc_norm.score(example) == 1.0


def test_of_equals_the_first_counts() -> None:
    assert options.by_sum(answer([-2.0, -2.0, -3.0], ["a", "b", "c"])) == 0


def test_the_end_token_decides_nothing() -> None:
    example = replace(answer([-4.0, -5.0], ["ab", "cd"]), end_loglik=(-90.0, -0.1))
    assert metrics.acc.score(example) == metrics.acc_norm.score(example) == 1.0


def test_a_prior_is_subtracted_and_no_length_then_counts() -> None:
    example = answer([-4.0, -5.0], ["no", "a longer text"], target=1, prior=(-1.0, -9.0))
    assert options.nats(example) == [-3.0, 4.0]
    assert options.by_sum(example) == options.by_character(example) == 1


def test_lengths_of_withheld_options_are_those_that_are_stored() -> None:
    example = replace(answer([-4.0, -5.0], ["sha256:aa", "sha256:bb"]), option_lengths=(2, 13))
    assert options.by_character(example) == 1


@pytest.mark.parametrize("metric", [metrics.acc, metrics.acc_norm])
@pytest.mark.parametrize(("parsed", "score"), [("Yes", 1.0), ("no", 0.0), (None, 0.0)])
def test_a_written_answer_is_scored_by_its_parsed_text(metric: Metric, parsed: str | None, score: float) -> None:
    assert metric.score(Answer("q", "", "yes", "", parsed, ("yes", "no"), (-3.0,))) == score
