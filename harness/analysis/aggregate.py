"""Runs pooled to cells: one task, model, method, rank and metric each, the seeds in one.

An interval speaks of other questions of the kind (clustered by group) and, from two seeds on, of other seeds (see
`stats`); with one seed it speaks of that one trained model.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from harness.analysis.costs import machine, typical_cost
from harness.analysis.items import ItemScores, Metrics, Run, find_metric, item_scores
from harness.errors import HarnessError
from harness.metrics import stats
from harness.record import Answer, Cost, Record, RunSpec, Score, Status
from harness.schema import Metric

METHOD_ORDER = ("base", "lora", "qlora", "full")


CONSTANT = 0.95  # share of like answers from which on a model is said to answer always the same
FEWEST = 20  # answers below which nothing is said


@dataclass(frozen=True)
class Difference:
    """A paired difference (fractions, or the metric's unit) with its 95 % interval, p-value and Holm's p-value."""

    value: float
    low: float
    high: float
    p: float
    p_holm: float


@dataclass(frozen=True)
class Gains:
    """What a row gained over the base model that writes its answers, in two parts that add up to it.

    `format` is what the base model itself gains when it need not write: scored by log-likelihood less scored by what it
    writes. `knowledge` is the row less the base model scored by log-likelihood. See `compare.gains`.
    """

    total: stats.Paired
    format: stats.Paired
    knowledge: stats.Paired


@dataclass(frozen=True)
class Cell:
    """The runs of one spec that differ in their seed only, on one metric.

    A cell of runs that did not finish has their status and reason and no value. `records` are in seed order, `spec`
    is the first one's. `chance` is known for the headline metric only. `cost` is that of one whole run, the one in
    the middle by training peak, and None where the seeds ran on different machines.

    `seed_sd` is the spread between seeds and `item_se` the standard error from the choice of questions alone; the
    interval holds both. `not_worse` says that a paired test shows the cell to lie within `compare.MARGIN` of the best.
    `constant` says in words that nearly all answers are the same. `read_right` is the headline metric over the answers
    that could be read. `gains` is there where the base model was scored in both ways.
    """

    spec: RunSpec
    metric: str
    headline: bool
    status: Status
    records: tuple[Record, ...]
    unit: str = "share"
    higher_is_better: bool = True
    n: int = 0
    groups: int = 0
    value: float | None = None
    low: float | None = None
    high: float | None = None
    seed_sd: float | None = None
    item_se: float | None = None
    vs_base: Difference | None = None
    vs_best: Difference | None = None
    best_or_tied: Literal["best", "tied", ""] = ""
    not_worse: bool = False
    gains: Gains | None = None
    constant: str = ""
    read_right: float | None = None
    chance: float | None = None
    below_chance: bool = False
    parse_rate: float | None = None
    cost: Cost | None = None
    machine: str = ""
    reason: str = ""

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds pooled here."""
        return tuple(record.spec.seed for record in self.records)

    @property
    def run_ids(self) -> tuple[str, ...]:
        """The ids of the runs pooled here."""
        return tuple(record.spec.id for record in self.records)

    @property
    def family(self) -> tuple[object, ...]:
        """What cells must share to be set against each other."""
        s = self.spec
        return (s.task, s.task_version, s.data, s.scoring, s.model, s.model_revision, s.test_examples, self.metric)


def pool(runs: Iterable[Run], metrics: Metrics) -> tuple[list[tuple[Cell, ItemScores | None]], list[Cell]]:
    """Pool the runs by spec (all fields but the seed).

    Returns:
        The finished cells, still without verdicts, each with its evidence (None where answers are gone); and the cells
        of runs that did not finish, one for each metric of their task, with status and reason and no value.

    Raises:
        HarnessError: runs of one spec saw different data, or answers contradict their record.
    """
    finished: defaultdict[RunSpec, list[Run]] = defaultdict(list)
    broken: defaultdict[tuple[RunSpec, Status], list[Record]] = defaultdict(list)
    for record, answers in _distinct(runs):
        if record.status == "ok":
            finished[row_of(record.spec)].append((record, answers))
        else:
            broken[row_of(record.spec), record.status].append(record)
    _refuse_mixed_data(finished)
    drafts = [draft for seeds in finished.values() for draft in _finished_cells(seeds, metrics)]
    names = metric_names(metrics, [cell for cell, _ in drafts])
    return drafts, [cell for (_, status), records in broken.items() for cell in _broken_cells(records, status, names)]


def row_of(spec: RunSpec) -> RunSpec:
    """Return what names a row: all settings but the seed and what is asked besides."""
    return replace(spec, seed=0, probes=())


def _distinct(runs: Iterable[Run]) -> list[Run]:
    """Keep one run of each spec, a finished one where there is one: the same run may lie in two folders.

    Probes change no other answer, so runs that differ in them alone are one; that with most of them is kept.
    """
    kept: dict[RunSpec, Run] = {}
    for run in runs:
        place = replace(run[0].spec, probes=())
        if place not in kept or _worth(run[0]) > _worth(kept[place][0]):
            kept[place] = run
    return sorted(kept.values(), key=lambda run: (run[0].spec.seed, run[0].spec.id))


def _worth(record: Record) -> tuple[bool, int]:
    return record.status == "ok", len(record.probes)


def _refuse_mixed_data(finished: Iterable[RunSpec]) -> None:
    seen: dict[RunSpec, RunSpec] = {}
    for spec in finished:
        other = seen.setdefault(replace(spec, data=""), spec)
        if other.data != spec.data:
            raise HarnessError(
                "runs of the same spec saw different examples or prompts and cannot be pooled",
                where=f"{spec.task} v{spec.task_version} {spec.name}: data {other.data[:12]} and {spec.data[:12]}",
                fix="raise the task's version when its data or prompt changes, or move the older runs away",
            )


def _finished_cells(runs: Sequence[Run], metrics: Metrics) -> list[tuple[Cell, ItemScores | None]]:
    """Pool the finished seeds of one spec: a cell without verdicts, and its evidence, for each metric."""
    records = tuple(record for record, _ in runs)
    spec, result = records[0].spec, []
    answers = [answer for _, found in runs for answer in found or ()]
    listed = [metric.name for metric in metrics.get(spec.task, ())] or list(records[0].scores)
    for name in (name for name in records[0].scores if all(name in record.scores for record in records)):
        metric = find_metric(spec.task, name, metrics)
        evidence = item_scores(runs, metric) if metric else None
        scores = [record.scores[name] for record in records]
        value, low, high = _pooled(scores, evidence)
        chance = records[0].chance if name == listed[0] else None
        cell = Cell(
            spec=spec,
            metric=name,
            headline=name == listed[0],
            status="ok",
            records=records,
            unit=scores[0].unit,
            higher_is_better=scores[0].higher_is_better,
            n=scores[0].n,
            groups=scores[0].groups,
            value=value,
            low=low,
            high=high,
            seed_sd=statistics.stdev(score.value for score in scores) if len(scores) > 1 else None,
            item_se=evidence.item_se() if evidence else None,
            constant=constant(answers) if name == listed[0] and spec.scoring != "perplexity" else "",
            read_right=read_right(answers, metric) if metric and name == listed[0] else None,
            chance=chance,
            below_chance=chance is not None and (high < chance if scores[0].higher_is_better else low > chance),
            parse_rate=math.fsum(record.parse_rate for record in records) / len(records),
            cost=typical_cost(records),
            machine=machine(records),
        )
        result.append((cell, evidence))
    return result


def constant(answers: Sequence[Answer]) -> str:
    """Say that nearly all answers are the same, by text or by place among the options; empty where they are not.

    Not said where the gold answers are as uniform, nor of answers that could not be read: those are counted apart.
    """
    read = [answer for answer in answers if answer.parsed is not None]
    placed = [answer for answer in read if answer.parsed in answer.choices and answer.target in answer.choices]
    said = [
        ("answers {1} % of the questions with '{0}'", [(a.parsed or "", a.target) for a in read]),
        (
            "picks option {0} of the list in {1} % of the questions",
            [(str(a.choices.index(a.parsed or "") + 1), str(a.choices.index(a.target) + 1)) for a in placed],
        ),
    ]
    for words, pairs in said:
        if len(pairs) < max(FEWEST, len(answers) / 2):
            continue
        usual, count = Counter(given for given, _ in pairs).most_common(1)[0]
        share, gold = count / len(pairs), sum(right == usual for _, right in pairs) / len(pairs)
        if share >= CONSTANT and gold <= share - 0.05:
            return words.format(usual if len(usual) <= 40 else f"{usual[:39]}…", f"{100 * share:.1f}")
    return ""


def read_right(answers: Sequence[Answer], metric: Metric) -> float | None:
    """Return the metric over the answers that could be read, None where there are none or answers are missing."""
    read = [answer for answer in answers if answer.parsed is not None]
    if not read or metric.combine is not None:
        return None
    return math.fsum(metric.score(answer) for answer in read) / len(read)


def _pooled(scores: Sequence[Score], evidence: ItemScores | None) -> stats.Interval:
    """Return the mean over seeds with its interval; one seed keeps the interval of its record."""
    value = math.fsum(score.value for score in scores) / len(scores)
    if len(scores) == 1:
        return stats.Interval(value, scores[0].low, scores[0].high)
    share = scores[0].unit == "share"
    if evidence is not None:
        _, low, high = evidence.interval(share=share)
    else:  # the answers are gone: as wide as one run's interval on average, and the spread between seeds on top
        half = stats.clustered_interval([score.value for score in scores], range(len(scores)))
        low = value - math.hypot(math.fsum(s.value - s.low for s in scores) / len(scores), value - half.low)
        high = value + math.hypot(math.fsum(s.high - s.value for s in scores) / len(scores), half.high - value)
        low, high = (max(low, 0.0), min(high, 1.0)) if share else (low, high)
    return stats.Interval(value, min(low, value), max(high, value))


def _broken_cells(records: Sequence[Record], status: Status, names: dict[str, list[str]]) -> list[Cell]:
    """Keep runs that did not finish as rows without a value, one for each metric of the task."""
    spec = records[0].spec
    reason = "; ".join(dict.fromkeys(record.reason for record in records if record.reason))
    return [
        Cell(spec=spec, metric=name, headline=place == 0, status=status, records=tuple(records), reason=reason)
        for place, name in enumerate(names.get(spec.task) or [""])
    ]


def metric_names(metrics: Metrics, finished: Sequence[Cell]) -> dict[str, list[str]]:
    """List each task's metrics, headline first."""
    names = {task: [metric.name for metric in listed] for task, listed in metrics.items()}
    for cell in finished:
        listed = names.setdefault(cell.spec.task, [])
        if cell.metric not in listed:
            listed.append(cell.metric)
    return names


def table_order(spec: RunSpec) -> tuple[Any, ...]:
    """Return the key that sorts rows by table: task and version, model and revision."""
    return (spec.task, spec.task_version, spec.model, spec.model_revision)


def method_order(spec: RunSpec) -> tuple[Any, ...]:
    """Return the key that sorts the rows of a table: base, LoRA, QLoRA, full, other methods by name; then by rank."""
    position = METHOD_ORDER.index(spec.method) if spec.method in METHOD_ORDER else len(METHOD_ORDER)
    return (position, spec.method, spec.rank, spec.id)


def in_order(cells: Iterable[Cell]) -> list[Cell]:
    """Sort cells by table, method and rank; the metrics of one run stay in the order given."""
    return sorted(cells, key=lambda cell: (*table_order(cell.spec), *method_order(cell.spec), cell.status))
