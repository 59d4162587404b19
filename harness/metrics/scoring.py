"""Scores of answers, computed by the same functions for the worker's record and for its check by `verify`.

Errors are clustered by group, because the answers on one filing, vignette or claim file are not independent.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence

from harness.errors import HarnessError
from harness.metrics import stats
from harness.record import Answer, Score
from harness.schema import Example, Metric, Task

Cluster = tuple[str, str]

BOOTSTRAP_SEED = 0  # fixed: a score is recomputed to the last digit


def cluster_key(item: Answer | Example) -> Cluster:
    """Return the cluster of an answer or example: its group, or its id if it has no group; the two are never confused."""
    return ("group", item.group) if item.group else ("id", item.id)


def score_answers(answers: Sequence[Answer], metrics: Sequence[Metric]) -> dict[str, Score]:
    """Return the scores of one run's answers on each metric, with 95 % intervals clustered by group.

    With too few groups there is no interval; see `Score`. A mean with the unit "share" gets an interval within [0, 1], with a width at 0 % and 100 %, too. A mean in another unit
    gets that of `amounts`, and a metric with `combine` a bootstrap over groups. The order of the answers does not
    matter.

    Raises:
        HarnessError: there are no answers.
    """
    if not answers:
        raise HarnessError("there are no answers to score", where="the test split", fix="check the task's data")
    return {metric.name: score_one(answers, metric) for metric in metrics}


def score_one(answers: Sequence[Answer], metric: Metric) -> Score:
    """Return the score of answers (at least one) on one metric; see `score_answers`."""
    clusters = [cluster_key(answer) for answer in answers]
    share = metric.unit == "share"
    if metric.combine is None:
        values = [metric.score(answer) for answer in answers]
        interval = stats.mean_interval(values, clusters, share=share)
        shortage = stats.mean_shortage(values, clusters, share=share)
    else:
        shortage = stats.too_few_groups(clusters)
        interval = stats.bootstrap_interval(metric.combine, answers, clusters, BOOTSTRAP_SEED, share=share)
    return Score(
        value=interval.value,
        low=interval.low,
        high=interval.high,
        n=len(answers),
        groups=len(set(clusters)),
        unit=metric.unit,
        higher_is_better=metric.higher_is_better,
        shortage=shortage,
    )


def require(metrics: Sequence[Metric]) -> None:
    """Raise an error for a metric that cannot be computed on this machine, before training starts.

    Raises:
        HarnessError: the error of the first such metric, with a fix.
    """
    for metric in metrics:
        if metric.ready is not None:
            metric.ready()


def parse_rate(answers: Sequence[Answer]) -> float:
    """Return the share of answers that the task's parser could read; 0.0 if there are no answers."""
    return sum(answer.parsed is not None for answer in answers) / len(answers) if answers else 0.0


def chance(task: Task, examples: Sequence[Example]) -> float | None:
    """Return the score of guessing on a task's first metric, or None if unknown.

    The task's own `chance` comes first. Without it, if every example has options and the metric is the share of right
    answers, the result is the score of a random option: the mean of 1 / options.
    """
    if task.chance is not None:
        return task.chance(examples)
    first, options = task.metrics[0], [len(example.choices) for example in examples]
    counts_right = first.unit == "share" and first.higher_is_better and first.combine is None
    if not (counts_right and options and all(options)):
        return None
    return math.fsum(1 / count for count in options) / len(options)


def breakdown(answers: Sequence[Answer], metric: Metric) -> dict[str, dict[str, Score]]:
    """Return scores by slice: {slice: {value: Score}}, both sorted; answers without a slice do not count in it."""
    parts: defaultdict[tuple[str, str], list[Answer]] = defaultdict(list)
    for answer in answers:
        for name, value in answer.slices.items():
            parts[name, value].append(answer)
    scores: defaultdict[str, dict[str, Score]] = defaultdict(dict)
    for (name, value), part in sorted(parts.items()):
        scores[name][value] = score_one(part, metric)
    return dict(scores)
