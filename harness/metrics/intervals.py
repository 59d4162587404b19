"""Intervals of one row's values, clustered by group, and of values that are no mean."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np

from harness.errors import HarnessError
from harness.metrics.design import with_design
from harness.metrics.sampling import (
    LEVEL,
    Item,
    Repeats,
    by_group,
    sample,
    shortage,
    t_quantile,
    too_few_groups,
    with_repeats,
)


class Interval(NamedTuple):
    """A value and its 95 % interval; low <= value <= high. No interval is -infinity to infinity."""

    value: float
    low: float
    high: float


def clustered_interval(
    values: Sequence[float], groups: Sequence[Hashable], *, share: bool = False, repeats: Repeats = ()
) -> Interval:
    """Return the mean of the values with an interval clustered by group.

    The variance is cluster-robust and bias-reduced, with its own degrees of freedom (see `sampling`). If every group has one
    item, it is the ordinary t interval. With too few groups there is no interval; `too_few_groups` has the sentence.

    Args:
        values: one number an item, [n].
        groups: the group of each item, [n].
        share: the mean is a share; the interval is then Wilson's (1927) on the effective sample size n / design
            effect (Korn and Graubard 1998). It is within [0, 1] and has a width at 0 and 1: there each group counts as one
            observation. For shares near 0 and 1 see `design`. An estimated design effect below 1 is not raised to 1: with
            1, intervals of independent items cover 97 % at n = 80 (tests/metrics/test_coverage.py).
        repeats: the seeds of the row; from `FEWEST_SEEDS` on the interval covers other seeds too.

    Raises:
        HarnessError: there are no values, the number of groups differs, or a share is outside [0, 1].
    """
    of = sample(values, groups)
    if share and not -1e-9 <= of.mean <= 1 + 1e-9:
        problem = f"the mean of a share is {of.mean:g}, it must be between 0 and 1"
        raise HarnessError(problem, where="a metric with the unit 'share'", fix="give the metric another unit")
    if shortage(of):
        return Interval(of.mean, -math.inf, math.inf)
    binomial = of.mean * (1 - of.mean) / (len(values) - 1)
    variance, quantile = of.variance, t_quantile(1 - LEVEL / 2, of.df)
    if share and of.variance > 1e-12 * binomial > 0:
        variance, quantile = with_design(values, groups, of, binomial, (0.0, 1.0))
    variance, df = with_repeats(variance, quantile, of.df, repeats)
    quantile = t_quantile(1 - LEVEL / 2, df)
    if share:
        effective = len(values) * binomial / variance if variance > 1e-12 * binomial > 0 else of.effective
        return wilson(of.mean, effective, quantile)
    half = quantile * math.sqrt(variance)
    return Interval(of.mean, of.mean - half, of.mean + half)


def standard_error(values: Sequence[float], groups: Sequence[Hashable]) -> float:
    """Return the cluster-robust standard error of the mean; infinite for one group."""
    return math.sqrt(sample(values, groups).variance)


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
    parts = by_group(items, groups)
    value, count = combine(items), len(parts)
    if too_few_groups(groups):
        return Interval(value, -math.inf, math.inf)
    picks = np.random.default_rng(seed).integers(0, count, size=(resamples, count))
    values = [combine([item for index in row for item in parts[index]]) for row in picks.tolist()]
    return interval_of_draws(value, values, count, share=share)


def interval_of_draws(value: float, values: Any, count: int, *, share: bool) -> Interval:
    """Return the interval of a value from its values in bootstrap draws of `count` groups; see `bootstrap_interval`."""
    quantile, wider = t_quantile(1 - LEVEL / 2, count - 1), math.sqrt(count / (count - 1))
    if share:
        error = float(np.std(values, ddof=1)) * wider
        if error <= 1e-12 or not 1e-12 < value < 1 - 1e-12:
            return wilson(value, count, quantile)
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
    parts = by_group(items, groups)
    count = min(blocks, len(parts))
    overall = combine(items)
    if count < 2:
        return [overall]
    partials = [
        combine([x for i, part in enumerate(parts) if i % count != block for x in part]) for block in range(count)
    ]
    mean = math.fsum(partials) / count
    return [overall + (count - 1) * (mean - value) for value in partials]


def wilson(share: float, n: float, quantile: float) -> Interval:
    """Return Wilson's interval (1927) of a share of `n` observations."""
    share = min(max(share, 0.0), 1.0)
    z2 = quantile * quantile
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = quantile / (1 + z2 / n) * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    return Interval(share, max(0.0, min(centre - half, share)), min(1.0, max(centre + half, share)))
