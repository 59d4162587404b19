"""Coverage where data is little: few groups, shares near 0 and 1, few seeds, a top row by luck. All draws at once, in numpy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy.special import stdtr, stdtrit

from harness.metrics import stats
from harness.metrics.sampling import Seeds, df_of, with_repeats
from tests.support.many_draws import many_differences, many_intervals, right_by_group

Array = np.ndarray[Any, np.dtype[Any]]

DRAWS = 6000
LEAST, MOST = 0.935, 0.965


def won_and_lost(
    sizes: Array, differing: float, advantage: float, likeness: float, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Items won and lost by group, [draws, groups]; their shares are alike within a group."""
    shares = np.array([(differing + advantage) / 2, (differing - advantage) / 2, 1 - differing])
    drawn: Array = np.broadcast_to(shares, (DRAWS, len(sizes), 3))
    if likeness:
        drawn = rng.gamma(drawn * (1 - likeness) / likeness)
        drawn = drawn / np.maximum(drawn.sum(-1, keepdims=True), 1e-300)
    counts = rng.multinomial(np.broadcast_to(sizes, (DRAWS, len(sizes))), drawn)
    return counts[..., 0], counts[..., 1]


@pytest.mark.parametrize("groups", [8, 12, 40])
@pytest.mark.parametrize(("differing", "advantage", "likeness"), [(0.1, 0.0, 0.0), (0.3, 0.1, 0.0), (0.3, 0.1, 0.1)])
def test_a_paired_difference_of_few_large_groups_is_covered(
    groups: int, differing: float, advantage: float, likeness: float
) -> None:
    sizes = np.full(groups, 100)
    won, lost = won_and_lost(sizes, differing, advantage, likeness, np.random.default_rng(groups))
    low, high = many_differences(won, lost, sizes)
    assert LEAST <= ((low <= advantage) & (advantage <= high)).mean() <= MOST


@pytest.mark.parametrize(("groups", "size"), [(8, 60), (12, 15), (40, 15)])
@pytest.mark.parametrize(("differing", "advantage"), [(0.05, 0.04), (0.1, 0.09)])
@pytest.mark.parametrize("likeness", [0.1, 0.6])
def test_a_difference_of_few_questions_won_in_few_groups_is_covered(
    groups: int, size: int, differing: float, advantage: float, likeness: float
) -> None:
    """With a normal variance, 8 groups of 60 with a likeness of 0.6 are covered in 56 %."""
    sizes = np.full(groups, size)
    won, lost = won_and_lost(sizes, differing, advantage, likeness, np.random.default_rng(groups))
    low, high = many_differences(won, lost, sizes)
    assert ((low <= advantage) & (advantage <= high)).mean() >= 0.925


@pytest.mark.parametrize("groups", [2, 3, 4, 5])
def test_two_to_five_groups_give_no_interval_and_no_claim(groups: int) -> None:
    names = np.repeat(np.arange(groups), 100).tolist()
    same = [1.0] * len(names)
    paired = stats.paired_difference(same, same, names, share=True)
    assert (paired.low, paired.high, paired.p) == (-math.inf, math.inf, 1.0)
    assert paired.reason == f"too few groups: {groups}; at least 8 are needed"
    assert stats.not_worse_p(same, same, names, 0.03, share=True) == 1


@pytest.mark.parametrize("groups", [8, 40])
def test_losing_less_than_three_points_is_claimed_of_a_row_three_points_worse_in_at_most_one_of_forty(
    groups: int,
) -> None:
    sizes = np.full(groups, 100)
    won, lost = won_and_lost(sizes, 0.2, -0.03, 0.05, np.random.default_rng(groups))
    low, _ = many_differences(won, lost, sizes)
    assert (low > -0.03).mean() <= 0.025 + 3 * math.sqrt(0.025 / DRAWS)


@pytest.mark.parametrize("likeness", [0.0, 0.3])
@pytest.mark.parametrize(("least", "most"), [(0.3, 0.7), (0.9, 0.95), (0.95, 0.98)])
def test_shares_near_all_of_forty_groups_of_fifteen_are_covered(least: float, most: float, likeness: float) -> None:
    rng, sizes = np.random.default_rng(4), np.full(40, 15)
    truth = rng.uniform(least, most, DRAWS)
    low, high = many_intervals(right_by_group(sizes, truth, likeness, rng), sizes)
    assert LEAST <= ((low <= truth) & (truth <= high)).mean() <= MOST + 0.02 * (least >= 0.95)


@pytest.mark.parametrize(("groups", "size"), [(8, 60), (12, 15), (20, 60), (30, 5)])
@pytest.mark.parametrize("likeness", [0.1, 0.3, 0.6])
@pytest.mark.parametrize("truth", [0.05, 0.9, 0.98])
def test_shares_near_none_and_all_of_few_groups_that_are_alike_are_covered(
    groups: int, size: int, likeness: float, truth: float
) -> None:
    rng, sizes = np.random.default_rng(groups), np.full(groups, size)
    low, high = many_intervals(right_by_group(sizes, np.full(DRAWS, truth), likeness, rng), sizes)
    assert ((low <= truth) & (truth <= high)).mean() >= 0.93


# --- seeds


def many_seed_halves(v1: Array, v2: Array, noise: Array | float, groups: int, seeds: int) -> Array:
    """Half of the interval of each mean: variance over groups, between seeds, and noise of single answers in both."""
    t1, t2 = stdtrit(groups - 1, 0.975), stdtrit(seeds - 1, 0.975)
    between = np.maximum(0, v2 - (1 - 2 / seeds) * noise)
    return np.asarray((t1 + (t2 - t1) * (between / (v1 + between)) ** 1.5) * np.sqrt(v1 + between))


def test_the_vectorised_width_of_seeds_is_that_of_sampling() -> None:
    runs, variance, noise = (0.7, 0.8, 0.64), 0.0004, 0.0009
    total, df = with_repeats(variance, float(stdtrit(59, 0.975)), 59.0, (Seeds(runs, noise),))
    expected = many_seed_halves(np.array(variance), np.array(np.var(runs, ddof=1) / 3), noise, 60, 3)
    assert math.sqrt(total) * stats.t_quantile(0.975, df) == pytest.approx(float(expected), rel=1e-6)


def test_noise_is_that_of_a_table_of_groups_and_seeds() -> None:
    """Held against the textbook's mean square of the interaction, for groups of equal size."""
    rng, seeds, groups, size = np.random.default_rng(0), 4, 30, 5
    table = rng.random((seeds, groups, size))
    found = stats.seeds(table.reshape(seeds, -1).tolist(), np.repeat(np.arange(groups), size).tolist())
    cells = table.mean(2)
    rest = cells - cells.mean(0) - cells.mean(1, keepdims=True) + cells.mean()
    mean_square = (rest**2).sum() / ((seeds - 1) * (groups - 1))
    assert found.noise == pytest.approx(mean_square / seeds / groups)
    assert found.values == pytest.approx(table.mean((1, 2)).tolist())


@pytest.mark.parametrize("seeds", [3, 4, 5])
@pytest.mark.parametrize("noise", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("ratio", [0.0, 1.0, 7.0, 100.0])
def test_the_mean_over_three_seeds_or_more_is_covered(seeds: int, noise: float, ratio: float) -> None:
    """`noise`: variance of single answers over that of questions, `ratio`: variance due to seeds over that of the mean over
    questions; a seed sd of 9 points at 600 questions is about 7."""
    rng, groups, draws = np.random.default_rng(seeds), 60, 20_000
    error = rng.normal(0, math.sqrt((1 + noise / seeds) / groups + ratio / groups / seeds), draws)
    v1 = (1 + noise / seeds) / groups * rng.chisquare(groups - 1, draws) / (groups - 1)
    v2 = (ratio + noise) / groups / seeds * rng.chisquare(seeds - 1, draws) / (seeds - 1)
    df = (groups - 1) * (seeds - 1)
    single = noise / groups / seeds * rng.chisquare(df, draws) / df
    covered = (np.abs(error) <= many_seed_halves(v1, v2, single, groups, seeds)).mean()
    assert LEAST <= covered <= (0.972 if seeds == 3 else 0.968)


def test_two_seeds_say_nothing_of_others() -> None:
    values, groups = [1.0, 0.0, 1.0, 1.0] * 25, range(100)
    plain = stats.clustered_interval(values, groups, share=True)
    assert stats.clustered_interval(values, groups, share=True, repeats=(stats.Seeds([0.9, 0.6]),)) == plain


@pytest.mark.parametrize("df", [1.0, 2.5, 7.0, 59.0, 599.0])
def test_degrees_of_freedom_come_back_from_their_quantile(df: float) -> None:
    assert df_of(stats.t_quantile(0.975, df)) == pytest.approx(df, rel=1e-5)


# --- the smallest rank that suffices


@pytest.mark.parametrize("rows", [2, 4, 8])
def test_a_row_three_points_below_the_best_is_hardly_ever_called_not_worse_even_if_it_is_on_top(rows: int) -> None:
    """One row is better than all others by the margin: each claim about another row is false."""
    rng, n, margin = np.random.default_rng(rows), 600, 0.03
    right = rng.random((1500, rows, n)) < np.where(np.arange(rows) == rows - 1, 0.7 + margin, 0.7)[:, None]
    claims = np.zeros(1500, bool)
    on_top = right.sum(2).argmax(1) != rows - 1
    p = np.zeros((1500, rows))
    for a in range(rows):
        for b in range(rows):
            if a != b:
                d = right[:, a].astype(float) - right[:, b]
                centre = d.sum(1) / (n + 2)
                squares = ((d - centre[:, None]) ** 2).sum(1) * n / (n - 1) + (1 - centre) ** 2 + (1 + centre) ** 2
                p[:, a] = np.maximum(p[:, a], stdtr(n - 1, -(centre + margin) / (np.sqrt(squares) / (n + 2))))
    for table in range(1500):
        claims[table] = any(value < stats.LEVEL / 2 for value in stats.holm(p[table].tolist())[: rows - 1])
    assert claims.mean() <= 0.025 + 3 * math.sqrt(0.025 / 1500)
    assert (claims & on_top).mean() <= 0.025
