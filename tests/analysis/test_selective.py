"""What share can be automated: the guarantee keeps what it says, in simulations whose truth is known."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import betainc, ndtr
from scipy.stats import binomtest

from harness.analysis import selective
from harness.analysis.selective import TARGETS, AnswerOutcomes, Floats
from harness.metrics import stats

DRAWS = 2000
A, B = 4.0, 0.5  # the confidences are Beta(4, 1/2): most of them high, the mean 89 %


def judged(sure: Sequence[float] | Floats, right: Sequence[float] | Floats, *, size: int = 1) -> AnswerOutcomes:
    """Answers in groups of `size` neighbours, all of them read."""
    n = len(sure)
    return AnswerOutcomes(
        np.array(sure), np.array(right, dtype=float), np.full(n, True), tuple(i // size for i in range(n))
    )


def precision(threshold: float, power: int) -> float:
    """The true share right above a threshold where the chance to be right is confidence to the power of 1 or 2."""
    mean = A / (A + B) * ((A + 1) / (A + B + 1) if power == 2 else 1.0)
    return float(mean * (1 - betainc(A + power, B, threshold)) / (1 - betainc(A, B, threshold)))


@functools.cache
def simulated(power: int, size: int, n: int = 320) -> dict[str, Floats]:
    """Whether precision fails [draws, targets], of the guaranteed and the observed part, and the guaranteed shares.

    In groups of more than one the same answers share half of their luck and half of their confidence, by a normal copula.
    """
    random = np.random.default_rng(7)
    fails = {name: np.zeros((DRAWS, len(TARGETS))) for name in ("guaranteed", "observed", "share")}
    grid = np.linspace(0, 1, 4001)
    levels = betainc(A, B, grid)
    shared = 0.7 if size > 1 else 0.0
    for draw in range(DRAWS):
        common = np.repeat(random.standard_normal((2, n // size)), size, axis=1)
        luck = ndtr(math.sqrt(shared) * common + math.sqrt(1 - shared) * random.standard_normal((2, n)))
        sure = np.interp(luck[0], levels, grid)
        found = selective.automated(judged(sure, luck[1] < sure**power, size=size))
        for place, one in enumerate(found):
            for name in ("guaranteed", "observed"):
                part = getattr(one, name)
                fails[name][draw, place] = part is not None and precision(part.threshold, power) < one.target
            fails["share"][draw, place] = one.guaranteed.share if one.guaranteed else 0.0
    return fails


@pytest.mark.parametrize("power", [1, 2], ids=["calibrated", "overconfident"])
def test_the_guarantee_fails_in_at_most_five_percent_of_test_sets(power: int) -> None:
    assert (simulated(power, 1)["guaranteed"].mean(axis=0) <= 0.05).all()


def test_the_guarantee_holds_where_answers_of_a_group_fall_together() -> None:
    assert (simulated(1, 4)["guaranteed"].mean(axis=0) <= 0.05).all()


def test_what_is_observed_is_no_guarantee() -> None:
    assert (simulated(1, 1)["observed"][:, :2].mean(axis=0) > 0.2).all()


def test_what_can_be_automated_is_found() -> None:
    truly = 1 - betainc(A, B, next(t for t in np.linspace(0, 1, 1001) if precision(t, 1) >= 0.9))
    assert simulated(1, 1)["share"][:, 0].mean() > 0.75 * truly


def test_one_threshold_is_tested_as_an_exact_binomial_test_does() -> None:
    for errors, n in ((0, 58), (0, 59), (1, 92), (1, 93), (5, 180), (5, 181)):
        right = [1.0] * (n - errors) + [0.0] * errors
        (found,) = selective.guaranteed(selective.prefixes(judged([0.9] * n, right)), (0.95,))
        assert (found is not None) == (binomtest(n - errors, n, 0.95, "greater").pvalue <= 0.05), (errors, n)


def test_too_few_answers_guarantee_nothing_however_good_they_are() -> None:
    sure = np.linspace(0.5, 0.99, 298)
    ninety, _, most = selective.automated(judged(sure, np.ones(298)))
    assert most.observed is not None
    assert most.observed.share == 1.0
    assert most.guaranteed is None
    assert ninety.guaranteed is not None
    assert ninety.guaranteed.share == 1.0


def test_answers_of_one_group_count_as_one_where_all_are_right() -> None:
    sure = np.linspace(0.5, 0.99, 200)
    alone, together = (selective.automated(judged(sure, np.ones(200), size=size))[1] for size in (1, 4))
    assert alone.guaranteed is not None
    assert together.guaranteed is None  # 50 groups, and 59 are needed


@pytest.mark.parametrize("size", [1, 3])
def test_the_effective_number_of_all_answers_is_that_of_the_standard_error(size: int) -> None:
    random = np.random.default_rng(3)
    luck = np.repeat(random.random(100), size)[:300]
    right = (0.5 * luck + 0.5 * random.random(len(luck)) < 0.6).astype(float)
    found = selective.prefixes(judged(random.random(len(luck)), right, size=size)).effective[-1]
    share = right.mean()
    error = stats.standard_error(right.tolist(), [i // size for i in range(len(luck))])
    expected = share * (1 - share) / error**2 * len(luck) / (len(luck) - 1)
    assert found == pytest.approx(len(luck) if size == 1 else expected, rel=1e-6)


def test_answers_that_cannot_be_read_or_have_no_confidence_are_never_automated() -> None:
    found = AnswerOutcomes(
        np.array([0.9, 0.8, math.nan, 0.7]),
        np.array([1.0, 0.0, 1.0, 1.0]),
        np.array([True, False, True, True]),
        tuple(range(4)),
    )
    order = selective.prefixes(found)
    assert order.threshold.tolist() == [0.9, 0.7]
    assert order.n == 4
    part = selective.automated(found)[0].observed
    assert part is not None
    assert part.share == 0.5


def test_no_answer_at_all_can_be_automated_where_none_has_a_confidence() -> None:
    nothing = AnswerOutcomes(np.full(3, math.nan), np.ones(3), np.full(3, True), (0, 1, 2))
    assert [(one.observed, one.guaranteed) for one in selective.automated(nothing)] == [(None, None)] * 3


def test_the_area_is_that_of_a_curve_reckoned_by_hand() -> None:
    found = judged([0.9, 0.8, 0.7, 0.6], [1, 1, 0, 1])
    assert selective.risk_coverage_area(found) == pytest.approx((0 + 0 + 1 / 3 + 1 / 4) / 4)
    tied = judged([0.9, 0.9, 0.9, 0.9], [1, 1, 0, 1])
    assert selective.risk_coverage_area(tied) == pytest.approx(1 / 4)


ANSWERS = st.lists(
    st.tuples(st.sampled_from([0.3, 0.5, 0.8, 0.9, 0.99, 0.999]), st.sampled_from([0.0, 1.0, 1.0, 1.0]), st.booleans()),
    min_size=1,
    max_size=200,
)


@settings(max_examples=100, deadline=None)
@given(ANSWERS, st.integers(1, 5), st.integers(1, 8))
def test_a_higher_precision_never_lets_more_out_and_a_guarantee_never_more_than_was_seen(
    answers: list[tuple[float, float, bool]], size: int, times: int
) -> None:
    sure, right, read = (np.array(column) for column in zip(*answers * times, strict=True))
    found = selective.automated(
        AnswerOutcomes(sure, np.where(read, right, 0.0), read, tuple(i // size for i in range(len(sure))))
    )
    for kind in ("observed", "guaranteed"):
        shares = [part.share if part else 0.0 for part in (getattr(one, kind) for one in found)]
        assert shares == sorted(shares, reverse=True)
        thresholds = [part.threshold for part in (getattr(one, kind) for one in found) if part]
        assert thresholds == sorted(thresholds)
    for one in found:
        assert one.guaranteed is None or (one.observed is not None and one.guaranteed.share <= one.observed.share)
        for part in filter(None, (one.guaranteed, one.observed)):
            above = read & (sure >= part.threshold)
            assert right[above].mean() >= one.target - 1e-9
            assert part.share == pytest.approx(above.sum() / len(sure))
