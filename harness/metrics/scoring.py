"""Answers to scores: the one way, for the worker that writes a record and for `verify` that checks it.

Errors are clustered by group, because the questions of one filing, vignette or claim file stand or fall together.
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
    """Return what to cluster an answer or example on: its group, or its own id where it has none (never mixed up)."""
    return ("group", item.group) if item.group else ("id", item.id)


def score_answers(answers: Sequence[Answer], metrics: Sequence[Metric]) -> dict[str, Score]:
    """Score one run's answers on each metric, with 95 % intervals clustered by group.

    A mean that is a share gets an interval within [0, 1] that has a width at 0 % and at 100 % too; a mean in another
    unit gets a cluster-robust t interval; a metric with `combine` gets a bootstrap over groups. The order of the
    answers does not matter.

    Raises:
        HarnessError: there are no answers.
    """
    if not answers:
        raise HarnessError("there are no answers to score", where="the test split", fix="check the task's data")
    return {metric.name: score_one(answers, metric) for metric in metrics}


def score_one(answers: Sequence[Answer], metric: Metric) -> Score:
    """Score answers (at least one) on one metric; see `score_answers`."""
    clusters = [cluster_key(answer) for answer in answers]
    share = metric.unit == "share"
    if metric.combine is None:
        values = [metric.score(answer) for answer in answers]
        interval = stats.clustered_interval(values, clusters, share=share)
    else:
        interval = stats.bootstrap_interval(metric.combine, answers, clusters, BOOTSTRAP_SEED, share=share)
    return Score(
        value=interval.value,
        low=interval.low,
        high=interval.high,
        n=len(answers),
        groups=len(set(clusters)),
        unit=metric.unit,
        higher_is_better=metric.higher_is_better,
    )


def require(metrics: Sequence[Metric]) -> None:
    """Refuse metrics that cannot be computed on this machine, before anything trains.

    Raises:
        HarnessError: by the first that cannot, with what to do.
    """
    for metric in metrics:
        if metric.ready is not None:
            metric.ready()


def parse_rate(answers: Sequence[Answer]) -> float:
    """Return the share of answers that the task's parser could read; 0.0 where there are none."""
    return sum(answer.parsed is not None for answer in answers) / len(answers) if answers else 0.0


def chance(task: Task, examples: Sequence[Example]) -> float | None:
    """Return what guessing scores on a task's first metric, None where that is not known.

    The task's own word counts. Without one, and where every example has options and the metric is the share of right
    answers, it is what an option picked blindly scores: the mean of 1 / options.
    """
    if task.chance is not None:
        return task.chance(examples)
    first, options = task.metrics[0], [len(example.choices) for example in examples]
    counts_right = first.unit == "share" and first.higher_is_better and first.combine is None
    if not (counts_right and options and all(options)):
        return None
    return math.fsum(1 / count for count in options) / len(options)


def breakdown(answers: Sequence[Answer], metric: Metric) -> dict[str, dict[str, Score]]:
    """Score the answers by slice: {slice: {value: Score}}, both sorted; answers without a slice are left out of it."""
    parts: defaultdict[tuple[str, str], list[Answer]] = defaultdict(list)
    for answer in answers:
        for name, value in answer.slices.items():
            parts[name, value].append(answer)
    scores: defaultdict[str, dict[str, Score]] = defaultdict(dict)
    for (name, value), part in sorted(parts.items()):
        scores[name][value] = score_one(part, metric)
    return dict(scores)
