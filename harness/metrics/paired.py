"""Paired differences over the same items: interval, p-value and non-inferiority, clustered by group.

The interval is that of values which the test does not reject: a t test everywhere, and at zero the exact sign-flip test
as well. So an interval excludes zero if and only if p < 5 %.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Hashable, Sequence
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np

from harness.errors import HarnessError
from harness.metrics.amounts import amount_interval, amount_shortage
from harness.metrics.design import with_design
from harness.metrics.sampling import (
    FEWEST_SEEDS,
    LEVEL,
    Repeats,
    sample,
    shortage,
    t_quantile,
    t_tail,
    totals,
    with_repeats,
)


class Paired(NamedTuple):
    """A mean difference, its 95 % interval and its two-sided p-value.

    No interval is -infinity to infinity, and `reason` has the sentence. `error` is the standard error, `df` its degrees of
    freedom.
    """

    difference: float
    low: float
    high: float
    p: float
    error: float = math.inf
    df: float = 0.0
    reason: str = ""


def paired_difference(
    a: Sequence[float], b: Sequence[float], groups: Sequence[Hashable], *, share: bool = False, repeats: Repeats = ()
) -> Paired:
    """Return the mean of a - b over the same items, with its interval and p-value, both clustered by group.

    The p-value is that of `sign_flip_p`, which is exact over questions. It is the larger of that and of the t test of the
    interval if the interval includes 0, or covers other seeds. With too few groups there is no interval and p is 1.

    Args:
        a: one number an item, [n].
        b: the same items, [n].
        groups: the group of each item, [n].
        share: the numbers are within [0, 1]; the interval is then Bonett and Price's (2012) on the effective sample size:
            one more item won and one more lost, so that the interval has a width even if two models agree everywhere. There
            each group counts as one observation. For few groups that differ see `design`.
        repeats: the seeds of a and of b.
    """
    differences = _differences(a, b)
    of = sample(differences, groups)
    if reason := shortage(of):
        return Paired(of.mean, -math.inf, math.inf, 1.0, reason=reason)
    limit = 1.0 if share else math.inf
    centre, variance, df = _centre(differences, groups, share, repeats)
    half = t_quantile(1 - LEVEL / 2, df) * math.sqrt(variance)
    low, high = min(max(centre - half, -limit), of.mean), max(min(centre + half, limit), of.mean)
    p, p_of_t = sign_flip_p(differences, groups), 2 * t_tail(abs(centre), variance, df)
    if p_of_t >= LEVEL or any(len(runs.values) >= FEWEST_SEEDS for runs in repeats):
        p = max(p, p_of_t)
    if p >= LEVEL:
        low, high = min(low, 0.0), max(high, 0.0)
    return Paired(of.mean, low, high, p, math.sqrt(variance), df)


def paired_amounts(
    a: Sequence[float], b: Sequence[float], groups: Sequence[Hashable], *, repeats: Repeats = ()
) -> Paired:
    """Return the mean of a - b of amounts over the same items; see `paired_difference` and `amounts.amount_interval`.

    With too few differences that are not zero there is no interval; the sign-flip test holds without one. Else the
    p-value is the larger of that test's and of the one at which the interval's end, on a normal scale, reaches zero.
    """
    differences = _differences(a, b)
    of = sample(differences, groups)
    if reason := amount_shortage(differences, groups):
        p = 1.0 if shortage(of) else sign_flip_p(differences, groups)
        return Paired(of.mean, -math.inf, math.inf, p, reason=reason)
    _, low, high = amount_interval(differences, groups, signed=True, repeats=repeats)
    reach = of.mean - low if of.mean > 0 else high - of.mean
    z = NormalDist().inv_cdf(1 - LEVEL / 2)
    p = max(sign_flip_p(differences, groups), 2 * NormalDist().cdf(-z * abs(of.mean) / reach))
    if p >= LEVEL:
        low, high = min(low, 0.0), max(high, 0.0)
    return Paired(of.mean, low, high, p, (high - low) / 2 / z, of.df)


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
    is above -margin. The arguments are the same; the margin is above 0, in the values' unit. With too few groups it is 1.
    """
    differences = _differences(a, b)
    if shortage(sample(differences, groups)):
        return 1.0
    centre, variance, df = _centre(differences, groups, share, repeats)
    return t_tail(centre + margin, variance, df)


def _differences(a: Sequence[float], b: Sequence[float]) -> list[float]:
    if len(a) != len(b):
        problem, sizes = "a paired difference needs the same items on both sides", f"{len(a)} and {len(b)} items"
        raise HarnessError(problem, where=sizes, fix="compare runs on the same test examples")
    return [x - y for x, y in zip(a, b, strict=True)]


def _centre(
    differences: list[float], groups: Sequence[Hashable], share: bool, repeats: Repeats
) -> tuple[float, float, float]:
    """Return the middle of the interval of a mean difference, its variance and its degrees of freedom.

    A share has the effective sample size n / design effect, with one item won and one lost more.
    """
    of, quantile = sample(differences, groups), 0.0
    mean, variance = of.mean, of.variance
    if share:
        n, squares = len(differences), math.fsum(d * d for d in differences) / len(differences)
        independent, effective = (squares - mean**2) / (n - 1), of.effective
        if variance > 1e-12 * independent > 0:
            variance, quantile = with_design(differences, groups, of, independent, (-1.0, 0.0, 1.0))
            effective = n * independent / variance
        mean *= effective / (effective + 2)
        variance = ((squares * effective + 2) / (effective + 2) - mean**2) / (effective + 2)
    return mean, *with_repeats(variance, quantile or t_quantile(1 - LEVEL / 2, of.df), of.df, repeats)


def _sums(values: Sequence[float], groups: Sequence[Hashable]) -> list[float]:
    return [total for _, total in totals(values, groups)]


def sign_flip_p(
    differences: Sequence[float], groups: Sequence[Hashable], *, seed: int = 0, draws: int = 10_000
) -> float:
    """Return the two-sided p-value of a mean difference of zero, by flipping the sign of whole groups.

    Under the null hypothesis that a and b are exchangeable, each group's total is as likely as its negative (Fisher
    1935). The p-value is exact if the totals are multiples of a common step (shares, means over up to 12 seeds) or if 14
    groups or fewer differ. Otherwise it is a seeded Monte Carlo estimate that includes the observed case (Phipson and Smyth
    2010).
    """
    observed = abs(math.fsum(differences))
    sizes = np.array([abs(total) for total in _sums(differences, groups) if abs(total) > 1e-12])
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
