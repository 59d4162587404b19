"""Does what was learned hold in other words, and with the options in another order? From the answers to two probes.

`shifted` asks other questions than the usual test: the drop is unpaired, and its interval is made of the intervals of both
scores (`unpaired`). `reordered` asks the same questions: what is counted is how often the same option is chosen.
The difference from the base model is paired on the twin's questions, as in `forgetting`, and adjusted there.

leaderboard/<task>.robustness.csv   one row per model, method, rank and twin; full precision
leaderboard/<task>.md               ends with the tables
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from harness.analysis.forgetting import Change, base_cannot
from harness.analysis.items import ProbeAnswers
from harness.data import probes
from harness.metrics import stats
from harness.metrics.scoring import cluster_key
from harness.record import Answer

Said = tuple[Sequence[Answer], Sequence[Answer]]  # to the usual questions and to the twin's


@dataclass(frozen=True)
class TwinResult:
    """What one row does on a twin of its task.

    `change` is the row on the twin's questions, with its difference from the base model. `drop` is how much worse it is
    there than on the usual questions (in the metric's unit, above 0 where worse), None for a reordered twin or where the
    usual score is not at hand. `same` is the share of questions answered with the same option, for a reordered twin.
    """

    change: Change
    drop: stats.Interval | None
    same: stats.Interval | None

    @property
    def usual(self) -> float | None:
        """The row's score on the task's own test."""
        return self.change.learned.value if self.change.learned else None

    @property
    def mark(self) -> str:
        """What may be said of the row: of its drop, and where nothing sets it apart from the base model, that."""
        marks = []
        if self.drop is not None and self.change.learned is not None and base_cannot(self.change.learned):
            marks.append("nothing to drop")
        elif self.drop is not None:
            worse, better = self.drop.low > 0, self.drop.high < 0
            marks.append("▼ drops" if worse else "▲ better here" if better else "≈ no drop shown")
        if self.change.difference is not None and self.change.difference.p_holm >= stats.LEVEL:
            marks.append("≈ base")
        return ", ".join(marks)


def is_twin(change: Change) -> bool:
    """Tell whether the probe of a row is a twin of its own task and so shows no forgetting."""
    return change.probe in (probes.shifted(change.spec.task), probes.reordered(change.spec.task))


def twin_results(
    changes: Iterable[Change], answers: Mapping[str, Sequence[Answer]], probe_answers: ProbeAnswers
) -> list[TwinResult]:
    """Return the rows of whole twins, in the order of the changes; answers are by run id."""
    rows = []
    for change in changes:
        if change.part or not is_twin(change):
            continue
        same = None
        if change.probe == probes.reordered(change.spec.task):
            run_ids = [run_id for run_id in change.run_ids if run_id in probe_answers]
            pairs = [(answers.get(run_id, ()), probe_answers[run_id].get(change.probe, ())) for run_id in run_ids]
            same = share_same(pairs)
        rows.append(TwinResult(change, None if same else _drop(change), same))
    return rows


def _drop(change: Change) -> stats.Interval | None:
    usual, there = change.learned, change.cell
    if usual is None or usual.metric != there.metric:
        return None
    ends = (usual.value, usual.low, usual.high, there.value, there.low, there.high)
    known = [math.nan if end is None else end for end in ends]
    if any(map(math.isnan, known)):
        return None
    a, b = stats.Interval(*known[:3]), stats.Interval(*known[3:])
    return unpaired(a, b) if there.higher_is_better else unpaired(b, a)


def unpaired(a: stats.Interval, b: stats.Interval) -> stats.Interval:
    """Return a - b with its interval, of two values from different items.

    Each end goes as far as the ends of both intervals go, squared and added (Newcombe 1998, method 10; Zou and Donner
    2008): it keeps what they know of groups, of shares near 0 and 1, and of seeds. Seeds that both values share count
    twice, so that this errs on the wide side.
    """
    low = math.hypot(a.value - a.low, b.high - b.value)
    high = math.hypot(a.high - a.value, b.value - b.low)
    return stats.Interval(a.value - b.value, a.value - b.value - low, a.value - b.value + high)


def share_same(runs: Sequence[Said]) -> stats.Interval | None:
    """Return the share of questions with the same answer both times, over runs that differ in their seed only.

    What could not be read is no answer and so not the same. None where a run's answers are gone.
    """
    columns: list[dict[str, float]] = []
    places: dict[str, object] = {}
    for usual, again in runs:
        said = {answer.id: answer.parsed for answer in usual}
        both = [answer for answer in again if answer.id in said]
        if not both:
            return None
        columns.append({a.id: float(a.parsed is not None and a.parsed == said[a.id]) for a in both})
        places |= {answer.id: cluster_key(answer) for answer in both}
    items = [item for item in places if all(item in column for column in columns)]
    if not items:
        return None
    values = [math.fsum(column[item] for column in columns) / len(columns) for item in items]
    means = [math.fsum(column[item] for item in items) / len(items) for column in columns]
    return stats.clustered_interval(values, [places[item] for item in items], share=True, repeats=(means,))
