"""The power of the paired tests, and the smallest difference that they detect with a given power.

The tests are those of `stats`: the exact McNemar test on single questions, and the test over groups. Power is the probability
that a two-sided test has a p-value below 5 % if the difference is real.
"""

from __future__ import annotations

import math
from statistics import NormalDist

from harness.metrics.sampling import FEWEST_GROUPS, LEVEL, t_quantile

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


def detectable(
    error: float, df: float, comparisons: int = 1, *, power: float = POWER, step: float = 0.0, level: float = LEVEL
) -> float:
    """Return the difference that a paired test detects with this power, by the noncentral t distribution.

    The level is corrected for `comparisons` tests as in Holm's first step.

    Args:
        error: the standard error of the difference.
        df: its degrees of freedom.
        comparisons: the number of tests.
        power: the probability of a p-value below the level.
        step: the smallest step of a difference, 1 / n for a share of n questions. The exact test of single questions
            needs one more than the t test (the correction for continuity, Edwards 1948).
        level: the level before the correction.
    """
    from scipy.optimize import brentq
    from scipy.special import nctdtr

    edge = t_quantile(1 - level / 2 / max(1, comparisons), df)

    def missing(shift: float) -> float:
        below = nctdtr(df, shift, edge)
        return float(power - (0.0 if math.isnan(below) else 1 - below))

    return float(brentq(missing, 0.0, 4 * edge + 10)) * error + step


def detectable_at_planning(groups: int, differing: float = DIFFERING, *, comparisons: int = 1) -> float:
    """Return the difference that a paired test will detect, before any model has answered; see `detectable`.

    Each group counts as one question, as if all its answers were right or wrong together: the worst case. The result is
    infinite with too few groups for a test. scipy is not imported, because `plan` must start fast; the quantiles are the
    first two terms of Cornish and Fisher's expansion of Student's.
    """
    if groups < FEWEST_GROUPS:
        return math.inf
    edges = [NormalDist().inv_cdf(q) for q in (1 - LEVEL / 2 / max(1, comparisons), POWER)]
    df = groups - 1
    quantiles = [z + (z**3 + z) / (4 * df) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * df**2) for z in edges]
    least, most = 0.0, 1.0
    for _ in range(40):  # the larger the difference, the smaller the variance that is left, differing - difference ** 2
        middle = (least + most) / 2
        variance = max(0.0, differing + 2 / groups - middle**2) / groups
        stated = sum(quantiles) * math.sqrt(variance) + 1 / groups
        least, most = (middle, most) if stated > middle else (least, middle)
    return most
