"""Retention: an adapter's score on a task as a share of the score of a reference adapter.

The reference is the adapter trained on that task alone, or one trained on all tasks together. Retention is
score(row) / score(reference) on the same questions. Its interval is a bootstrap over groups of questions that computes
both scores again (see `stats.bootstrap_interval`). If the reference is not significantly above the base model, there is
nothing to retain and no number is given: the ratio of two scores at the base model's level would look like full retention.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.adapters.cross import BASE, AdapterScores, TrainedAdapter
from harness.format import NONE, Table, number, tasks_in, tasks_of
from harness.metrics import stats
from harness.metrics.scoring import BOOTSTRAP_SEED, cluster_key
from harness.record import Answer
from harness.schema import Metric, Task

NO_GAIN = "nothing to retain"

Pair = tuple[Answer, Answer]
Reference = tuple[str, str]  # a task, and the reference adapter on it


@dataclass(frozen=True)
class Retention:
    """A row's share of the score of its reference, `single`, on a task; None with a `reason` if there is none.

    `gain` is the paired difference of the reference and the base model.
    """

    adapter: str
    task: str
    single: str
    gain: stats.Interval
    share: stats.Interval | None
    reason: str = ""


def references(adapters: Sequence[TrainedAdapter], tasks: Sequence[Task]) -> list[Reference]:
    """Return the references of tasks: the first adapter of each task alone, and the first of several tasks at once.

    Both are adapters of one run that started at the base model. An adapter of several tasks is a reference for each.
    """
    candidates = [adapter for adapter in adapters if adapter.single and not adapter.spec.start]
    alone: dict[str, str] = {}
    for adapter in candidates:
        if not adapter.spec.joined:
            alone.setdefault(adapter.spec.task, adapter.name)
    joint = next((adapter for adapter in candidates if adapter.spec.joined), None)
    names = [task.name for task in tasks]
    single = [(name, alone[name]) for name in names if name in alone]
    return single + [(name, joint.name) for name in names if joint and name in tasks_of(joint.spec)]


def measure(
    scores: Sequence[AdapterScores], references: Sequence[Reference], tasks: Mapping[str, Task]
) -> list[Retention]:
    """Return the retention of every row except the reference, for every reference.

    Args:
        scores: all rows on all tasks, including the base model's.
        references: the result of `references`.
        tasks: tasks by name; retention is of the headline metric.
    """
    cells = {(row.adapter, row.task): row for row in scores}
    names = [name for name in dict.fromkeys(row.adapter for row in scores) if name != BASE]
    results = []
    for task, name_of_reference in references:
        metric = tasks[task].metrics[0]
        reference, base = cells[name_of_reference, task], cells[BASE, task]
        gain = _gain(reference, base, metric)
        rows = [cells[name, task] for name in names if name != name_of_reference]
        results += [_retention(row, reference, gain, metric) for row in rows]
    return results


def _gain(reference: AdapterScores, base: AdapterScores, metric: Metric) -> stats.Interval:
    pairs = _pairs(reference, base)
    sign = 1.0 if metric.higher_is_better else -1.0

    def difference(sample: Sequence[Pair]) -> float:
        return sign * (_value([a for a, _ in sample], metric) - _value([b for _, b in sample], metric))

    groups = [cluster_key(answer) for answer, _ in pairs]
    if metric.combine is None:
        a, b = ([sign * metric.score(pair[side]) for pair in pairs] for side in (0, 1))
        paired = stats.paired_difference(a, b, groups, share=metric.unit == "share")
        return stats.Interval(paired.difference, paired.low, paired.high)
    return stats.bootstrap_interval(difference, pairs, groups, BOOTSTRAP_SEED)


def _retention(row: AdapterScores, reference: AdapterScores, gain: stats.Interval, metric: Metric) -> Retention:
    reason = ""
    if metric.unit != "share" or not metric.higher_is_better:
        reason = "no share of right answers"
    elif gain.low <= 0:
        reason = NO_GAIN
    if reason:
        return Retention(row.adapter, row.task, reference.adapter, gain, None, reason)
    pairs = _pairs(row, reference)

    def ratio(sample: Sequence[Pair]) -> float:
        value, full = (_value([pair[side] for pair in sample], metric) for side in (0, 1))
        return value / full if full else math.inf if value else 1.0

    groups = [cluster_key(answer) for answer, _ in pairs]
    share = stats.bootstrap_interval(ratio, pairs, groups, BOOTSTRAP_SEED)
    return Retention(row.adapter, row.task, reference.adapter, gain, share)


def _pairs(a: AdapterScores, b: AdapterScores) -> list[Pair]:
    by_id = {answer.id: answer for answer in b.answers}
    return [(answer, by_id[answer.id]) for answer in a.answers]


def _value(answers: Sequence[Answer], metric: Metric) -> float:
    if metric.combine is not None:
        return metric.combine(answers)
    return math.fsum(map(metric.score, answers)) / len(answers)


def tables(results: Sequence[Retention], scores: Sequence[AdapterScores]) -> list[Table]:
    """Return the tables of retention by rows and tasks; each column names its reference.

    One table has the reference of each task alone, another the reference of several tasks.

    Args:
        results: the result of `measure`.
        scores: the rows with their training tasks.
    """
    joint = {row.adapter for row in scores if any(len(tasks_in(text)) > 1 for text in row.trained_on)}
    parts = (
        (
            "retention, % of the score of the adapter trained on the task alone",
            [r for r in results if r.single not in joint],
        ),
        (
            "retention, % of the score of the adapter trained on several tasks",
            [r for r in results if r.single in joint],
        ),
    )
    return [_table(title, part) for title, part in parts if part]


def _table(title: str, results: Sequence[Retention]) -> Table:
    single = {result.task: result.single for result in results}
    cells = {(result.adapter, result.task): result for result in results}
    rows = []
    for name in dict.fromkeys(result.adapter for result in results):
        rows.append((name, *(_cell(cells.get((name, task))) for task in single)))
    columns = ("adapter", *(f"{task} of {name}" for task, name in single.items()))
    return Table(title, columns, tuple(rows))


def _cell(result: Retention | None) -> str:
    if result is None:
        return NONE
    if result.share is None:
        return result.reason
    low, high = (number(bound) for bound in (result.share.low, result.share.high))
    return f"{number(result.share.value)} [{low}, {high}]"
