"""Intervals of mean amounts with many zeros: coverage by simulation, and a sentence if amounts are too few."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from harness import metrics
from harness.metrics import amounts, scoring, stats
from harness.record import Answer
from harness.schema import Metric

Floats = np.ndarray[Any, np.dtype[np.float64]]
Draw = Callable[[np.random.Generator, tuple[int, ...]], Floats]

KINDS: dict[str, tuple[Draw, float]] = {
    "lognormal 1.5": (lambda rng, shape: rng.lognormal(0, 1.5, shape), math.exp(1.125)),
    "lognormal 1.0": (lambda rng, shape: rng.lognormal(0, 1.0, shape), math.exp(0.5)),
    "exponential": (lambda rng, shape: rng.exponential(1.0, shape), 1.0),
    "lognormal 2.0": (lambda rng, shape: rng.lognormal(0, 2.0, shape), math.exp(2.0)),
    "Pareto 2.5": (lambda rng, shape: 1 + rng.pareto(2.5, shape), 2.5 / 1.5),
    "Weibull 0.5": (lambda rng, shape: rng.weibull(0.5, shape), 2.0),
    "gamma 0.3": (lambda rng, shape: rng.gamma(0.3, 1.0, shape), 0.3),
    "gamma 0.5": (lambda rng, shape: rng.gamma(0.5, 1.0, shape), 0.5),
    "uniform": (lambda rng, shape: rng.uniform(0, 1, shape), 0.5),
    "constant": (lambda rng, shape: np.ones(shape), 1.0),
}


def share_covered(kind: str, n: int, nonzero: float, draws: int) -> tuple[float, float]:
    """The share of intervals that cover the true mean, and the share of draws with an interval."""
    rng, (draw, mean) = np.random.default_rng(n), KINDS[kind]
    x = np.where(rng.random((draws, n)) < nonzero, draw(rng, (draws, n)), 0.0)
    found = [amounts.amount_interval(row, range(n)) for row in x.tolist()]
    printed = [interval for interval in found if math.isfinite(interval.high)]
    hits = sum(low <= nonzero * mean <= high for _, low, high in printed)
    return hits / max(1, len(printed)), len(printed) / draws


@pytest.mark.parametrize("n", [60, 100])
def test_five_percent_of_a_hundred_amounts_are_too_few_for_an_interval(n: int) -> None:
    assert share_covered("lognormal 1.5", n, 0.05, 40)[1] == 0


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("n", "nonzero"), [(600, 0.05), (100, 0.3), (1200, 0.05), (500, 0.05)])
def test_mean_amounts_of_many_kinds_are_covered(kind: str, n: int, nonzero: float) -> None:
    covered, printed = share_covered(kind, n, nonzero, 4000)
    count = 4000 * printed  # the simulation's own error is that of so many intervals
    assert 0.935 - 3 * math.sqrt(0.935 * 0.065 / count) <= covered <= 0.985 + 3 * math.sqrt(0.985 * 0.015 / count)


def test_the_mean_of_a_few_large_losses_is_covered_which_a_t_interval_misses() -> None:
    rng, truth, misses, misses_of_t = np.random.default_rng(0), 0.05 * math.exp(1.125), 0, 0
    for _ in range(200):
        row = np.where(rng.random(1000) < 0.05, rng.lognormal(0, 1.5, 1000), 0.0).tolist()
        interval, plain = amounts.amount_interval(row, range(1000)), stats.clustered_interval(row, range(1000))
        misses += not interval.low <= truth <= interval.high
        misses_of_t += not plain.low <= truth <= plain.high
    assert misses / 200 <= 0.08
    assert misses_of_t / 200 >= 0.12


def test_amounts_just_enough_for_an_interval_are_covered_although_they_are_many_by_luck() -> None:
    """Of 450 amounts 5 % are 22, and an interval takes 30: whoever has one has too many."""
    rng, printed, misses = np.random.default_rng(3), 0, 0
    while printed < 100:
        count = int(rng.binomial(450, 0.05))
        if count >= amounts.FEWEST_AMOUNTS:
            low, high = amounts.amount_interval([*rng.uniform(0, 1, count), *[0.0] * (450 - count)], range(450))[1:]
            printed, misses = printed + 1, misses + (not low <= 0.025 <= high)
    assert misses / printed <= 0.08


def answers_with(losses: list[float]) -> tuple[list[Answer], Metric]:
    answers = [Answer(f"{i}", "", "a", "a", "a", amount=loss) for i, loss in enumerate(losses)]
    metric = Metric("loss", "Loss", lambda answer: answer.amount or 0.0, higher_is_better=False, unit="USD")
    return answers, metric


def test_money_that_is_zero_throughout_has_no_interval_but_a_sentence() -> None:
    answers, metric = answers_with([0.0] * 60)
    score = scoring.score_one(answers, metric)
    assert (score.value, score.low, score.high) == (0.0, -math.inf, math.inf)
    assert score.shortage == "too few groups with an amount other than zero: 0; at least 30 are needed"
    assert scoring.score_one(answers, metrics.accuracy).shortage == ""


def test_a_difference_of_money_turns_round_and_agrees_with_its_test() -> None:
    rng = np.random.default_rng(1)
    for shift in (0.0, 0.5, 2.0):
        a, b = rng.lognormal(shift, 1.0, 80).tolist(), rng.lognormal(0.0, 1.0, 80).tolist()
        one, two = stats.paired_amounts(a, b, range(80)), stats.paired_amounts(b, a, range(80))
        assert one[:4] == pytest.approx((-two.difference, -two.high, -two.low, two.p))
        assert one.low <= one.difference <= one.high
        assert (one.low <= 0 <= one.high) == (one.p >= 0.05)
    few = stats.paired_amounts([1.0] * 5 + [0.0] * 75, [0.0] * 80, range(80))
    assert not math.isfinite(few.low)
    assert "amount other than zero: 5" in few.reason


def test_amounts_do_not_depend_on_their_order() -> None:
    rng = np.random.default_rng(2)
    values = rng.lognormal(0, 1.0, 60).tolist()
    order = rng.permutation(60).tolist()
    assert amounts.amount_interval([values[i] for i in order], order) == amounts.amount_interval(values, range(60))
