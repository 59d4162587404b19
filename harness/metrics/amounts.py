"""Intervals of mean amounts: many zeros and a long tail, as in money lost on wrong answers.

The t interval of such a mean covers 60 to 90 % and misses on the side of larger losses. Here the ends are those of the
bootstrap-t interval (Efron 1982; Hall 1988), its upper tail at 1.5 %. If Shapiro and Wilk's test (1965) does not reject at
5 % that the logarithms of the amounts are normal, the upper end is at least that of the generalised interval of a lognormal
mean with zeros (Krishnamoorthy and Mathew 2003; Tian 2005). The two levels were chosen by simulation;
`python tests/benchmarks/coverage.py` simulates other distributions.

The unit is the group, with its total. Below `FEWEST_AMOUNTS` totals that are not zero there is no interval. That selects
samples with many amounts, so the lower end is that of a count known to be at least as large (Cohen and Sackrowitz 1989).
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence

import numpy as np

from harness.metrics.intervals import Interval, clustered_interval
from harness.metrics.sampling import LEVEL, Repeats, sample, shortage, too_few_groups, totals, with_seeds

FEWEST_AMOUNTS = 30
FEWEST_OF_SIGN = 5  # below, the spread of rises or of falls is that of both
LOGNORMAL = 0.05  # the level of the test that the logarithms are normal
UPPER = 0.015  # the upper tail of the bootstrap; with 2.5 % it misses 3 to 7 %
DRAWS, RESAMPLES, CHUNK = 4000, 2000, 100
ZERO = 1e-12

Floats = np.ndarray[tuple[int], np.dtype[np.float64]]
Ends = tuple[float, float]


def mean_interval(
    values: Sequence[float], groups: Sequence[Hashable], *, share: bool, repeats: Repeats = ()
) -> Interval:
    """Return the mean of a metric's values with its interval: that of a share, or of amounts."""
    if share:
        return clustered_interval(values, groups, share=True, repeats=repeats)
    return amount_interval(values, groups, repeats=repeats)


def mean_shortage(values: Sequence[float], groups: Sequence[Hashable], *, share: bool) -> str:
    """Return what is missing for the interval of `mean_interval`, as a sentence; empty if nothing is."""
    return too_few_groups(groups) if share else amount_shortage(values, groups)


def amount_interval(
    values: Sequence[float], groups: Sequence[Hashable], *, signed: bool = False, repeats: Repeats = ()
) -> Interval:
    """Return the mean amount with its interval, clustered by group; no interval if `amount_shortage` has a sentence.

    Rises and falls get an interval each, and the distances of their ends are combined (MOVER, Zou and Donner 2008).

    Args:
        values: one amount an item, [n].
        groups: the group of each item, [n].
        signed: amounts below zero are possible even if there are none, as in differences.
        repeats: seeds of each row; their spread enlarges the distances to both ends.
    """
    mean = sample(values, groups).mean
    if amount_shortage(values, groups):
        return Interval(mean, -math.inf, math.inf)
    x = _group_amounts(values, groups)
    rises, falls = np.maximum(x, 0.0), np.maximum(-x, 0.0)
    up = _ends(rises, np.abs(x)) if signed or rises.any() else (0.0, 0.0)
    down = _ends(falls, np.abs(x)) if signed or falls.any() else (0.0, 0.0)
    low = mean - with_seeds(math.hypot(float(rises.mean()) - up[0], down[1] - float(falls.mean())), repeats)
    high = mean + with_seeds(math.hypot(up[1] - float(rises.mean()), float(falls.mean()) - down[0]), repeats)
    if signed:
        return Interval(mean, low, high)
    nearest = mean * _selection(int((x != 0).sum()), len(x))
    return Interval(mean, min(low, nearest) if mean > 0 else low, max(high, nearest) if mean < 0 else high)


def amount_shortage(values: Sequence[float], groups: Sequence[Hashable]) -> str:
    """Return a sentence if groups or amounts that are not zero are too few for an interval, otherwise an empty text."""
    if reason := shortage(sample(values, groups)):
        return reason
    count = int((np.abs(_group_amounts(values, groups)) > ZERO).sum())
    if count >= FEWEST_AMOUNTS:
        return ""
    return f"too few groups with an amount other than zero: {count}; at least {FEWEST_AMOUNTS} are needed"


def _group_amounts(values: Sequence[float], groups: Sequence[Hashable]) -> Floats:
    """Return the groups' totals, sorted, on a scale on which their mean is that of the values."""
    sums = sorted(total for _, total in totals(values, groups))
    x = np.array(sums) * (len(sums) / len(values))
    return np.where(np.abs(x) > ZERO, x, 0.0)


def _ends(x: Floats, all_amounts: Floats) -> Ends:
    """Return the ends of the interval of the mean of amounts of one sign; the mean lies between them.

    With fewer than `FEWEST_OF_SIGN` amounts, as in the rises of a row that only falls, their spread is that of `all_amounts`.
    """
    positive, mean = np.sort(x[x > 0]), float(x.mean())
    if len(positive) < FEWEST_OF_SIGN:
        low, high = _lognormal_ends(np.log(all_amounts[all_amounts > 0]), len(positive), len(x))
    else:
        low, high = _bootstrap_ends(positive, len(x))
        logs = np.log(positive)
        if _is_normal(logs):
            high = max(high, _lognormal_ends(logs, len(positive), len(x))[1])
    return min(low, mean), max(high, mean)


def _selection(count: int, n: int) -> float:
    """Return the least expected count over the count, given that `count` of `n` is at least `FEWEST_AMOUNTS`."""
    from scipy.optimize import brentq
    from scipy.stats import binom

    if count <= FEWEST_AMOUNTS:
        return 0.0

    def excess(share: float) -> float:
        log_ratio = binom.logsf(count - 1, n, share) - binom.logsf(FEWEST_AMOUNTS - 1, n, share)
        return float(log_ratio - math.log(LEVEL / 2))

    least = count / n / 100
    return 0.01 if excess(least) > 0 else float(brentq(excess, least, count / n)) * n / count


def _is_normal(logs: Floats) -> bool:
    from scipy.stats import shapiro

    few = np.sort(logs)[:: len(logs) // 5000 + 1]  # the test is made for up to 5,000 numbers
    return bool(np.ptp(few) < 1e-9 or shapiro(few).pvalue > LOGNORMAL)


def _lognormal_ends(logs: Floats, count: int, n: int) -> Ends:
    """Return the ends for `count` lognormal amounts among `n`: quantiles of the generalised pivot exp(m + v / 2) * share."""
    rng, k = np.random.default_rng(0), len(logs)
    v = (k - 1) * logs.var(ddof=1) / rng.chisquare(k - 1, DRAWS)
    m = logs.mean() + rng.standard_normal(DRAWS) * np.sqrt(v / k)
    share = rng.beta(count + 0.5, n - count + 0.5, DRAWS)
    low, high = np.exp(np.quantile(np.log(share) + m + v / 2, [LEVEL / 2, 1 - LEVEL / 2]))
    return float(low), float(high)


def _bootstrap_ends(positive: Floats, n: int) -> Ends:
    """Return the ends of the bootstrap-t interval of the mean of `n` amounts, all zero but these; not below zero."""
    rng, pivots, k = np.random.default_rng(0), [], len(positive)
    mean = positive.sum() / n
    error = math.sqrt((positive @ positive / n - mean**2) / n)
    for _ in range(RESAMPLES // CHUNK):
        counts = rng.binomial(n, k / n, CHUNK)[:, None]
        places = np.arange(max(1, counts.max()))
        picks = np.where(places < counts, positive[rng.integers(0, k, (CHUNK, len(places)))], 0.0)
        means = picks.sum(1) / n
        errors = np.sqrt(np.maximum((picks * picks).sum(1) / n - means**2, 1e-18 * mean**2) / n)
        pivots.append((means - mean) / errors)
    below, above = np.quantile(np.concatenate(pivots), [UPPER, 1 - LEVEL / 2])
    return max(0.0, float(mean - above * error)), float(mean - below * error)
