"""Simulations of 10,000 draws: intervals cover, tables of equals stay silent, power is as computed.

`stats` goes item by item; here the same formulas stand once more for all draws at once, in numpy, and each of these is
first held against `stats` on some of the draws. Truths are drawn too: with a fixed one, a share of few items covers
anything from 93 to 97 %, since it can only take so many values.
"""

from __future__ import annotations

import hashlib
import itertools
import math
from typing import Any

import numpy as np
import pytest
from scipy.special import stdtrit
from scipy.stats import binom

from harness import metrics
from harness.analysis.compare import cells
from harness.metrics import power, stats
from harness.record import Answer
from tests.analysis.test_compare import make_run
from tests.support.many_draws import many_differences, many_intervals, right_by_group, right_by_group_of

Array = np.ndarray[Any, np.dtype[Any]]

DRAWS = 10_000
SIZES = (80, 600, 5000)
LIKENESS = (0.0, 0.1, 0.3, 0.6)  # correlation of two items of a group


def likenesses(n: int, most: int) -> tuple[float, ...]:
    """What to go through: groups of one know no likeness, and 5,000 items take their time."""
    return LIKENESS[:1] if most == 1 else LIKENESS if n < 5000 else LIKENESS[::2]


def clusters(n: int, most: int) -> Array:
    """Sizes of groups of 1 to `most` items that add up to n, the same for every call."""
    sizes = np.random.default_rng(n).integers(1, most + 1, n)
    kept = sizes[: int(np.searchsorted(np.cumsum(sizes), n)) + 1].copy()
    kept[-1] -= kept.sum() - n
    return kept


def items_of(right: Array, sizes: Array) -> tuple[list[float], list[int]]:
    """One row as `stats` takes it: a value and a group for each item."""
    values = [float(i < count) for count, size in zip(right, sizes, strict=True) for i in range(size)]
    return values, np.repeat(np.arange(len(sizes)), sizes).tolist()


def mcnemar(won: Array, lost: Array) -> Array:
    """The exact McNemar p-value of each pair of counts."""
    return np.asarray(np.minimum(1.0, 2 * binom.cdf(np.minimum(won, lost), won + lost, 0.5)))


# --- the formulas for all draws are those of `stats`


@pytest.mark.parametrize("n", [40, 80, 600])
@pytest.mark.parametrize("most", [1, 6])
def test_the_vectorised_interval_is_that_of_stats(n: int, most: int) -> None:
    rng, sizes = np.random.default_rng(n), clusters(n, most)
    assert sizes.sum() == n
    right = right_by_group(sizes, rng.uniform(0, 1, 40), 0.3, rng)
    low, high = many_intervals(right, sizes)
    for row, (one, two) in enumerate(zip(low, high, strict=True)):
        found = stats.clustered_interval(*items_of(right[row], sizes), share=True)
        assert (found.low, found.high) == pytest.approx((one, two), abs=1e-9)


def test_the_vectorised_difference_is_that_of_stats() -> None:
    rng, sizes = np.random.default_rng(0), clusters(120, 6)
    groups = np.repeat(np.arange(len(sizes)), sizes)
    for _ in range(30):
        a, b = (rng.random((2, 120)) < 0.7).astype(float)
        won, lost = np.bincount(groups, a > b)[None, :], np.bincount(groups, a < b)[None, :]
        found = stats.paired_difference(a.tolist(), b.tolist(), groups.tolist(), share=True)
        low, high = many_differences(won, lost, sizes)
        if found.p >= 0.05:  # then zero is not rejected, and the interval has it
            low, high = np.minimum(low, 0), np.maximum(high, 0)
        assert (found.low, found.high) == pytest.approx((low[0], high[0]), abs=1e-9)


# --- intervals


@pytest.mark.slow
@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("most", [1, 6])
def test_intervals_of_a_share_cover_the_truth_in_95_percent_of_draws_give_or_take_one(n: int, most: int) -> None:
    sizes = clusters(n, most)
    for likeness in likenesses(n, most):
        rng, hits = np.random.default_rng(int(100 * likeness) + n), 0
        for _ in range(5):  # in parts, for memory's sake
            truth = rng.uniform(0.3, 0.95, DRAWS // 5)
            low, high = many_intervals(right_by_group(sizes, truth, likeness, rng), sizes)
            hits += int(((low <= truth) & (truth <= high)).sum())
        assert 0.94 <= hits / DRAWS <= (0.96 if n > 80 or most == 1 else 0.967), f"likeness {likeness}"


@pytest.mark.slow
@pytest.mark.parametrize("truth", [0.0, 0.01, 0.99, 1.0])
@pytest.mark.parametrize("n", [80, 600])
def test_intervals_near_none_and_all_cover_at_least_93_percent(n: int, truth: float) -> None:
    sizes, rng = clusters(n, 6), np.random.default_rng(n)
    right = right_by_group(sizes, np.full(DRAWS, truth), 0.0, rng)
    low, high = many_intervals(right, sizes)
    assert ((low <= truth) & (truth <= high)).mean() >= 0.93


@pytest.mark.slow
@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("most", [1, 6])
def test_intervals_of_a_paired_difference_cover_in_95_percent_of_draws_give_or_take_one(n: int, most: int) -> None:
    sizes = clusters(n, most)
    for likeness in likenesses(n, most):
        rng, hits = np.random.default_rng(int(100 * likeness) + n), 0
        for _ in range(10):
            differing, better = rng.uniform(0.1, 0.5, DRAWS // 10), rng.uniform(0.4, 0.8, DRAWS // 10)
            differ = right_by_group(sizes, differing, likeness, rng)
            won = right_by_group_of(differ, better, likeness, rng)
            low, high = many_differences(won, differ - won, sizes)
            truth = differing * (2 * better - 1)
            hits += int(((low <= truth) & (truth <= high)).sum())
        # In 26 groups few differ: the interval is careful, so that one-sided differences are covered too.
        assert 0.94 <= hits / DRAWS <= (0.96 if n > 80 or most == 1 else 0.978), f"likeness {likeness}"


def many_bootstraps(counts: Array, resamples: int = 1000) -> tuple[Array, Array, Array]:
    """`stats.bootstrap_interval` of macro-F1, share=True, for tables of counts [draws, groups, classes, classes]."""
    draws, groups, classes, _ = counts.shape
    picks = np.random.default_rng(0).integers(0, groups, size=(resamples, groups))
    weights = np.stack([np.bincount(row, minlength=groups) for row in picks]).astype(float)
    tables = weights @ counts.transpose(1, 0, 2, 3).reshape(groups, -1)
    value = f1_of(counts.sum(1))
    error = f1_of(tables.reshape(resamples, draws, classes, classes)).std(0, ddof=1) * math.sqrt(groups / (groups - 1))
    half = float(stdtrit(groups - 1, 0.975)) * error / (value * (1 - value))
    logit = np.log(value / (1 - value))
    return value, 1 / (1 + np.exp(half - logit)), 1 / (1 + np.exp(-half - logit))


def f1_of(table: Array) -> Array:
    """Macro-F1 of tables of counts: gold down, said across."""
    right = np.einsum("...ii->...i", table)
    return np.asarray((2 * right / np.maximum(table.sum(-1) + table.sum(-2), 1e-9)).mean(-1))


def test_the_vectorised_bootstrap_is_that_of_stats() -> None:
    rng, sizes = np.random.default_rng(0), clusters(40, 6)
    answers: list[Answer] = []
    counts = np.zeros((1, len(sizes), 2, 2))
    # The picks are of groups in the order that `stats` puts them into.
    order = sorted(range(len(sizes)), key=lambda group: hashlib.sha256(repr(group).encode()).digest())
    for group, size in enumerate(sizes):
        for _ in range(size):
            gold, said = rng.integers(0, 2, 2)
            counts[0, order.index(group), gold, said] += 1
            answers.append(Answer(f"{len(answers)}", str(group), "ab"[gold], "ab"[said], "ab"[said]))
    assert metrics.macro_f1.combine is not None
    found = stats.bootstrap_interval(metrics.macro_f1.combine, answers, [int(a.group) for a in answers], 0, share=True)
    value, low, high = many_bootstraps(counts)
    assert found == pytest.approx((value[0], low[0], high[0]), abs=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize(("n", "draws"), [(80, 5000), (600, 1000)])
def test_the_bootstrap_of_macro_f1_covers_in_95_percent_of_draws_give_or_take_one(n: int, draws: int) -> None:
    sizes, rng, hits = clusters(n, 6), np.random.default_rng(n), 0
    for table in ([[0.40, 0.10], [0.06, 0.44]], [[0.20, 0.10], [0.08, 0.62]]):
        truth = np.array(table)
        for likeness in (0.0, 0.3):
            shares = np.broadcast_to(truth.ravel(), (draws, len(sizes), 4))
            if likeness:
                drawn = rng.gamma(shares * (1 - likeness) / likeness)
                shares = drawn / drawn.sum(-1, keepdims=True)
            counts = rng.multinomial(np.broadcast_to(sizes, (draws, len(sizes))), shares)
            _, low, high = many_bootstraps(counts.reshape(draws, -1, 2, 2))
            hits += int(((low <= f1_of(truth)) & (f1_of(truth) <= high)).sum())
    assert 0.94 <= hits / (4 * draws) <= 0.96


# --- tables of equals


def identical(rows: int, n: int, tables: int, rng: np.random.Generator) -> Array:
    """Right or wrong, [tables, rows, n], of methods that are equally good; hard questions are hard for all."""
    ease = rng.beta(2, 1, (tables, 1, n))
    return rng.random((tables, rows, n)) < ease


def smallest_p(right: Array) -> Array:
    """The smallest exact McNemar p-value over all pairs of rows of each table."""
    whole = right.astype(np.int16)
    pairs = itertools.combinations(range(right.shape[1]), 2)
    found = [mcnemar((whole[:, i] > whole[:, j]).sum(1), (whole[:, i] < whole[:, j]).sum(1)) for i, j in pairs]
    return np.asarray(np.min(found, axis=0))


@pytest.mark.slow
@pytest.mark.parametrize(("rows", "n"), [(2, 600), (8, 600), (8, 80)])
def test_equal_methods_are_called_different_in_at_most_five_percent_of_tables(rows: int, n: int) -> None:
    rng, wrong = np.random.default_rng(rows + n), 0
    pairs = rows * (rows - 1) // 2
    for _ in range(50):
        # Holm calls a difference somewhere exactly if the smallest p-value times the number of pairs is below 5 %.
        wrong += int((smallest_p(identical(rows, n, 200, rng)) * pairs < stats.LEVEL).sum())
    assert wrong / DRAWS <= 0.05


@pytest.mark.slow
def test_equal_methods_in_groups_are_called_different_in_at_most_five_percent_of_tables() -> None:
    rng, wrong = np.random.default_rng(7), 0
    for _ in range(500):
        chance = rng.beta(2, 1, 40)  # a group is hard or easy as a whole
        totals = rng.binomial(3, chance, (4, 40))
        p = [stats.sign_flip_p((a - b).tolist(), range(40)) for a, b in itertools.combinations(totals, 2)]
        wrong += min(stats.holm(p)) < stats.LEVEL
    assert wrong / 500 <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 500)


def test_corrected_for_the_comparisons_with_the_best_alone_equals_would_be_called_different_too_often() -> None:
    """Why all pairs are corrected for: the best of eight equals is best by luck, and the worst worst."""
    rng, wrong = np.random.default_rng(1), 0
    for _ in range(10):
        wrong += int((smallest_p(identical(8, 600, 200, rng)) * 7 < stats.LEVEL).sum())
    assert wrong / 2000 > 0.05


def test_cells_of_equals_are_tied_exactly_as_in_the_simulation() -> None:
    rng = np.random.default_rng(3)
    names = [("base", 0), ("lora", 2), ("lora", 8), ("full", 0)]
    for right in identical(4, 120, 12, rng):
        runs = []
        for (method, rank), row in zip(names, right, strict=True):
            record, answers = make_run(row.tolist(), (metrics.accuracy,), method=method, rank=rank)
            runs.append((record, answers))
        found = cells(runs, {"toy": (metrics.accuracy,)})
        shown = [d.p_holm for cell in found for d in (cell.vs_base, cell.vs_best) if d]
        totals = right.astype(int).reshape(4, 60, 2).sum(2)  # make_run puts two questions into a group
        p = [
            stats.sign_flip_p((totals[i] - totals[j]).tolist(), range(60))
            for i, j in itertools.combinations(range(4), 2)
        ]
        adjusted = stats.holm(p)
        assert all(any(math.isclose(one, other) for other in adjusted) for one in shown)
        assert sum(cell.best_or_tied == "best" for cell in found) == 1


# --- power


@pytest.mark.slow
@pytest.mark.parametrize("differing", [0.1, 0.2, 0.3])
def test_three_points_at_600_single_questions_are_found_as_often_as_the_power_function_says(differing: float) -> None:
    rng, better, worse = np.random.default_rng(0), (differing + 0.03) / 2, (differing - 0.03) / 2
    won, lost, _ = rng.multinomial(600, [better, worse, 1 - differing], DRAWS).T
    found = (mcnemar(won, lost) < stats.LEVEL).mean()
    assert found == pytest.approx(power.mcnemar_power(better, worse, 600), abs=3 * math.sqrt(0.25 / DRAWS))
    for row in range(5):
        differences = [1.0] * int(won[row]) + [-1.0] * int(lost[row]) + [0.0] * int(600 - won[row] - lost[row])
        assert stats.sign_flip_p(differences, range(600)) == pytest.approx(mcnemar(won, lost)[row])


@pytest.mark.slow
def test_three_points_in_groups_are_found_as_often_as_the_power_function_says() -> None:
    rng, size, draws = np.random.default_rng(1), 3, 3000
    groups = 200
    shift = np.clip(rng.normal(0.03, 0.1, (draws, groups)), -0.25, 0.25)  # groups differ in how much is gained
    better = (0.3 + shift) / 2
    pick = rng.random((draws, groups, size))
    differences = (pick < better[..., None]).astype(float) - (pick > 1 - (0.3 - better)[..., None])
    totals = differences.sum(2)
    sd = float(totals.std(ddof=1)) / size
    found = np.mean([stats.sign_flip_p(row.tolist(), range(groups)) < stats.LEVEL for row in totals])
    assert found == pytest.approx(power.power(float(totals.mean()) / size, groups, sd), abs=0.03)


@pytest.mark.slow
@pytest.mark.parametrize("n", [80, 200, 600])
@pytest.mark.parametrize("pairs", [1, 28])
def test_a_difference_of_the_size_that_is_said_to_be_detectable_is_found_in_eight_of_ten_cases(
    n: int, pairs: int
) -> None:
    rng, differing = np.random.default_rng(2), 0.3
    size = 0.0
    for _ in range(20):  # the standard error is that of the difference itself
        size = power.detectable(math.sqrt((differing - size**2) / n), n - 1, pairs, step=1 / n)
    won, lost, _ = rng.multinomial(n, [(differing + size) / 2, max(0, differing - size) / 2, 1 - differing], DRAWS).T
    assert (mcnemar(won, lost) < stats.LEVEL / pairs).mean() == pytest.approx(0.8, abs=0.05 if n >= 200 else 0.19)


def test_the_difference_that_planning_states_is_that_of_single_questions() -> None:
    for n in (60, 80, 200, 600, 2000):
        stated = power.detectable_at_planning(n, 0.2)
        found = power.mcnemar_power((0.2 + stated) / 2, (0.2 - stated) / 2, n)
        assert 0.79 <= found <= (0.93 if n < 200 else 0.84)  # small sets: careful rather than generous
    assert power.detectable_at_planning(7) == math.inf
    for n, pairs in ((60, 66), (200, 3), (600, 66)):
        stated = power.detectable_at_planning(n, 0.2, comparisons=pairs)
        error = math.sqrt((0.2 + 2 / n - stated**2) / n)
        assert stated == pytest.approx(power.detectable(error, n - 1, pairs, step=1 / n), rel=0.02)
