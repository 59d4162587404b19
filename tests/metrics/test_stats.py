"""Intervals and tests: known formulas, coverage by simulation, and properties that no data may break."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as reference

from harness import HarnessError
from harness.metrics import power, stats

some = settings(max_examples=50, deadline=None)
numbers = st.floats(-1e6, 1e6)
grouped = st.lists(st.tuples(numbers, st.integers(0, 30)), min_size=2, max_size=60)
shares = st.lists(st.tuples(st.sampled_from([0.0, 0.25, 0.5, 1.0]), st.integers(0, 30)), min_size=1, max_size=60)


def normals(count: int, seed: int = 0) -> list[float]:
    return [float(value) for value in np.random.default_rng(seed).normal(3.0, 2.0, count)]


def test_with_groups_of_one_the_interval_is_the_ordinary_t_interval() -> None:
    values = normals(25)
    low, high = reference.t.interval(0.95, 24, np.mean(values), reference.sem(values))
    assert stats.clustered_interval(values, range(25)) == pytest.approx((np.mean(values), low, high))


def test_equal_groups_of_copies_count_once_each() -> None:
    values = normals(20)
    copies = [value for value in values for _ in range(5)]
    ids = [number for number in range(20) for _ in range(5)]
    assert stats.clustered_interval(copies, ids) == pytest.approx(stats.clustered_interval(values, range(20)))
    assert stats.clustered_interval([v > 3 for v in copies], ids, share=True) == pytest.approx(
        stats.clustered_interval([v > 3 for v in values], range(20), share=True), abs=0.01
    )


def test_equal_groups_agree_with_the_t_interval_of_group_means() -> None:
    values = np.array(normals(60)).reshape(20, 3)
    means = values.mean(axis=1)
    low, high = reference.t.interval(0.95, 19, means.mean(), reference.sem(means))
    found = stats.clustered_interval(values.ravel().tolist(), np.repeat(np.arange(20), 3).tolist())
    assert found == pytest.approx((means.mean(), low, high))


@pytest.mark.parametrize(("right", "total"), [(0, 600), (3, 600), (300, 600), (599, 600), (600, 600)])
def test_a_share_of_single_questions_agrees_with_wilson(right: int, total: int) -> None:
    expected = reference.binomtest(right, total).proportion_ci(method="wilson")
    found = stats.clustered_interval([1.0] * right + [0.0] * (total - right), range(total), share=True)
    assert found == pytest.approx((right / total, expected.low, expected.high), abs=3e-4)


def test_a_share_of_none_or_all_has_an_interval_as_wide_as_its_groups_allow() -> None:
    groups = [number // 10 for number in range(1000)]
    none = stats.clustered_interval([0.0] * 1000, groups, share=True)
    alone = stats.clustered_interval([0.0] * 1000, range(1000), share=True)
    assert none.value == none.low == 0
    assert 0.03 < none.high < 0.05  # 100 groups: about 4 / 104
    assert 0.003 < alone.high < 0.005
    every = stats.clustered_interval([1.0] * 1000, groups, share=True)
    assert every == pytest.approx((1.0, 1 - none.high, 1.0))


@pytest.mark.parametrize(
    ("sizes", "shortage"),
    [
        ([5] * 8, ""),
        ([5] * 7, "too few groups: 7; at least 8 are needed"),
        ([1] * 8 + [100], "too few groups: 9, which count as 1.2 of equal size; at least 8 are needed"),
    ],
)
def test_groups_too_few_or_too_unequal_give_a_sentence_and_no_interval(sizes: list[int], shortage: str) -> None:
    groups = np.repeat(np.arange(len(sizes)), sizes).tolist()
    assert stats.too_few_groups(groups) == shortage
    values = [float(number % 2) for number in range(len(groups))]
    bounded = [
        math.isfinite(found.low)
        for found in (
            stats.clustered_interval(values, groups, share=True),
            stats.clustered_interval(values, groups),
            stats.paired_difference(values, [0.0] * len(groups), groups, share=True),
            stats.bootstrap_interval(lambda rows: sum(rows) / len(rows), values, groups, 0, share=True),
        )
    ]
    assert bounded == [not shortage] * 4
    if shortage:
        assert stats.not_worse_p(values, [0.0] * len(groups), groups, 0.5, share=True) == 1


def test_one_group_tells_nothing() -> None:
    assert stats.clustered_interval([1.0, 2.0], ["g", "g"]) == (1.5, -math.inf, math.inf)
    assert stats.clustered_interval([1.0, 0.0], ["g", "g"], share=True) == (0.5, -math.inf, math.inf)
    paired = stats.paired_difference([1.0, 1.0], [0.0, 1.0], ["g", "g"], share=True)
    assert paired[:4] == (0.5, -math.inf, math.inf, 1.0)
    assert paired.reason == "too few groups: 1; at least 8 are needed"


@pytest.mark.parametrize("call", [stats.clustered_interval, stats.sign_flip_p])
def test_no_values_or_groups_that_do_not_fit_are_refused(call: Callable[..., object]) -> None:
    with pytest.raises((HarnessError, ValueError)):
        call([1.0, 2.0], ["a"])
    with pytest.raises(HarnessError):
        stats.clustered_interval([], [])


def test_a_share_outside_zero_and_one_is_refused() -> None:
    with pytest.raises(HarnessError, match="between 0 and 1"):
        stats.clustered_interval([2.0, 1.0], ["a", "b"], share=True)


@some
@given(grouped, st.randoms(use_true_random=False))
def test_the_order_of_the_values_changes_nothing(rows: list[tuple[float, int]], rng: random.Random) -> None:
    mixed = rng.sample(rows, len(rows))
    assert stats.clustered_interval(*zip(*rows, strict=True)) == stats.clustered_interval(*zip(*mixed, strict=True))
    a, b = ([value for value, _ in part] for part in (rows, mixed))
    first = stats.paired_difference(a, [0.0] * len(a), [g for _, g in rows])
    assert first == stats.paired_difference(b, [0.0] * len(b), [g for _, g in mixed])


@some
@given(grouped, numbers)
def test_a_shift_of_all_values_shifts_the_interval(rows: list[tuple[float, int]], shift: float) -> None:
    values, groups = zip(*rows, strict=True)
    plain = stats.clustered_interval(values, groups)
    moved = stats.clustered_interval([value + shift for value in values], groups)
    assert moved == pytest.approx([bound + shift for bound in plain], rel=1e-6, abs=1e-3)


@some
@given(shares, st.lists(st.floats(0, 1), max_size=4))
def test_a_share_lies_in_its_interval_and_the_interval_between_zero_and_one(
    rows: list[tuple[float, int]], repeats: list[float]
) -> None:
    found = stats.clustered_interval(*zip(*rows, strict=True), share=True, repeats=(stats.Seeds(repeats),))
    assert found.low <= found.value <= found.high
    exists = not stats.too_few_groups([group for _, group in rows])
    assert (found.low >= 0 and found.high <= 1) == exists


@some
@given(shares, st.randoms(use_true_random=False))
def test_a_difference_lies_in_its_interval_and_turns_round_with_its_sides(
    rows: list[tuple[float, int]], rng: random.Random
) -> None:
    a, groups = zip(*rows, strict=True)
    b = rng.choices([0.0, 0.25, 0.5, 1.0], k=len(a))
    one, two = stats.paired_difference(a, b, groups, share=True), stats.paired_difference(b, a, groups, share=True)
    assert one.low <= one.difference <= one.high
    assert (one.low >= -1 and one.high <= 1) == (not one.reason)
    assert (one.low <= 0 <= one.high) == (one.p >= 0.05)
    assert 0 < one.p <= 1
    assert (two.difference, two.low, two.high, two.p) == pytest.approx((-one.difference, -one.high, -one.low, one.p))


def simulate(groups: int, size: int, spread: float, rng: np.random.Generator) -> tuple[list[float], list[int]]:
    """Right or wrong answers whose chance of being right differs between groups; 0.8 on average."""
    chance = np.clip(0.8 + spread * rng.choice([-1.0, 1.0], groups), 0, 1)
    right = rng.random((groups, size)) < chance[:, None]
    return right.astype(float).ravel().tolist(), np.repeat(np.arange(groups), size).tolist()


@pytest.mark.parametrize(("groups", "size", "spread"), [(100, 1, 0.0), (60, 5, 0.2), (25, 8, 0.2)])
def test_the_interval_of_a_share_covers_the_truth_as_often_as_it_says(groups: int, size: int, spread: float) -> None:
    rng, hits = np.random.default_rng(1), 0
    for _ in range(1000):
        found = stats.clustered_interval(*simulate(groups, size, spread, rng), share=True)
        hits += found.low <= 0.8 <= found.high
    assert 0.93 <= hits / 1000 <= 0.985


def test_without_clustering_the_interval_would_be_too_narrow() -> None:
    rng, hits = np.random.default_rng(1), 0
    for _ in range(500):
        values, _ = simulate(60, 5, 0.2, rng)
        found = stats.clustered_interval(values, range(len(values)), share=True)
        hits += found.low <= 0.8 <= found.high
    assert hits / 500 < 0.93


def test_a_paired_interval_covers_and_a_true_null_is_rejected_in_one_of_twenty() -> None:
    rng, covered, rejected = np.random.default_rng(2), 0, 0
    for _ in range(600):
        a, groups = simulate(40, 4, 0.2, rng)
        b = [value if rng.random() < 0.7 else float(rng.random() < 0.8) for value in a]
        found = stats.paired_difference(a, b, groups, share=True)
        covered += found.low <= 0 <= found.high
        rejected += found.p < 0.05
    assert 0.93 <= covered / 600 <= 0.985
    assert 0.02 <= rejected / 600 <= 0.07


def test_seeds_widen_the_interval_so_that_it_covers_the_method_and_not_one_model() -> None:
    rng, with_seeds, without = np.random.default_rng(3), 0, 0
    groups = range(200)
    for _ in range(400):
        effects = rng.normal(0, 0.04, 3)  # training noise of the same size as the test set's
        runs = [(rng.random(200) < 0.7 + effect).astype(float) for effect in effects]
        values, seeds = np.mean(runs, axis=0).tolist(), stats.seeds([run.tolist() for run in runs], groups)
        wide = stats.clustered_interval(values, groups, share=True, repeats=(seeds,))
        narrow = stats.clustered_interval(values, groups, share=True)
        with_seeds += wide.low <= 0.7 <= wide.high
        without += narrow.low <= 0.7 <= narrow.high
        assert wide.low <= narrow.low or math.isclose(wide.low, narrow.low, abs_tol=1e-3)
    assert with_seeds / 400 >= 0.93
    assert without / 400 < 0.9


def test_equal_seeds_leave_the_interval_nearly_as_it_was() -> None:
    values = [1.0, 0.0, 1.0, 1.0] * 25
    plain = stats.clustered_interval(values, range(100), share=True)
    assert stats.clustered_interval(
        values, range(100), share=True, repeats=(stats.Seeds([0.75] * 3),)
    ) == pytest.approx(plain)


def test_a_difference_that_seeds_do_not_support_gets_a_large_p_value() -> None:
    a, b = [1.0] * 60 + [0.0] * 40, [0.0] * 20 + [1.0] * 40 + [0.0] * 40
    alone = stats.paired_difference(a, b, range(100), share=True)
    runs = (stats.Seeds([0.9, 0.3, 0.6]), stats.Seeds([0.4]))
    seeds = stats.paired_difference(a, b, range(100), share=True, repeats=runs)
    assert alone.p < 0.001
    assert seeds.p > 0.2
    assert seeds.low < 0 < alone.low


def test_two_models_that_agree_everywhere_differ_by_nothing_but_not_for_certain() -> None:
    same = stats.paired_difference([1.0, 0.0] * 300, [1.0, 0.0] * 300, range(600), share=True)
    assert same.difference == 0
    assert same.p == 1
    assert 0.001 < same.high < 0.01
    assert same.low == pytest.approx(-same.high)


def brute_force_p(differences: Sequence[float], groups: Sequence[int]) -> float:
    totals = [sum(d for d, g in zip(differences, groups, strict=True) if g == group) for group in set(groups)]
    observed = abs(sum(totals)) - 1e-9
    flips = list(itertools.product((1, -1), repeat=len(totals)))
    return sum(abs(sum(s * t for s, t in zip(f, totals, strict=True))) >= observed for f in flips) / len(flips)


@some
@given(st.lists(st.tuples(st.sampled_from([-1.0, -1 / 3, 0.0, 0.5, 1.0]), st.integers(0, 8)), min_size=1, max_size=30))
def test_the_exact_p_value_equals_going_through_all_flips(rows: list[tuple[float, int]]) -> None:
    differences, groups = zip(*rows, strict=True)
    assert stats.sign_flip_p(differences, groups) == pytest.approx(brute_force_p(differences, groups))


@some
@given(st.lists(st.tuples(st.floats(-100, 100).map(lambda x: round(x, 6)), st.integers(0, 8)), min_size=1, max_size=30))
def test_few_groups_of_any_numbers_are_gone_through_exactly(rows: list[tuple[float, int]]) -> None:
    differences, groups = zip(*rows, strict=True)
    assert stats.sign_flip_p(differences, groups) == pytest.approx(brute_force_p(differences, groups))


def test_the_p_value_of_single_questions_is_the_exact_mcnemar_test() -> None:
    differences = [1.0] * 30 + [-1.0] * 14 + [0.0] * 500
    assert stats.sign_flip_p(differences, range(544)) == pytest.approx(reference.binomtest(14, 44).pvalue)


def test_many_groups_of_odd_numbers_use_seeded_draws_near_the_t_test() -> None:
    differences = [value - 2.6 for value in normals(80)]
    p = stats.sign_flip_p(differences, range(80))
    assert p == stats.sign_flip_p(differences, range(80))
    assert p != stats.sign_flip_p(differences, range(80), seed=1)
    assert p == pytest.approx(reference.ttest_1samp(differences, 0).pvalue, abs=0.02)


def test_drawn_p_values_are_never_zero() -> None:
    assert stats.sign_flip_p([math.pi + 0.001 * math.sqrt(n) for n in range(60)], range(60)) == pytest.approx(1 / 10001)


def mean(items: Sequence[float]) -> float:
    return math.fsum(items) / len(items)


def test_the_bootstrap_of_a_mean_agrees_with_the_clustered_interval() -> None:
    values, groups = simulate(80, 4, 0.2, np.random.default_rng(4))
    drawn = stats.bootstrap_interval(mean, values, groups, 0, resamples=2000)
    assert drawn == pytest.approx(stats.clustered_interval(values, groups), abs=0.012)
    assert drawn == stats.bootstrap_interval(mean, values, groups, 0, resamples=2000)


def test_the_bootstrap_does_not_depend_on_the_order_of_the_groups() -> None:
    values, groups = normals(40), [n // 2 for n in range(40)]
    pairs = list(zip(values, groups, strict=True))[::-1]
    backward = stats.bootstrap_interval(mean, [v for v, _ in pairs], [g for _, g in pairs], 0)
    assert stats.bootstrap_interval(mean, values, groups, 0) == pytest.approx(backward)


def test_the_bootstrap_of_a_perfect_share_has_a_width() -> None:
    found = stats.bootstrap_interval(mean, [1.0] * 50, range(50), 0, share=True)
    assert found.value == found.high == 1
    assert 0.9 < found.low < 0.95
    assert stats.bootstrap_interval(mean, [1.0], ["g"], 0, share=True) == (1.0, -math.inf, math.inf)


def test_pseudo_values_of_a_mean_are_the_means_of_its_blocks() -> None:
    values = normals(30)
    found = stats.pseudo_values(mean, values, range(30))
    assert sorted(found) == pytest.approx(sorted(values))
    assert mean(found) == pytest.approx(mean(values))


def test_pseudo_values_of_a_ratio_average_to_it_and_have_its_standard_error() -> None:
    rng = np.random.default_rng(5)
    pairs = [(float(x), float(x + e)) for x, e in zip(rng.uniform(1, 3, 200), rng.normal(0, 1, 200), strict=True)]

    def ratio(items: Sequence[tuple[float, float]]) -> float:
        return sum(y for _, y in items) / sum(x for x, _ in items)

    found = stats.pseudo_values(ratio, pairs, range(200))
    assert len(found) == 50
    assert mean(found) == pytest.approx(ratio(pairs))
    residuals = [y - ratio(pairs) * x for x, y in pairs]
    expected = np.std(residuals, ddof=1) / math.sqrt(200) / mean([x for x, _ in pairs])
    assert np.std(found, ddof=1) / math.sqrt(50) == pytest.approx(expected, rel=0.25)


def test_holm_multiplies_by_what_is_left_and_keeps_the_order() -> None:
    assert stats.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert stats.holm([0.5, 0.9]) == [1.0, 1.0]
    assert stats.holm([]) == []


@some
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_never_lowers_a_p_value_nor_swaps_two_and_stays_below_bonferroni(pvalues: list[float]) -> None:
    adjusted = stats.holm(pvalues)
    for p, q in zip(pvalues, adjusted, strict=True):
        assert p <= q <= min(1.0, len(pvalues) * p) + 1e-12
    order = sorted(range(len(pvalues)), key=lambda i: pvalues[i])
    assert all(adjusted[i] <= adjusted[j] for i, j in itertools.pairwise(order))


def test_the_detectable_difference_is_found_with_the_power_asked_for() -> None:
    size = power.minimal_detectable_difference(60, 0.5)
    rng = np.random.default_rng(6)
    found = sum(reference.ttest_1samp(rng.normal(size, 0.5, 60), 0).pvalue < 0.05 for _ in range(1000))
    assert 0.76 <= found / 1000 <= 0.84
    assert power.minimal_detectable_difference(240, 0.5) == pytest.approx(size / 2, rel=0.02)
    assert power.minimal_detectable_difference(1, 0.5) == math.inf
