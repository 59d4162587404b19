"""Scores of the runs of one cell on each test item, to be paired with those of another cell.

A cell is one task, model, method, rank and so on: every field of the spec except the seed.
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

    Items are the examples in id order; for a metric that is no mean they are blocks of groups (see `stats.pseudo_values`).
    `values` are means over the seeds, `runs` the value of each seed with the noise of single answers. `bounded`: values lie
    in [0, 1]. `blocks`: the items are blocks.
    """

    items: tuple[str, ...]
    clusters: tuple[object, ...]
    values: tuple[float, ...]
    runs: stats.Seeds
    bounded: bool
    blocks: bool = False

    def interval(self, *, share: bool) -> stats.Interval:
        """The mean over items and seeds; its interval covers other questions and other seeds."""
        if self.blocks:
            return stats.clustered_interval(self.values, self.clusters, share=share, repeats=(self.runs,))
        return stats.mean_interval(self.values, self.clusters, share=share, repeats=(self.runs,))

    def shortage(self) -> str:
        """The sentence that says what is missing for an interval; empty if nothing is."""
        if self.blocks:
            return stats.too_few_groups(self.clusters)
        return stats.mean_shortage(self.values, self.clusters, share=self.bounded)

    def item_se(self) -> float:
        """The standard error of the mean from the choice of questions alone, clustered by group."""
        return stats.standard_error(self.values, self.clusters)

    def pairs_with(self, partner: ItemScores) -> bool:
        """Whether the two have the same items in the same groups."""
        return self.items == partner.items and self.clusters == partner.clusters

    def minus(self, partner: ItemScores) -> stats.Paired:
        """This less its partner, paired on the same items."""
        share = self.bounded and partner.bounded
        repeats = (self.runs, partner.runs)
        if share or self.blocks:
            return stats.paired_difference(self.values, partner.values, self.clusters, share=share, repeats=repeats)
        return stats.paired_amounts(self.values, partner.values, self.clusters, repeats=repeats)

    def not_worse_p(self, partner: ItemScores, margin: float, *, higher_is_better: bool) -> float:
        """The p-value of this being worse than its partner by the margin or more; see `stats.not_worse_p`."""
        share, repeats = self.bounded and partner.bounded, (self.runs, partner.runs)
        a, b = (self.values, partner.values) if higher_is_better else (partner.values, self.values)
        return stats.not_worse_p(a, b, self.clusters, margin, share=share, repeats=repeats)


def item_scores(runs: Sequence[Run], metric: Metric) -> ItemScores | None:
    """Return the item scores of one cell's finished runs, None if a run lacks answers or a score of this metric.

    Raises:
        HarnessError: the answers do not give the recorded score, or two seeds answered different examples.
    """
    columns: list[dict[str, float]] = []
    clusters: dict[str, object] = {}
    for record, answers in runs:
        if not answers or metric.name not in record.scores:
            return None
        column, clusters_of_run = _column(answers, metric)
        recorded, computed = record.scores[metric.name].value, math.fsum(column.values()) / len(column)
        if not math.isclose(recorded, computed, rel_tol=1e-9, abs_tol=1e-9):
            raise HarnessError(
                f"the answers of a run give {metric.name} {computed:.6g}, its record says {recorded:.6g}",
                where=f"{record.spec.task} {record.spec.name} s{record.spec.seed}-{record.spec.id}",
                fix="run `verify` on it; if the metric has changed, raise the task's version and run again",
            )
        if clusters and clusters_of_run != clusters:
            raise HarnessError(
                "two seeds of the same spec answered different examples",
                where=f"{record.spec.task} {record.spec.name} s{record.spec.seed}-{record.spec.id}",
                fix="run `verify`, then delete the damaged run and run the same command again",
            )
        columns.append(column)
        clusters = clusters_of_run
    items = tuple(sorted(clusters))
    return ItemScores(
        items=items,
        clusters=tuple(clusters[item] for item in items),
        values=tuple(math.fsum(column[item] for column in columns) / len(columns) for item in items),
        runs=stats.seeds([[column[item] for item in items] for column in columns], [clusters[item] for item in items]),
        bounded=metric.combine is None and metric.unit == "share",
        blocks=metric.combine is not None,
    )


def _column(answers: Sequence[Answer], metric: Metric) -> tuple[dict[str, float], dict[str, object]]:
    """Return the value and the cluster of each item."""
    clusters = [cluster_key(answer) for answer in answers]
    if metric.combine is None:
        by_id = {answer.id: metric.score(answer) for answer in answers}
        return by_id, {answer.id: cluster for answer, cluster in zip(answers, clusters, strict=True)}
    values = stats.pseudo_values(metric.combine, answers, clusters)
    blocks = {f"block {number:03}": value for number, value in enumerate(values)}
    return blocks, {name: name for name in blocks}


def find_metric(task: str, name: str, metrics: Metrics) -> Metric | None:
    """Return the task's metric of this name, else one that the harness knows, else None."""
    if task in metrics:
        return next((metric for metric in metrics[task] if metric.name == name), None)
    return known_metrics.by_name(name) if name in known_metrics.names() else None
