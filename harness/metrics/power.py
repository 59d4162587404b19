"""How often a difference of a given size is found, and how large one must be to be found often enough.

For the paired tests of `stats`: the exact McNemar test on single questions, and the test over groups. Power is the
probability that a two-sided test at 5 % comes out below it when the difference is there.
"""

from __future__ import annotations

import math
from statistics import NormalDist

from harness.metrics.stats import LEVEL, t_quantile

POWER = 0.8
DIFFERING = 0.2  # share of questions on which two models differ, for a plan made before either has answered


def power(difference: float, groups: int, sd: float, *, level: float = LEVEL) -> float:
    """Return how often a paired two-sided test over groups finds a true difference, by the noncentral t distribution.

    Args:
        difference: the true mean difference, in the values' unit.
        groups: how many groups of like size.
        sd: the standard deviation of the groups' mean differences.
        level: of the test.
    """
    from scipy.special import nctdtr

    if groups < 2:
        return 0.0
    if sd <= 0:
        return float(difference != 0)
    df, shift = groups - 1, abs(difference) / sd * math.sqrt(groups)
    edge = t_quantile(1 - level / 2, df)
    # Far out, where the result is 0 to the last digit, scipy's series gives up.
    below, above = (0.0 if math.isnan(found) else found for found in nctdtr(df, shift, [edge, -edge]).tolist())
    return 1 - below + above


def mcnemar_power(better: float, worse: float, n: int, *, level: float = LEVEL) -> float:
    """Return how often the exact McNemar test finds a difference on `n` single questions.

    The number of questions on which two models differ is itself random; this is the mean over it (Duffy 1984). The test
    is conservative, so it finds less than `power` says.

    Args:
        better: the chance that on a question the first model alone is right.
        worse: the chance that the second alone is.
        n: how many questions.
        level: of the test.
    """
    import numpy as np
    from scipy.stats import binom

    differing = better + worse
    if differing <= 0:
        return 0.0
    m = np.arange(n + 1)
    few = binom.ppf(level / 2, m, 0.5)  # the most wins of the loser with which the test still rejects, or one more
    few -= 2 * binom.cdf(few, m, 0.5) >= level
    won = better / differing
    found = binom.cdf(few, m, won) + binom.sf(m - few - 1, m, won)
    return float((binom.pmf(m, n, differing) * np.where(few >= 0, found, 0.0)).sum())


def minimal_detectable_difference(groups: int, sd: float, *, power: float = POWER, level: float = LEVEL) -> float:
    """Return the true difference that a paired two-sided test over `groups` groups finds with probability `power`.

    `sd` is the standard deviation of the groups' mean differences (groups of like size), in the unit of the result;
    for two models on single questions, the square root of the share of questions on which they differ. Infinite
    below two groups.
    """
    if groups < 2:
        return math.inf
    return (t_quantile(1 - level / 2, groups - 1) + t_quantile(power, groups - 1)) * sd / math.sqrt(groups)


def detectable(half: float, comparisons: int = 1, *, power: float = POWER) -> float:
    """Return the difference that a test finds with this power, from half the width of its 95 % interval.

    `comparisons` tests are corrected for as Holm's first step does. By the normal distribution: within 2 % of
    `minimal_detectable_difference` from 60 groups on.
    """
    normal = NormalDist()
    edge = normal.inv_cdf(1 - LEVEL / 2 / max(1, comparisons))
    return half * (edge + normal.inv_cdf(power)) / normal.inv_cdf(1 - LEVEL / 2)


def detectable_at_planning(groups: int, differing: float = DIFFERING) -> float:
    """Return what a paired test will find, before anything has answered: no scipy, for `plan` must start fast.

    Groups count as one question each, as if the questions of one stood or fell together: the worst case.
    """
    return detectable(NormalDist().inv_cdf(1 - LEVEL / 2) * math.sqrt(differing / groups)) if groups > 1 else math.inf
