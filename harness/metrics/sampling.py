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

Item = TypeVar("Item")
Repeats = Sequence[Sequence[float]]


class Sample(NamedTuple):
    """The mean of values in groups, the variance of that mean (infinite for one group), and its degrees of freedom.

    `effective` is the number of groups of equal size that they count as (Kish 1965).
    """

    mean: float
    variance: float
    df: float
    groups: int
    effective: float


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

    `quantile` is Student's of the variance over groups, `df` its degrees of freedom. The quantiles of the parts are averaged,
    weighted by the variances (Cochran and Cox 1950, section 4.14). With three seeds Satterthwaite's degrees of freedom cover
    92 to 95 %, these 95 to 97 % (tests/metrics/test_small_samples.py). Seeds count from `FEWEST_SEEDS` on.
    """
    terms = [(variance, quantile)]
    for runs in repeats:
        if len(runs) >= FEWEST_SEEDS:
            mean = math.fsum(runs) / len(runs)
            part = math.fsum((r - mean) ** 2 for r in runs) / (len(runs) - 1) / len(runs)
            terms.append((part, t_quantile(1 - LEVEL / 2, len(runs) - 1)))
    total = math.fsum(part for part, _ in terms)
    if len(terms) == 1 or total <= 0:
        return total, df_of(quantile) if quantile != t_quantile(1 - LEVEL / 2, df) else df
    return total, df_of(math.fsum(part * q for part, q in terms) / total)


def seed_half_width(values: Sequence[float]) -> float:
    """Return half of the t interval of a mean over seeds; 0 with fewer than `FEWEST_SEEDS`, as they say nothing of others."""
    if len(values) < FEWEST_SEEDS:
        return 0.0
    mean = math.fsum(values) / len(values)
    variance = math.fsum((v - mean) ** 2 for v in values) / (len(values) - 1) / len(values)
    return t_quantile(1 - LEVEL / 2, len(values) - 1) * math.sqrt(variance)


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
