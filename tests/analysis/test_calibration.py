"""Confidence and calibration: the pick's own softmax, an error that a calibrated model does not have, honest bins."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss

from harness import metrics
from harness.analysis.calibration import (
    BINS,
    Calibration,
    answer_outcomes,
    calibration,
    calibration_error,
    confidence,
    error_by_chance,
)
from harness.metrics import stats
from harness.record import Answer
from harness.schema import Metric

MONEY = Metric("overpaid", "Overpaid", lambda answer: 3.0, higher_is_better=False, unit="USD per claim")


def picked(number: int, sure: float, *, right: bool, group: str = "") -> Answer:
    """An answer that one of two options was picked for with this confidence."""
    text = "a" if right else "b"
    loglik = {"a": math.log(sure), "b": math.log(1 - sure)} if right else {"a": math.log(1 - sure), "b": math.log(sure)}
    made = {"target": "a", "text": text, "parsed": text, "choices": ("a", "b")}
    return Answer(id=f"q{number:04}", group=group, loglik=(loglik["a"] - 7.0, loglik["b"] - 7.0), **made)  # type: ignore[arg-type]


def drawn(n: int, *, seed: int = 0, power: float = 1.0, size: int = 1) -> list[Answer]:
    """Answers that are right with the chance of confidence to a power, in groups of `size`."""
    luck = random.Random(seed)
    sure = [0.5 + 0.499 * luck.random() for _ in range(n)]
    return [picked(i, c, right=luck.random() < c**power, group=f"g{i // size}") for i, c in enumerate(sure)]


def measured(answers: list[Answer]) -> Calibration:
    found = calibration(answers, metrics.accuracy, "choices")
    assert found is not None
    return found


def test_the_confidence_in_an_option_is_the_softmax_by_which_it_was_picked() -> None:
    answer = Answer("q", "", "a", "a", "a", ("a", "b", "c"), loglik=(-700.0, -701.0, -702.0))
    assert confidence(answer, "choices") == pytest.approx(1 / (1 + math.exp(-1) + math.exp(-2)))


def test_the_confidence_in_what_was_written_is_the_product_over_its_tokens() -> None:
    answer = Answer("q", "", "12", "12", "12", loglik=(math.log(0.5), math.log(0.8)))
    assert confidence(answer, "generate") == pytest.approx(0.4)


@pytest.mark.parametrize("scoring", ["choices", "generate", "perplexity"])
def test_an_answer_without_log_likelihoods_has_no_confidence(scoring: str) -> None:
    answer = Answer("q", "", "a", "a", "a", ("a", "b"))
    assert confidence(answer, scoring) is None  # type: ignore[arg-type]
    assert calibration([answer], metrics.accuracy, scoring) is None  # type: ignore[arg-type]


def test_metrics_other_than_right_and_wrong_have_no_calibration() -> None:
    answers = drawn(20)
    assert calibration(answers, MONEY, "choices") is None
    assert calibration(answers, metrics.macro_f1, "choices") is None
    assert calibration(answers, replace(metrics.accuracy, score=lambda answer: 0.5), "choices") is None


def test_an_unread_answer_counts_as_wrong() -> None:
    answers = [replace(answer, parsed=None) for answer in drawn(40)]
    found = measured(answers)
    assert found.accuracy == 0.0
    assert found.overconfidence.value == pytest.approx(found.confidence)
    assert all(one.observed is None for one in found.automated)


def test_answers_with_and_without_confidence_are_counted_apart() -> None:
    answers = drawn(40)
    found = measured([*answers[:30], *(replace(answer, loglik=()) for answer in answers[30:])])
    assert (found.n, found.rated, sum(one.count for one in found.bins)) == (40, 30, 30)


def test_the_error_of_a_calibrated_model_is_the_error_by_chance_and_falls_with_the_number_of_answers() -> None:
    luck = np.random.default_rng(1)
    for n in (200, 3200):
        sure = 0.5 + 0.5 * luck.random((400, n))
        right = (luck.random((400, n)) < sure).astype(float)
        errors = [_error(s, r) for s, r in zip(sure, right, strict=True)]
        assert np.mean(errors) == pytest.approx(error_by_chance(sure[0]), rel=0.06)
    assert np.mean(errors) < 0.02


def _error(sure: np.ndarray, right: np.ndarray) -> float:  # type: ignore[type-arg]
    return calibration_error(sure, right, ["all"] * len(sure)).value  # of one group there is no bootstrap to wait for


def test_a_model_too_sure_of_itself_has_an_error_beyond_chance_and_is_called_overconfident() -> None:
    calibrated, sure = measured(drawn(800)), measured(drawn(800, power=2.0))
    assert calibrated.overconfidence.low < 0 < calibrated.overconfidence.high
    assert sure.overconfidence.low > 0
    assert sure.ece.low > sure.floor
    assert sure.ece.value == pytest.approx(sure.overconfidence.value, abs=0.02)  # too sure in every bin


def test_the_interval_of_the_error_is_wider_where_answers_of_a_group_fall_together() -> None:
    answers = drawn(200, power=2.0)
    fourfold = [replace(answer, id=f"{answer.id}-{copy}") for answer in answers for copy in range(4)]
    once, often = measured(answers), measured(fourfold)
    as_if = measured([replace(answer, group="") for answer in fourfold])
    assert often.ece.high - often.ece.low == pytest.approx(once.ece.high - once.ece.low, rel=0.15)
    assert as_if.ece.high - as_if.ece.low < 0.75 * (often.ece.high - often.ece.low)


def test_bins_hold_a_tenth_of_the_answers_each_with_the_interval_of_their_share() -> None:
    answers = drawn(203)
    found = measured(answers)
    assert len(found.bins) == BINS
    assert {one.count for one in found.bins} <= {20, 21}
    assert [one.confidence for one in found.bins] == sorted(one.confidence for one in found.bins)
    error = sum(one.count * abs(one.confidence - one.accuracy.value) for one in found.bins) / 203
    assert found.ece.value == pytest.approx(error)
    judged = answer_outcomes(answers, metrics.accuracy, "choices")
    assert judged is not None
    lowest = np.argsort(judged.confidence)[: found.bins[0].count]
    share = stats.clustered_interval(judged.right[lowest].tolist(), lowest.tolist(), share=True)
    assert found.bins[0].accuracy == share


def test_the_brier_score_is_that_of_scikit_learn() -> None:
    answers = drawn(100)
    judged = answer_outcomes(answers, metrics.accuracy, "choices")
    assert judged is not None
    assert measured(answers).brier.value == pytest.approx(brier_score_loss(judged.right, judged.confidence))


def test_fewer_answers_than_bins_leave_bins_out() -> None:
    assert len(measured(drawn(3)).bins) == 3
    assert measured(drawn(1)).ece.high == math.inf


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 60), st.integers(1, 3), st.randoms())
def test_the_order_of_the_answers_does_not_matter_and_all_values_are_shares(
    n: int, size: int, luck: random.Random
) -> None:
    answers = [replace(a, loglik=tuple(round(v, 1) for v in a.loglik)) for a in drawn(n, size=size)]  # with ties
    found = measured(answers)
    mixed = list(answers)
    luck.shuffle(mixed)
    assert measured(mixed) == found
    shares = [found.ece, found.brier, *(one.accuracy for one in found.bins)]
    assert all(one.low <= one.value <= one.high for one in shares)
    assert all((one.low >= 0 and one.high <= 1) or (one.low, one.high) == (-math.inf, math.inf) for one in shares)
    assert abs(found.overconfidence.value) <= found.ece.value + 1e-12
    coverage = [share for share, _ in found.curve]
    assert coverage == sorted(set(coverage))
    assert coverage[-1] == 1.0
    assert found.curve[-1][1] == pytest.approx(1 - found.accuracy)
