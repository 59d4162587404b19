"""What an adapter keeps of a task beside a reference: the adapter trained on that task alone, or one trained on all at once.

Retention of a row on a task is score(row) / score(reference), both on the same questions. Its interval is a bootstrap that
draws whole groups of questions and takes both scores anew (see `stats.bootstrap_interval`). Where the reference is not
shown to be above the base model there is nothing to keep, and no number is given: a ratio of two scores that the base
model has as well would look like full retention.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.adapters.cross import BASE, Scored, Tuned
from harness.format import NONE, Table, number, tasks_in, tasks_of
from harness.metrics import stats
from harness.metrics.scoring import BOOTSTRAP_SEED, cluster_key
from harness.record import Answer
from harness.schema import Metric, Task

NOTHING = "nothing to retain"

Pair = tuple[Answer, Answer]
Reference = tuple[str, str]  # a task, and the adapter whose score on it is the whole


@dataclass(frozen=True)
class Retained:
    """A row on a task: the share of the score of its reference, `single`, with its interval; None and why where there is none.

    `gain` is the reference less the base model, paired.
    """

    adapter: str
    task: str
    single: str
    gain: stats.Interval
    share: stats.Interval | None
    reason: str = ""


def references(tuned: Sequence[Tuned], tasks: Sequence[Task]) -> list[Reference]:
    """Return the references of tasks: the first adapter of each task alone, and the first of several tasks at once.

    Both are adapters of one run that began at the base model. The one of several tasks is one for each of its tasks.
    """
    own = [one for one in tuned if one.own and not one.spec.start]
    alone: dict[str, str] = {}
    for one in own:
        if not one.spec.joined:
            alone.setdefault(one.spec.task, one.name)
    joint = next((one for one in own if one.spec.joined), None)
    names = [task.name for task in tasks]
    found = [(name, alone[name]) for name in names if name in alone]
    return found + [(name, joint.name) for name in names if joint and name in tasks_of(joint.spec)]


def measure(scored: Sequence[Scored], whole: Sequence[Reference], tasks: Mapping[str, Task]) -> list[Retained]:
    """Return the retention of every other row beside every reference.

    Args:
        scored: all rows on all tasks, the base model's too.
        whole: as `references`.
        tasks: by name, with their metrics; retention is of the headline.
    """
    cells = {(one.adapter, one.task): one for one in scored}
    names = [name for name in dict.fromkeys(one.adapter for one in scored) if name != BASE]
    found = []
    for task, reference in whole:
        metric = tasks[task].metrics[0]
        own, base = cells[reference, task], cells[BASE, task]
        gain = _gain(own, base, metric)
        found += [_retained(cells[name, task], own, gain, metric) for name in names if name != reference]
    return found


def _gain(own: Scored, base: Scored, metric: Metric) -> stats.Interval:
    pairs = _pairs(own, base)
    sign = 1.0 if metric.higher_is_better else -1.0

    def difference(some: Sequence[Pair]) -> float:
        return sign * (_value([a for a, _ in some], metric) - _value([b for _, b in some], metric))

    groups = [cluster_key(answer) for answer, _ in pairs]
    if metric.combine is None:
        a, b = ([sign * metric.score(pair[side]) for pair in pairs] for side in (0, 1))
        paired = stats.paired_difference(a, b, groups, share=metric.unit == "share")
        return stats.Interval(paired.difference, paired.low, paired.high)
    return stats.bootstrap_interval(difference, pairs, groups, BOOTSTRAP_SEED)


def _retained(row: Scored, own: Scored, gain: stats.Interval, metric: Metric) -> Retained:
    reason = ""
    if metric.unit != "share" or not metric.higher_is_better:
        reason = "no share of right answers"
    elif gain.low <= 0:
        reason = NOTHING
    if reason:
        return Retained(row.adapter, row.task, own.adapter, gain, None, reason)
    pairs = _pairs(row, own)

    def ratio(some: Sequence[Pair]) -> float:
        kept, whole = (_value([pair[side] for pair in some], metric) for side in (0, 1))
        return kept / whole if whole else math.inf if kept else 1.0

    groups = [cluster_key(answer) for answer, _ in pairs]
    share = stats.bootstrap_interval(ratio, pairs, groups, BOOTSTRAP_SEED)
    return Retained(row.adapter, row.task, own.adapter, gain, share)


def _pairs(a: Scored, b: Scored) -> list[Pair]:
    other = {answer.id: answer for answer in b.answers}
    return [(answer, other[answer.id]) for answer in a.answers]


def _value(answers: Sequence[Answer], metric: Metric) -> float:
    if metric.combine is not None:
        return metric.combine(answers)
    return math.fsum(map(metric.score, answers)) / len(answers)


def tables(found: Sequence[Retained], scored: Sequence[Scored]) -> list[Table]:
    """Return the tables of rows by tasks, the reference named above each column: each task's own, and one for several.

    Args:
        found: as `measure` returns it.
        scored: the rows, which say what each was trained on.
    """
    several = {one.adapter for one in scored if any(len(tasks_in(text)) > 1 for text in one.trained_on)}
    own = "retention, % of the score of the task's own adapter", [one for one in found if one.single not in several]
    joint = "retention, % of the score of the adapter of several tasks", [one for one in found if one.single in several]
    return [_table(title, kept) for title, kept in (own, joint) if kept]


def _table(title: str, found: Sequence[Retained]) -> Table:
    single = {one.task: one.single for one in found}
    cells = {(one.adapter, one.task): one for one in found}
    rows = []
    for name in dict.fromkeys(one.adapter for one in found):
        rows.append((name, *(_cell(cells.get((name, task))) for task in single)))
    columns = ("adapter", *(f"{task} of {name}" for task, name in single.items()))
    return Table(title, columns, tuple(rows))


def _cell(one: Retained | None) -> str:
    if one is None:
        return NONE
    if one.share is None:
        return one.reason
    low, high = (number(end) for end in (one.share.low, one.share.high))
    return f"{number(one.share.value)} [{low}, {high}]"
