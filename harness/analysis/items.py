"""What the runs of one cell say about each test item, ready to be paired with another cell's.

A cell is one task, model, method, rank and so on: every field of the spec but the seed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness import metrics as known_metrics
from harness.errors import HarnessError
from harness.metrics import stats
from harness.metrics.scoring import cluster_key
from harness.record import Answer, Record
from harness.schema import Metric

Run = tuple[Record, Sequence[Answer] | None]
Metrics = Mapping[str, Sequence[Metric]]
ProbeAnswers = Mapping[str, Mapping[str, Sequence[Answer]]]  # by run id, then by the probe's task


@dataclass(frozen=True)
class ItemScores:
    """One metric of one cell, item by item.

    Items are the examples, in id order, or blocks of groups for a metric that is no mean (see `stats.pseudo_values`).
    `values` are means over the seeds, `runs` the value of each seed. `bounded` says whether values lie in [0, 1].
    """

    items: tuple[str, ...]
    clusters: tuple[object, ...]
    values: tuple[float, ...]
    runs: tuple[float, ...]
    bounded: bool

    def interval(self, *, share: bool) -> stats.Interval:
        """The mean over items and seeds; its interval speaks of other questions and of other seeds."""
        return stats.clustered_interval(self.values, self.clusters, share=share, repeats=(self.runs,))

    def item_se(self) -> float:
        """The standard error of the mean that comes from the choice of questions, clustered by group; no seeds in it."""
        return stats.standard_error(self.values, self.clusters)

    def pairs_with(self, other: ItemScores) -> bool:
        """Whether the two are about the same items in the same groups."""
        return self.items == other.items and self.clusters == other.clusters

    def minus(self, other: ItemScores) -> stats.Paired:
        """This minus the other, paired on the same items."""
        share = self.bounded and other.bounded
        repeats = (self.runs, other.runs)
        return stats.paired_difference(self.values, other.values, self.clusters, share=share, repeats=repeats)

    def not_worse_p(self, other: ItemScores, margin: float, *, higher_is_better: bool) -> float:
        """The p-value of this being worse than the other by the margin or more; see `stats.not_worse_p`."""
        share, repeats = self.bounded and other.bounded, (self.runs, other.runs)
        a, b = (self.values, other.values) if higher_is_better else (other.values, self.values)
        return stats.not_worse_p(a, b, self.clusters, margin, share=share, repeats=repeats)


def item_scores(runs: Sequence[Run], metric: Metric) -> ItemScores | None:
    """Collect the evidence of one cell's finished runs, None where a run has no answers or another metric's score.

    Raises:
        HarnessError: the answers do not give the recorded score, or two seeds answered different examples.
    """
    columns: list[dict[str, float]] = []
    clusters: dict[str, object] = {}
    for record, answers in runs:
        if not answers or metric.name not in record.scores:
            return None
        column, places = _column(answers, metric)
        recorded, found = record.scores[metric.name].value, math.fsum(column.values()) / len(column)
        if not math.isclose(recorded, found, rel_tol=1e-9, abs_tol=1e-9):
            raise HarnessError(
                f"the answers of a run give {metric.name} {found:.6g} and its record says {recorded:.6g}",
                where=f"{record.spec.task} {record.spec.name} s{record.spec.seed}-{record.spec.id}",
                fix="run `verify` on it; if the metric has changed, raise the task's version and run again",
            )
        if clusters and places != clusters:
            raise HarnessError(
                "two seeds of the same spec answered different examples",
                where=f"{record.spec.task} {record.spec.name} s{record.spec.seed}-{record.spec.id}",
                fix="run `verify`, then delete the damaged run and run the same command again",
            )
        columns.append(column)
        clusters = places
    items = tuple(sorted(clusters))
    return ItemScores(
        items=items,
        clusters=tuple(clusters[item] for item in items),
        values=tuple(math.fsum(column[item] for column in columns) / len(columns) for item in items),
        runs=tuple(record.scores[metric.name].value for record, _ in runs),
        bounded=metric.combine is None and metric.unit == "share",
    )


def _column(answers: Sequence[Answer], metric: Metric) -> tuple[dict[str, float], dict[str, object]]:
    """Return each item's value and each item's cluster."""
    places = [cluster_key(answer) for answer in answers]
    if metric.combine is None:
        by_id = {answer.id: metric.score(answer) for answer in answers}
        return by_id, {answer.id: place for answer, place in zip(answers, places, strict=True)}
    values = stats.pseudo_values(metric.combine, answers, places)
    blocks = {f"block {number:03}": value for number, value in enumerate(values)}
    return blocks, {name: name for name in blocks}


def find_metric(task: str, name: str, metrics: Metrics) -> Metric | None:
    """Return the task's metric of this name, else one that the harness knows, else None."""
    if task in metrics:
        return next((metric for metric in metrics[task] if metric.name == name), None)
    return known_metrics.by_name(name) if name in known_metrics.names() else None
