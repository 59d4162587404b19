"""Intervals, paired differences and tests for answers in groups. All functions take and return numbers.

All statistics are clustered by group: the questions of one filing or claim file are not independent of each other. All
intervals are two-sided at 95 %. Results do not depend on the order of the values. If no method covers 95 %, there is no
interval (-infinity to infinity), and a sentence says how much more it takes.

`repeats` are the seeds of each row that was trained: the values of complete runs that differ in their seed only. With three or
more, an interval is about the method, not about the trained models: the variance of the mean over seeds is added to the
variance over groups, without part of the noise of single answers, which is in both.
"""

from harness.metrics.amounts import mean_interval, mean_shortage
from harness.metrics.intervals import (
    Interval,
    bootstrap_interval,
    clustered_interval,
    interval_of_draws,
    pseudo_values,
    standard_error,
    wilson,
)
from harness.metrics.paired import Paired, not_worse_p, paired_amounts, paired_difference, sign_flip_p
from harness.metrics.sampling import (
    FEWEST_GROUPS,
    FEWEST_SEEDS,
    LEVEL,
    Seeds,
    holm,
    sample,
    seeds,
    t_quantile,
    too_few_groups,
    with_seeds,
)

__all__ = [
    "FEWEST_GROUPS",
    "FEWEST_SEEDS",
    "LEVEL",
    "Interval",
    "Paired",
    "Seeds",
    "bootstrap_interval",
    "clustered_interval",
    "holm",
    "interval_of_draws",
    "mean_interval",
    "mean_shortage",
    "not_worse_p",
    "paired_amounts",
    "paired_difference",
    "pseudo_values",
    "sample",
    "seeds",
    "sign_flip_p",
    "standard_error",
    "t_quantile",
    "too_few_groups",
    "wilson",
    "with_seeds",
]
