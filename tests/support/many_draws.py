"""The formulas of `harness.metrics` for many draws at once, in numpy; `tests/metrics/test_coverage.py` holds them against it."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import stdtrit

Array = np.ndarray[Any, np.dtype[Any]]


def right_by_group(sizes: Array, truth: Array, likeness: float, rng: np.random.Generator) -> Array:
    """How many items of each group are right, [draws, groups]; beta-binomial, so that items of a group are alike."""
    share = np.broadcast_to(truth[:, None], (len(truth), len(sizes)))
    if likeness:
        k = (1 - likeness) / likeness
        share = rng.beta(share * k, (1 - share) * k)
    return rng.binomial(sizes, share)


def degrees_of_freedom(sizes: Array) -> float:
    """Bell and McCaffrey's for the mean of independent items."""
    p = sizes / sizes.sum()
    r = p**2 / (1 - p)
    return float(1 / ((p**2).sum() + r.sum() ** 2 - (r**2).sum()))


def many_designs(variance: Array, independent: Array, differing: Array, sizes: Array) -> tuple[Array, Array]:
    """The effective sample size by `design.with_design` for each row, and Student's quantile, [draws]."""
    n, groups, df = sizes.sum(), len(sizes), degrees_of_freedom(sizes)
    some = (variance > 1e-12 * independent) & (independent > 0)
    design = np.where(some, variance / np.where(some, independent, 1.0), 1.0)
    larger = design + np.maximum(0, design - 1) / np.maximum(1, differing)
    kish = n**2 / (sizes**2).sum()
    least = np.where(differing < 4, kish, np.maximum(n / larger, kish))
    few = differing - 1 + np.maximum(0, groups - differing) * np.minimum(1, 2 * differing / groups) ** 4
    weight, usual = np.maximum(0, 1 - 1 / design), float(stdtrit(df, 0.975))
    quantile = weight * stdtrit(np.clip(few, 1, df), 0.975) + (1 - weight) * usual
    return np.where(some, np.minimum(n / design, least), kish), quantile


def many_intervals(right: Array, sizes: Array) -> tuple[Array, Array]:
    """`stats.clustered_interval(share=True)` for each row: low and high, [draws]."""
    n = sizes.sum()
    mean = right.sum(1) / n
    variance = ((right - mean[:, None] * sizes) ** 2 / (1 - sizes / n)).sum(1) / n**2
    binomial = mean * (1 - mean) / (n - 1)
    differing = np.minimum((right < sizes).sum(1), (right > 0).sum(1))
    effective, quantile = many_designs(variance, binomial, differing, sizes)
    z2 = quantile**2
    centre = (mean + z2 / (2 * effective)) / (1 + z2 / effective)
    half = quantile / (1 + z2 / effective) * np.sqrt(mean * (1 - mean) / effective + z2 / (4 * effective**2))
    return np.clip(np.minimum(centre - half, mean), 0, 1), np.clip(np.maximum(centre + half, mean), 0, 1)


def many_differences(won: Array, lost: Array, sizes: Array) -> tuple[Array, Array]:
    """The t interval of `stats.paired_difference(share=True)` for each row of items won and lost by group, [draws]."""
    n, totals = sizes.sum(), won - lost
    mean, squares = totals.sum(1) / n, (won + lost).sum(1) / n
    variance = ((totals - mean[:, None] * sizes) ** 2 / (1 - sizes / n)).sum(1) / n**2
    differing = np.min([(won + lost > 0).sum(1), (won < sizes).sum(1), (lost < sizes).sum(1)], axis=0)
    effective, quantile = many_designs(variance, (squares - mean**2) / (n - 1), differing, sizes)
    centre = mean * effective / (effective + 2)
    half = quantile * np.sqrt(((squares * effective + 2) / (effective + 2) - centre**2) / (effective + 2))
    return centre - half, centre + half


def right_by_group_of(counts: Array, truth: Array, likeness: float, rng: np.random.Generator) -> Array:
    share = np.broadcast_to(truth[:, None], counts.shape)
    if likeness:
        k = (1 - likeness) / likeness
        share = rng.beta(share * k, (1 - share) * k)
    return rng.binomial(counts, share)
