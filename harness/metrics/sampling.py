"""Groups of answers as a sample: means, cluster-robust variances, degrees of freedom, and what a sample is too small for.

Every interval and every test rests on these. The variance is the bias-reduced one of Bell and McCaffrey (2002, CR2), which
equals that of the groups' means if groups are of equal size. Its degrees of freedom follow Satterthwaite (1946) under
independent items, as they propose; with G equal groups they are G - 1.
"""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from collections.abc import Hashable, Sequence
from functools import lru_cache
from typing import NamedTuple, TypeVar

from harness.errors import HarnessError

LEVEL = 0.05
FEWEST_GROUPS = 8  # of equal size; with two to five no test of a three-point margin has power
FEWEST_SEEDS = 3  # with two, the spread between seeds has one degree of freedom, and a factor of 12.7

RISE = 1.5  # the power of the seeds' part of the variance with which the quantile rises, see `with_repeats`

Item = TypeVar("Item")


class Sample(NamedTuple):
    """The mean of values in groups, the variance of that mean (infinite for one group), and its degrees of freedom.

    `effective` is the number of groups of equal size that they count as (Kish 1965).
    """

    mean: float
    variance: float
    df: float
    groups: int
    effective: float


class Seeds(NamedTuple):
    """The values of complete runs that differ in their seed only, and the variance of their mean due to single answers."""

    values: Sequence[float]
    noise: float = 0.0


Repeats = Sequence[Seeds]


def seeds(columns: Sequence[Sequence[float]], groups: Sequence[Hashable]) -> Seeds:
    """Return the mean of each run's values, and the variance of the mean over runs that comes from single answers.

    That is the interaction of groups and seeds in a two-way table without repetition (Scheffé 1959, section 4.8; items of a
    group added up). It is in the variance over groups and in that over seeds.

    Args:
        columns: the values of each run, [seeds, n].
        groups: the group of each item, [n].
    """
    n, count = len(groups), len(columns)
    means = [math.fsum(column) / n for column in columns]
    if count < 2:
        return Seeds(means)
    parts = [size / n for _, size in totals([1.0] * n, groups)]
    overall, by_item = math.fsum(means) / count, [math.fsum(row) / count for row in zip(*columns, strict=True)]
    squares: list[float] = []
    for column, mean in zip(columns, means, strict=True):
        rest = [value - item - mean + overall for value, item in zip(column, by_item, strict=True)]
        squares += [t * t / (1 - p) for (_, t), p in zip(totals(rest, groups), parts, strict=True) if p < 1]
    return Seeds(means, math.fsum(squares) / n**2 / count / (count - 1))


def sample(values: Sequence[float], groups: Sequence[Hashable]) -> Sample:
    """Return the sample of the values, one number and one group an item.

    Raises:
        HarnessError: there are no values, or the number of groups differs.
    """
    if not values or len(values) != len(groups):
        problem, sizes = "statistics need at least one value and a group for each", f"{len(values)} values"
        raise HarnessError(problem, where=sizes, fix="check the task's test split")
    n, mean = len(values), math.fsum(values) / len(values)
    sums = [total for _, total in totals([value - mean for value in values], groups)]
    shares = [total / n for _, total in totals([1.0] * n, groups)]
    if len(sums) == 1:
        return Sample(mean, math.inf, 0.0, 1, 1.0)
    variance = math.fsum(t * t / (1 - p) for t, p in zip(sums, shares, strict=True)) / n**2
    squares = math.fsum(p * p for p in shares)
    parts = [p * p / (1 - p) for p in shares]
    df = 1 / (squares + math.fsum(parts) ** 2 - math.fsum(r * r for r in parts))
    return Sample(mean, variance, min(df, len(sums) - 1.0), len(sums), 1 / squares)


def too_few_groups(groups: Sequence[Hashable]) -> str:
    """Return a sentence if the groups are too few for an interval or a test, otherwise an empty text."""
    return shortage(sample([0.0] * len(groups), groups))


def shortage(of: Sample) -> str:
    """Return `too_few_groups` of a sample."""
    if of.effective >= FEWEST_GROUPS - 1e-9:
        return ""
    unequal = f", which count as {of.effective:.1f} of equal size" if of.groups - of.effective > 0.05 else ""
    return f"too few groups: {of.groups}{unequal}; at least {FEWEST_GROUPS} are needed"


def with_repeats(variance: float, quantile: float, df: float, repeats: Repeats) -> tuple[float, float]:
    """Return the variance plus that between seeds, and the degrees of freedom of both together.

    Noise of single answers is in both variances, so 1 - 2 / seeds of it are left out of the second; with all of it left out,
    intervals cover less if noise is most of the variance. Seeds of two rows have Satterthwaite's degrees of freedom together.
    Cochran and Cox (1950, section 4.14) average the quantiles with the variances as weights, which covers up to 98 %. Here
    the weight of seeds is their part of the variance to the power of `RISE`. Both were chosen by simulation: three seeds
    cover 94 to 97 %, five 94.5 to 96.5 % (`python tests/benchmarks/coverage.py seeds`).

    Args:
        variance: the variance over groups.
        quantile: Student's quantile of that variance.
        df: its degrees of freedom.
        repeats: seeds of each row, that count from `FEWEST_SEEDS` on.
    """
    parts = [(_between(runs), len(runs.values) - 1) for runs in repeats if len(runs.values) >= FEWEST_SEEDS]
    between = math.fsum(part for part, _ in parts)
    if between <= 0:
        return variance, df_of(quantile) if quantile != t_quantile(1 - LEVEL / 2, df) else df
    together = between**2 / math.fsum(part**2 / freedom for part, freedom in parts)
    weight = (between / (variance + between)) ** RISE
    return variance + between, df_of(quantile + (t_quantile(1 - LEVEL / 2, together) - quantile) * weight)


def _between(runs: Seeds) -> float:
    """Return the variance of the mean over seeds that is due to seeds, not below 0."""
    mean, count = math.fsum(runs.values) / len(runs.values), len(runs.values)
    variance = math.fsum((v - mean) ** 2 for v in runs.values) / (count - 1) / count
    return max(0.0, variance - (1 - 2 / count) * runs.noise)


def with_seeds(distance: float, repeats: Repeats) -> float:
    """Return the distance from a value to the end of its interval, enlarged by the spread between seeds."""
    z = t_quantile(1 - LEVEL / 2, 1e9)
    variance, df = with_repeats((distance / z) ** 2, z, 1e9, repeats)
    return distance if variance == (distance / z) ** 2 else t_quantile(1 - LEVEL / 2, df) * math.sqrt(variance)


def df_of(quantile: float) -> float:
    """Return the degrees of freedom at which Student's 97.5 % quantile is this; infinite at the normal one."""
    if quantile <= t_quantile(1 - LEVEL / 2, 1e9):
        return 1e9
    low, high = 1e-9, 1.0  # of 1 / df
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if t_quantile(1 - LEVEL / 2, 1 / middle) < quantile else (low, middle)
    return 2 / (low + high)


def holm(pvalues: Sequence[float]) -> list[float]:
    """Return the p-values adjusted for multiple comparisons (Holm 1979), in the same order."""
    adjusted, largest = [0.0] * len(pvalues), 0.0
    for rank, index in enumerate(sorted(range(len(pvalues)), key=lambda i: pvalues[i])):
        largest = max(largest, min(1.0, (len(pvalues) - rank) * pvalues[index]))
        adjusted[index] = largest
    return adjusted


@lru_cache(maxsize=4096)
def t_quantile(probability: float, df: float) -> float:
    """Return the quantile of Student's t distribution."""
    from scipy.special import stdtrit

    return float(stdtrit(df, probability))


def t_tail(centre: float, variance: float, df: float) -> float:
    """Return the probability that Student's t is above `centre` in standard errors."""
    from scipy.special import stdtr

    if variance <= 0:
        return 0.5 if centre == 0 else float(centre < 0)
    return float(stdtr(df, -centre / math.sqrt(variance)))


def totals(values: Sequence[float], groups: Sequence[Hashable]) -> list[tuple[Hashable, float]]:
    """Return exactly rounded sums by group, in an order that depends on the groups only."""
    parts: defaultdict[Hashable, list[float]] = defaultdict(list)
    for value, group in zip(values, groups, strict=True):
        parts[group].append(value)
    return [(group, math.fsum(parts[group])) for group in sorted(parts, key=repr)]


def by_group(items: Sequence[Item], groups: Sequence[Hashable]) -> list[list[Item]]:
    """Return the items by group, in an order that depends on the groups' names and mixes neighbours."""
    if not items or len(items) != len(groups):
        problem, sizes = "statistics need at least one item and a group for each", f"{len(items)} items"
        raise HarnessError(problem, where=sizes, fix="check the task's test split")
    parts: defaultdict[Hashable, list[Item]] = defaultdict(list)
    for item, group in zip(items, groups, strict=True):
        parts[group].append(item)
    return [parts[group] for group in sorted(parts, key=lambda group: hashlib.sha256(repr(group).encode()).digest())]
