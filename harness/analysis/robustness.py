"""Robustness: the score on the task in other words, and the choices with the options in another order.

Both are probes, called the twins of the task. `shifted` has other questions than the usual test, so the drop is unpaired and
its interval is made of those of both scores (`unpaired`). `reordered` has the same questions; counted is the share of them
with the same choice. The difference from the base model is paired on the twin's questions, as in `forgetting`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from harness.analysis.forgetting import Change, base_cannot
from harness.analysis.items import ProbeAnswers
from harness.data import probes
from harness.metrics import stats
from harness.metrics.scoring import cluster_key
from harness.record import Answer

AnswerPair = tuple[Sequence[Answer], Sequence[Answer]]  # to the usual questions and to the twin's
Verdict = Literal["drops", "better", "no drop shown", "nothing to drop", "no drop measured"]


@dataclass(frozen=True)
class TwinResult:
    """The result of one row on a twin of its task.

    `change` is the row on the twin's questions, with its difference from the base model. `drop` is the usual score less
    that on the twin, in the metric's unit and above 0 if the twin's is worse; None for a reordered twin and if the usual
    score is missing. `agreement` is the share of questions with the same choice, for a reordered twin.
    """

    change: Change
    drop: stats.Interval | None
    agreement: stats.Interval | None

    @property
    def usual(self) -> float | None:
        """The row's score on the task's own test."""
        return self.change.learned.value if self.change.learned else None

    @property
    def can_drop(self) -> bool:
        """Whether the row is shown to be above chance on the task's own test."""
        return self.change.learned is None or not base_cannot(self.change.learned)

    @property
    def verdict(self) -> Verdict:
        """The conclusion about the drop (95 % interval)."""
        if self.drop is None:
            return "no drop measured"
        if not self.can_drop:
            return "nothing to drop"
        return "drops" if self.drop.low > 0 else "better" if self.drop.high < 0 else "no drop shown"

    @property
    def like_base(self) -> bool:
        """Whether a paired test cannot tell the row from the base model."""
        return self.change.difference is not None and self.change.difference.p_holm >= stats.LEVEL


def is_twin(change: Change) -> bool:
    """Whether the probe of a row is a twin of its own task, so that it shows no forgetting."""
    return change.probe in (probes.shifted(change.spec.task), probes.reordered(change.spec.task))


def twin_results(
    changes: Iterable[Change], answers: Mapping[str, Sequence[Answer]], probe_answers: ProbeAnswers
) -> list[TwinResult]:
    """Return the rows of whole twins, in the order of the changes; answers are by run id."""
    rows = []
    for change in changes:
        if change.part or not is_twin(change):
            continue
        agreement = None
        if change.probe == probes.reordered(change.spec.task):
            run_ids = [run_id for run_id in change.run_ids if run_id in probe_answers]
            pairs = [(answers.get(run_id, ()), probe_answers[run_id].get(change.probe, ())) for run_id in run_ids]
            agreement = share_same(pairs)
        rows.append(TwinResult(change, None if agreement else _drop(change), agreement))
    return rows


def _drop(change: Change) -> stats.Interval | None:
    usual, twin = change.learned, change.cell
    if usual is None or usual.metric != twin.metric:
        return None
    ends = (usual.value, usual.low, usual.high, twin.value, twin.low, twin.high)
    bounds = [math.nan if end is None else end for end in ends]
    if any(map(math.isnan, bounds)):
        return None
    a, b = stats.Interval(*bounds[:3]), stats.Interval(*bounds[3:])
    return unpaired(a, b) if twin.higher_is_better else unpaired(b, a)


def unpaired(a: stats.Interval, b: stats.Interval) -> stats.Interval:
    """Return a - b with its interval, for two values from different items.

    The distance to each end is the root of the summed squares of both intervals' distances (Newcombe 1998, method 10; Zou
    and Donner 2008). So the interval keeps their corrections for groups, for shares near 0 and 1, and for seeds. Seeds
    shared by both values count twice, which errs on the wide side.
    """
    low = math.hypot(a.value - a.low, b.high - b.value)
    high = math.hypot(a.high - a.value, b.value - b.low)
    return stats.Interval(a.value - b.value, a.value - b.value - low, a.value - b.value + high)


def share_same(runs: Sequence[AnswerPair]) -> stats.Interval | None:
    """Return the share of questions with the same answer both times, over runs that differ in their seed only.

    An unreadable answer is never the same. None if the answers of a run are gone.
    """
    columns: list[dict[str, float]] = []
    clusters: dict[str, object] = {}
    for usual, again in runs:
        usual_choices = {answer.id: answer.parsed for answer in usual}
        paired = [answer for answer in again if answer.id in usual_choices]
        if not paired:
            return None
        columns.append({a.id: float(a.parsed is not None and a.parsed == usual_choices[a.id]) for a in paired})
        clusters |= {answer.id: cluster_key(answer) for answer in paired}
    items = [item for item in clusters if all(item in column for column in columns)]
    if not items:
        return None
    values = [math.fsum(column[item] for column in columns) / len(columns) for item in items]
    groups = [clusters[item] for item in items]
    seeds = stats.seeds([[column[item] for item in items] for column in columns], groups)
    return stats.clustered_interval(values, groups, share=True, repeats=(seeds,))
