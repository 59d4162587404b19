"""Intervals, paired differences and tests for answers in groups. All functions take and return numbers.

All statistics are clustered by group: the questions of one filing or claim file are not independent of each other. All
intervals are two-sided at 95 %. Results do not depend on the order of the values.

`repeats` are the values of complete runs that differ in their seed only, one sequence for each setting that was trained.
With two or more seeds, an interval is about the method, not about one trained model: the variance of the mean over seeds is
added to the variance over groups. Noise of single answers between seeds is in both variances, so intervals are rather too
wide. The degrees of freedom then follow Satterthwaite (1946).
"""

from __future__ import annotations

import hashlib
import itertools
import math
from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from functools import lru_cache
from statistics import NormalDist
from typing import Any, NamedTuple, TypeVar

import numpy as np

from harness.errors import HarnessError

LEVEL = 0.05

Item = TypeVar("Item")
Repeats = Sequence[Sequence[float]]


class Interval(NamedTuple):
    """A value and its 95 % interval; low <= value <= high."""

    value: float
    low: float
    high: float


class Paired(NamedTuple):
    """A mean difference, its 95 % interval and its two-sided p-value."""

    difference: float
    low: float
    high: float
    p: float


def clustered_interval(
    values: Sequence[float], groups: Sequence[Hashable], *, share: bool = False, repeats: Repeats = ()
) -> Interval:
    """Return the mean of the values with an interval clustered by group.

    The standard error is cluster-robust with the factor G / (G - 1) (Liang and Zeger 1986) and the quantile is
    Student's with G - 1 degrees of freedom, G being the number of groups. If every group has one item, it is the ordinary t
    interval. For a single group the interval is unbounded.

    Args:
        values: one number an item, [n].
        groups: the group of each item, [n].
        share: the mean is a share; the interval is then Wilson's (1927) on the effective sample size n / design
            effect (Korn and Graubard 1998). It is within [0, 1] and has a width at 0 and 1: there each group counts as one
            observation. An estimated design effect below 1 is not raised to 1: with 1, intervals of independent items cover
            97 % at n = 80 (tests/metrics/test_coverage.py). With fewer than about ten groups of similar answers, and a share
            near 0 or 1, the coverage is below 95 %: about 90 % at five groups.
        repeats: see the module's text.

    Raises:
        HarnessError: there are no values, the number of groups differs, or a share is outside [0, 1].
    """
    mean, variance, count = _mean_and_variance(values, groups)
    if share and not -1e-9 <= mean <= 1 + 1e-9:
        problem = f"the mean of a share is {mean:g}, it must be between 0 and 1"
        raise HarnessError(problem, where="a metric with the unit 'share'", fix="give the metric another unit")
    if count == 1:
        return Interval(mean, 0.0, 1.0) if share else Interval(mean, -math.inf, math.inf)
    n = len(values)
    variance, df = _with_repeats(variance, count - 1, repeats)
    if share:
        binomial = mean * (1 - mean) / (n - 1)
        effective = n * binomial / variance if variance > 1e-12 * binomial > 0 else count
        return _wilson(mean, effective, t_quantile(1 - LEVEL / 2, df))
    half = t_quantile(1 - LEVEL / 2, df) * math.sqrt(variance)
    return Interval(mean, mean - half, mean + half)


def paired_difference(
    a: Sequence[float], b: Sequence[float], groups: Sequence[Hashable], *, share: bool = False, repeats: Repeats = ()
) -> Paired:
    """Return the mean of a - b over the same items, with its interval and p-value, both clustered by group.

    The p-value is that of `sign_flip_p`. If `repeats` has two or more seeds, it is the larger of that and the p-value of the
    t test of the interval: a difference must be significant over questions and over seeds.

    Args:
        a: one number an item, [n].
        b: the same items, [n].
        groups: the group of each item, [n].
        share: the numbers are within [0, 1]; the interval is then Bonett and Price's (2012): one more item won and one
            more lost, so that the interval has a width even if two models agree everywhere.
        repeats: values of complete runs by seed, for a and for b.
    """
    differences = _differences(a, b)
    value, _, count = _mean_and_variance(differences, groups)
    limit = 1.0 if share else math.inf
    if count == 1:
        return Paired(value, -limit, limit, 1.0)
    centre, variance, df = _centre(differences, groups, share, repeats)
    half = t_quantile(1 - LEVEL / 2, df) * math.sqrt(variance)
    low, high = max(centre - half, -limit), min(centre + half, limit)
    p = sign_flip_p(differences, groups)
    if any(len(runs) > 1 for runs in repeats):
        p = max(p, 2 * _t_tail(abs(centre), variance, df))
    return Paired(value, min(low, value), max(high, value), p)


def standard_error(values: Sequence[float], groups: Sequence[Hashable]) -> float:
    """Return the cluster-robust standard error of the mean; infinite for one group."""
    return math.sqrt(_mean_and_variance(values, groups)[1])


def not_worse_p(
    a: Sequence[float],
    b: Sequence[float],
    groups: Sequence[Hashable],
    margin: float,
    *,
    share: bool = False,
    repeats: Repeats = (),
) -> float:
    """Return the one-sided p-value of "a is worse than b by `margin` or more"; a small one shows non-inferiority.

    The test corresponds to the interval of `paired_difference`: it rejects at 2.5 % if and only if that interval's lower end
    is above -margin. The arguments are the same; the margin is above 0, in the values' unit.
    """
    differences = _differences(a, b)
    if _mean_and_variance(differences, groups)[2] == 1:
        return 1.0
    centre, variance, df = _centre(differences, groups, share, repeats)
    return _t_tail(centre + margin, variance, df)


def _differences(a: Sequence[float], b: Sequence[float]) -> list[float]:
    if len(a) != len(b):
        problem, sizes = "a paired difference needs the same items on both sides", f"{len(a)} and {len(b)} items"
        raise HarnessError(problem, where=sizes, fix="compare runs on the same test examples")
    return [x - y for x, y in zip(a, b, strict=True)]


def _centre(
    differences: list[float], groups: Sequence[Hashable], share: bool, repeats: Repeats
) -> tuple[float, float, float]:
    """Return the middle of the interval of a mean difference, its variance and its degrees of freedom."""
    more = [1.0, -1.0] if share else []
    keys: list[Hashable] = [("item", group) for group in groups]
    centre, variance, rows = _mean_and_variance(differences + more, keys + [("more", sign) for sign in more])
    return centre, *_with_repeats(variance, rows - 1, repeats)


def sign_flip_p(
    differences: Sequence[float], groups: Sequence[Hashable], *, seed: int = 0, draws: int = 10_000
) -> float:
    """Return the two-sided p-value of a mean difference of zero, by flipping the sign of whole groups.

    Under the null hypothesis that a and b are exchangeable, each group's total is as likely as its negative (Fisher
    1935). The p-value is exact if the totals are multiples of a common step (shares, means over up to 12 seeds) or if 14
    groups or fewer differ. Otherwise it is a seeded Monte Carlo estimate that includes the observed case (Phipson and Smyth
    2010).
    """
    totals = [abs(total) for _, total in _totals(differences, groups)]
    observed = abs(math.fsum(differences))
    sizes = np.array([total for total in totals if total > 1e-12])
    if not len(sizes) or observed <= 1e-12:
        return 1.0
    for step in range(1, 13):
        integers = np.rint(sizes * step)
        if np.allclose(sizes * step, integers, rtol=0, atol=1e-7):
            if integers.sum() * len(integers) > 2e7:
                break
            return _exact_p(integers.astype(np.int64), round(observed * step))
    if len(sizes) <= 14:
        signs = np.array(list(itertools.product((-1.0, 1.0), repeat=len(sizes))))
        return float(np.mean(np.abs(signs @ sizes) >= observed * (1 - 1e-9)))
    hits = int(np.sum(_random_sums(sizes, seed, draws) >= observed * (1 - 1e-9)))
    return (hits + 1) / (draws + 1)


def bootstrap_interval(
    combine: Callable[[Sequence[Item]], float],
    items: Sequence[Item],
    groups: Sequence[Hashable],
    seed: int,
    *,
    share: bool = False,
    resamples: int = 1000,
) -> Interval:
    """Return `combine(items)` with an interval from a bootstrap over groups, for values that are no mean (macro-F1).

    The same seed gives the same interval. The plain percentile interval covers 91 to 92 % at 80 items in groups
    (tests/metrics/test_coverage.py), so a share gets a t interval on the logit scale with the bootstrap's standard error. That
    has no width at 0, at 1 and if all resamples are equal: then the interval is Wilson's, with each group as one observation.
    Other values get wider percentiles (Hesterberg 2015, section 5.3).
    """
    parts = _by_group(items, groups)
    value, count = combine(items), len(parts)
    if count == 1:
        return Interval(value, 0.0, 1.0) if share else Interval(value, -math.inf, math.inf)
    picks = np.random.default_rng(seed).integers(0, count, size=(resamples, count))
    values = [combine([item for index in row for item in parts[index]]) for row in picks.tolist()]
    return interval_of_draws(value, values, count, share=share)


def interval_of_draws(value: float, values: Any, count: int, *, share: bool) -> Interval:
    """Return the interval of a value from its values in bootstrap draws of `count` groups; see `bootstrap_interval`."""
    quantile, wider = t_quantile(1 - LEVEL / 2, count - 1), math.sqrt(count / (count - 1))
    if share:
        error = float(np.std(values, ddof=1)) * wider
        if error <= 1e-12 or not 1e-12 < value < 1 - 1e-12:
            return _wilson(value, count, quantile)
        odds, half = value / (1 - value), quantile * error / (value * (1 - value))
        low, high = (1 / (1 + math.exp(min(700.0, sign * half)) / odds) for sign in (1, -1))
    else:
        tail = NormalDist().cdf(-quantile * wider)
        low, high = (float(q) for q in np.quantile(values, [tail, 1 - tail]))
    return Interval(value, min(low, value), max(high, value))


def pseudo_values(
    combine: Callable[[Sequence[Item]], float], items: Sequence[Item], groups: Sequence[Hashable], *, blocks: int = 50
) -> list[float]:
    """Return jackknife pseudo-values of `combine`, one for each block of groups; their mean is `combine(items)`.

    They replace the values of single items if the value of a set is no mean: their spread gives its standard error, and
    those of two models can be paired (Tukey 1958; blocks of groups as in Kott 2001). Blocks depend on the groups only, not on
    the items.
    """
    parts = _by_group(items, groups)
    count = min(blocks, len(parts))
    overall = combine(items)
    if count < 2:
        return [overall]
    partials = [
        combine([x for i, part in enumerate(parts) if i % count != block for x in part]) for block in range(count)
    ]
    mean = math.fsum(partials) / count
    return [overall + (count - 1) * (mean - value) for value in partials]


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


def _t_tail(centre: float, variance: float, df: float) -> float:
    """Return the probability that Student's t is above `centre` in standard errors."""
    from scipy.special import stdtr

    if variance <= 0:
        return 0.5 if centre == 0 else float(centre < 0)
    return float(stdtr(df, -centre / math.sqrt(variance)))


def _mean_and_variance(values: Sequence[float], groups: Sequence[Hashable]) -> tuple[float, float, int]:
    """Return the mean, the cluster-robust variance of the mean (infinite for one group) and the number of groups."""
    if not values or len(values) != len(groups):
        problem, sizes = "statistics need at least one value and a group for each", f"{len(values)} values"
        raise HarnessError(problem, where=sizes, fix="check the task's test split")
    mean = math.fsum(values) / len(values)
    totals = [total for _, total in _totals([value - mean for value in values], groups)]
    count = len(totals)
    if count == 1:
        return mean, math.inf, 1
    return mean, count / (count - 1) * math.fsum(t * t for t in totals) / len(values) ** 2, count


def _with_repeats(variance: float, df: float, repeats: Repeats) -> tuple[float, float]:
    """Return the variance plus that between seeds, and Satterthwaite's degrees of freedom."""
    terms = [(variance, float(df))]
    for runs in repeats:
        if len(runs) > 1:
            mean = math.fsum(runs) / len(runs)
            terms.append((math.fsum((r - mean) ** 2 for r in runs) / (len(runs) - 1) / len(runs), len(runs) - 1.0))
    total = math.fsum(part for part, _ in terms)
    spread = math.fsum(part * part / freedom for part, freedom in terms)
    return total, (total * total / spread if spread > 0 else float(df))


def _wilson(share: float, n: float, quantile: float) -> Interval:
    """Return Wilson's interval (1927) of a share of `n` observations."""
    share = min(max(share, 0.0), 1.0)
    z2 = quantile * quantile
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = quantile / (1 + z2 / n) * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    return Interval(share, max(0.0, min(centre - half, share)), min(1.0, max(centre + half, share)))


def _totals(values: Sequence[float], groups: Sequence[Hashable]) -> list[tuple[Hashable, float]]:
    """Return exactly rounded sums by group, in an order that depends on the groups only."""
    parts: defaultdict[Hashable, list[float]] = defaultdict(list)
    for value, group in zip(values, groups, strict=True):
        parts[group].append(value)
    return [(group, math.fsum(parts[group])) for group in sorted(parts, key=repr)]


def _by_group(items: Sequence[Item], groups: Sequence[Hashable]) -> list[list[Item]]:
    """Return the items by group, in an order that depends on the groups' names and mixes neighbours."""
    if not items or len(items) != len(groups):
        problem, sizes = "statistics need at least one item and a group for each", f"{len(items)} items"
        raise HarnessError(problem, where=sizes, fix="check the task's test split")
    parts: defaultdict[Hashable, list[Item]] = defaultdict(list)
    for item, group in zip(items, groups, strict=True):
        parts[group].append(item)
    return [parts[group] for group in sorted(parts, key=lambda group: hashlib.sha256(repr(group).encode()).digest())]


def _random_sums(sizes: np.ndarray[tuple[int], np.dtype[np.float64]], seed: int, draws: int) -> Any:
    """Return |sum of the sizes, each with a random sign|, [draws]; eight sizes at a time by a table of their sums."""
    eights = np.pad(sizes, (0, -len(sizes) % 8)).reshape(-1, 8)
    signs = 2.0 * np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1) - 1.0
    sums = signs @ eights.T
    picks = np.random.default_rng(seed).integers(0, 256, size=(draws, len(eights)), dtype=np.uint8)
    return np.abs(sums[picks, np.arange(len(eights))].sum(axis=1))


def _exact_p(sizes: np.ndarray[tuple[int], np.dtype[np.int64]], observed: int) -> float:
    """Return P(|sum of +-sizes| >= observed) from the distribution of the sum of the positive ones."""
    top = int(sizes.sum())
    weight = np.zeros(top + 1)
    weight[0] = 1.0
    for size in sizes.tolist():
        weight[size:] = (weight[size:] + weight[: top + 1 - size]) / 2
        weight[:size] /= 2
    sums = np.abs(2 * np.arange(top + 1) - top)
    return min(1.0, float(weight[sums >= observed].sum()))
