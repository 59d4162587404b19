"""The power of the paired tests, and the smallest difference that they detect with a given power.

The tests are those of `stats`: the exact McNemar test on single questions, and the test over groups. Power is the probability
that a two-sided test has a p-value below 5 % if the difference is real.
"""

from __future__ import annotations

import math
from statistics import NormalDist

from harness.metrics.stats import LEVEL, t_quantile

POWER = 0.8
DIFFERING = 0.2  # share of questions on which two models differ, assumed in planning, before either has answered


def power(difference: float, groups: int, sd: float, *, level: float = LEVEL) -> float:
    """Return the power of a paired two-sided test over groups for a true difference, by the noncentral t distribution.

    Args:
        difference: the true mean difference, in the values' unit.
        groups: the number of groups, of similar size.
        sd: the standard deviation of the groups' mean differences.
        level: the level of the test.
    """
    from scipy.special import nctdtr

    if groups < 2:
        return 0.0
    if sd <= 0:
        return float(difference != 0)
    df, shift = groups - 1, abs(difference) / sd * math.sqrt(groups)
    edge = t_quantile(1 - level / 2, df)
    # In the far tail, where the result is 0 to the last digit, scipy's series returns NaN.
    below, above = (0.0 if math.isnan(term) else term for term in nctdtr(df, shift, [edge, -edge]).tolist())
    return 1 - below + above


def mcnemar_power(better: float, worse: float, n: int, *, level: float = LEVEL) -> float:
    """Return the power of the exact McNemar test on `n` single questions.

    The number of questions on which two models differ is itself random; this is the mean over it (Duffy 1984). The test
    is conservative, so this is below `power`.

    Args:
        better: the probability that only the first model is right on a question.
        worse: the probability that only the second is.
        n: the number of questions.
        level: the level of the test.
    """
    import numpy as np
    from scipy.stats import binom

    differing = better + worse
    if differing <= 0:
        return 0.0
    m = np.arange(n + 1)
    few = binom.ppf(level / 2, m, 0.5)  # the most wins of the loser at which the test still rejects, or one more
    few -= 2 * binom.cdf(few, m, 0.5) >= level
    win_chance = better / differing
    rejection = binom.cdf(few, m, win_chance) + binom.sf(m - few - 1, m, win_chance)
    return float((binom.pmf(m, n, differing) * np.where(few >= 0, rejection, 0.0)).sum())


def minimal_detectable_difference(groups: int, sd: float, *, power: float = POWER, level: float = LEVEL) -> float:
    """Return the true difference that a paired two-sided test over `groups` groups detects with probability `power`.

    `sd` is the standard deviation of the groups' mean differences (groups of similar size), in the unit of the result. For
    two models on single questions it is the square root of the share of questions on which they differ. The result is
    infinite below two groups.
    """
    if groups < 2:
        return math.inf
    return (t_quantile(1 - level / 2, groups - 1) + t_quantile(power, groups - 1)) * sd / math.sqrt(groups)


def detectable(half: float, comparisons: int = 1, *, power: float = POWER) -> float:
    """Return the difference that a test detects with this power, from half the width of its 95 % interval.

    The level is corrected for `comparisons` tests as in Holm's first step. The normal distribution is used: the result is
    within 2 % of `minimal_detectable_difference` from 60 groups on.
    """
    normal = NormalDist()
    edge = normal.inv_cdf(1 - LEVEL / 2 / max(1, comparisons))
    return half * (edge + normal.inv_cdf(power)) / normal.inv_cdf(1 - LEVEL / 2)


def detectable_at_planning(groups: int, differing: float = DIFFERING) -> float:
    """Return the difference that a paired test will detect, before any model has answered.

    Each group counts as one question, as if all its answers were right or wrong together: the worst case. scipy is not
    imported, because `plan` must start fast.
    """
    return detectable(NormalDist().inv_cdf(1 - LEVEL / 2) * math.sqrt(differing / groups)) if groups > 1 else math.inf
