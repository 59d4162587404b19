"""Runs pooled into cells: a cell is one task, model, method, rank and metric, with all its seeds.

An interval covers other questions of the same kind, clustered by group. With three seeds or more it covers other seeds too
(see `stats`); with fewer it is about the models that were trained.
"""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from harness import challengers
from harness.analysis.answers import ClassCount, class_counts, end_probability, readable_score
from harness.analysis.answers import ConstantAnswer as ConstantAnswer
from harness.analysis.answers import constant_answer as constant_answer
from harness.analysis.costs import Times, busy, has_neighbours, has_resumptions, machine, times, typical_cost
from harness.analysis.items import ItemScores, Metrics, Run, find_metric, item_scores
from harness.errors import HarnessError
from harness.methods import BEFORE_TRAINED, position
from harness.metrics import stats
from harness.record import Cost, Record, RunSpec, Score, Status


@dataclass(frozen=True)
class Difference:
    """A paired difference (fractions, or the metric's unit) with its 95 % interval, p-value and Holm's p-value.

    `error` is its standard error with `df` degrees of freedom; 0 is unknown. `reason` says why there is no interval.
    """

    value: float
    low: float
    high: float
    p: float
    p_holm: float
    error: float = 0.0
    df: float = 0.0
    reason: str = ""


@dataclass(frozen=True)
class Gains:
    """The gain of a row over the base model that writes its answers, and its two parts.

    `format` is the base model scored by log-likelihood less the base model scored by its written answers. `knowledge` is
    the row less the base model scored by log-likelihood. See `compare.gains`.
    """

    total: stats.Paired
    format: stats.Paired
    knowledge: stats.Paired


@dataclass(frozen=True)
class Cell:
    """The runs of one spec that differ in their seed only, on one metric.

    A cell of unfinished runs has their status and reason and no value. `records` are in seed order; `spec` is that of the
    first. `chance` is set for the headline metric only. `cost` is that of the run with the median training peak, None if
    the seeds ran on different machines.

    `seed_sd` is the standard deviation between seeds, `item_se` the standard error from the choice of questions; the
    interval covers both from `stats.FEWEST_SEEDS` seeds on. `shortage` says what is missing if there is no interval.
    `not_worse`: paired tests show that the cell loses less than `compare.MARGIN` to every other row. `constant`
    is set if nearly all answers are equal. `validation` is the mean score of an untrained row on validation questions, and
    `baseline` the spec of the row from which `vs_base` is the difference: the base model at its best. `readable_score` is
    the headline metric over the readable answers, and `end_probability` how sure the model is to stop behind the right
    option: form, on which no score depends. `vs_challenger` is the difference from `challenger`, the challenger that the row
    is least clearly better than: it is better than all if it is better than this one. `vs_rival` is the difference of a
    trained row from `rival`, the best row without training. `classes` count the answers by class, if the task has a few.
    `gains` is set if the base model was scored in both ways.
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
    shortage: str = ""
    seed_sd: float | None = None
    item_se: float | None = None
    vs_base: Difference | None = None
    vs_best: Difference | None = None
    vs_challenger: Difference | None = None
    vs_rival: Difference | None = None
    best_or_tied: Literal["best", "tied", ""] = ""
    not_worse: bool = False
    gains: Gains | None = None
    constant: ConstantAnswer | None = None
    readable_score: float | None = None
    end_probability: float | None = None
    chance: float | None = None
    validation: float | None = None
    baseline: RunSpec | None = None
    challenger: RunSpec | None = None
    rival: RunSpec | None = None
    classes: tuple[ClassCount, ...] = ()
    below_chance: bool = False
    parse_rate: float | None = None
    cost: Cost | None = None
    machine: str = ""
    reason: str = ""

    @property
    def trains(self) -> bool:
        """Whether its weights were trained; `base`, `fewshot`, `calibrated` and `pmi` are the untrained model."""
        return self.spec.epochs > 0

    @property
    def challenges(self) -> bool:
        """Whether it is the row of a challenger, which answers without a language model."""
        return self.spec.challenger > 0

    @property
    def train_times(self) -> Times | None:
        """The seconds of training over its seeds; None if nothing trained, or on several machines."""
        return times(self.records, "train")

    @property
    def test_times(self) -> Times | None:
        """The seconds of the test over its seeds; None on several machines."""
        return times(self.records, "evaluate")

    @property
    def has_neighbours(self) -> bool:
        """Whether one of its runs trained beside other runs."""
        return any(map(has_neighbours, self.records))

    @property
    def has_resumptions(self) -> bool:
        """Whether the training of one of its runs was interrupted and went on."""
        return any(map(has_resumptions, self.records))

    @property
    def busy(self) -> bool:
        """Whether the machine of one of its runs had more work than cores."""
        return any(map(busy, self.records))

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds of its runs."""
        return tuple(record.spec.seed for record in self.records)

    @property
    def run_ids(self) -> tuple[str, ...]:
        """The ids of its runs."""
        return tuple(record.spec.id for record in self.records)

    @property
    def family(self) -> tuple[object, ...]:
        """The values that cells share if they may be compared with each other."""
        s = self.spec
        model = (s.model, s.model_revision, s.serving)
        return (s.task, s.task_version, s.data, s.scoring, *model, s.test_examples, self.metric)


def pool(runs: Iterable[Run], metrics: Metrics) -> tuple[list[tuple[Cell, ItemScores | None]], list[Cell]]:
    """Pool the runs by spec (all fields but the seed).

    Returns:
        The finished cells, not compared yet, each with its item scores (None if answers are gone); and the cells of
        unfinished runs, one for each metric of their task, with status and reason and no value.

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
    """Return the spec of a row: all settings except the seed and the probes."""
    return replace(spec, seed=0, probes=())


def _distinct(runs: Iterable[Run]) -> list[Run]:
    """Keep one run of each spec, a finished one if there is one: the same run may lie in two folders.

    Probes change no other answer. Runs that differ in their probes only count as one, and the one with most probes stays.
    """
    by_spec: dict[RunSpec, Run] = {}
    for run in runs:
        key = replace(run[0].spec, probes=())
        if key not in by_spec or _worth(run[0]) > _worth(by_spec[key][0]):
            by_spec[key] = run
    return sorted(by_spec.values(), key=lambda run: (run[0].spec.seed, run[0].spec.id))


def _worth(record: Record) -> tuple[bool, int]:
    return record.status == "ok", len(record.probes)


def _refuse_mixed_data(finished: Iterable[RunSpec]) -> None:
    first_of: dict[RunSpec, RunSpec] = {}
    for spec in finished:
        first = first_of.setdefault(replace(spec, data=""), spec)
        if first.data != spec.data:
            raise HarnessError(
                "runs of the same spec saw different examples or prompts and cannot be pooled",
                where=f"{spec.task} v{spec.task_version} {spec.name}: data {first.data[:12]} and {spec.data[:12]}",
                fix="raise the task's version when its data or prompt changes, or move the older runs away",
            )


def _finished_cells(runs: Sequence[Run], metrics: Metrics) -> list[tuple[Cell, ItemScores | None]]:
    """Pool the finished seeds of one spec: for each metric a cell, not compared yet, and its item scores."""
    records = tuple(record for record, _ in runs)
    spec, result = records[0].spec, []
    answers = [answer for _, given in runs for answer in given or ()]
    names = [metric.name for metric in metrics.get(spec.task, ())] or list(records[0].scores)
    for name in (name for name in records[0].scores if all(name in record.scores for record in records)):
        metric = find_metric(spec.task, name, metrics)
        evidence = item_scores(runs, metric) if metric else None
        scores = [record.scores[name] for record in records]
        value, low, high = _pooled(scores, evidence)
        chance = records[0].chance if name == names[0] else None
        cell = Cell(
            spec=spec,
            metric=name,
            headline=name == names[0],
            status="ok",
            records=records,
            unit=scores[0].unit,
            higher_is_better=scores[0].higher_is_better,
            n=scores[0].n,
            groups=scores[0].groups,
            value=value,
            low=low,
            high=high,
            shortage=evidence.shortage() if evidence and len(scores) > 1 else scores[0].shortage,
            seed_sd=statistics.stdev(score.value for score in scores) if len(scores) > 1 else None,
            item_se=evidence.item_se() if evidence else None,
            classes=class_counts(answers, _classes(spec.task, names, metrics)) if name == names[0] else (),
            constant=constant_answer(answers) if name == names[0] and spec.scoring != "perplexity" else None,
            readable_score=readable_score(answers, metric) if metric and name == names[0] else None,
            end_probability=end_probability(answers) if name == names[0] else None,
            chance=chance,
            validation=_validation(records, name),
            below_chance=chance is not None and (high < chance if scores[0].higher_is_better else low > chance),
            parse_rate=math.fsum(record.parse_rate for record in records) / len(records),
            cost=typical_cost(records),
            machine=machine(records),
        )
        result.append((cell, evidence))
    return result


def _classes(task: str, names: Sequence[str], metrics: Metrics) -> Callable[[str], str] | None:
    """Return the first metric's function from a text to its class, None if no metric of the task has classes."""
    known = (find_metric(task, name, metrics) for name in names)
    return next((metric.classes for metric in known if metric is not None and metric.classes is not None), None)


def _validation(records: Sequence[Record], metric: str) -> float | None:
    """Return the mean validation score of these records on a metric; None if one of them has none."""
    results = [record.validation for record in records]
    if not all(result is not None and metric in result.scores for result in results):
        return None
    return math.fsum(result.scores[metric].value for result in results if result is not None) / len(results)


def _pooled(scores: Sequence[Score], evidence: ItemScores | None) -> stats.Interval:
    """Return the mean over seeds with its interval; a single seed keeps the interval of its record."""
    value = math.fsum(score.value for score in scores) / len(scores)
    if len(scores) == 1:
        return stats.Interval(value, scores[0].low, scores[0].high)
    share = scores[0].unit == "share"
    if evidence is not None:
        _, low, high = evidence.interval(share=share)
    else:  # the answers are gone: as wide as one run's interval on average, and the spread between seeds on top
        repeats = (stats.Seeds([score.value for score in scores]),)
        low = value - stats.with_seeds(math.fsum(s.value - s.low for s in scores) / len(scores), repeats)
        high = value + stats.with_seeds(math.fsum(s.high - s.value for s in scores) / len(scores), repeats)
        low, high = (max(low, 0.0), min(high, 1.0)) if share and math.isfinite(low) else (low, high)
    return stats.Interval(value, min(low, value), max(high, value))


def _broken_cells(records: Sequence[Record], status: Status, names: dict[str, list[str]]) -> list[Cell]:
    """Return unfinished runs as cells without a value, one for each metric of the task."""
    spec = records[0].spec
    reason = "; ".join(dict.fromkeys(record.reason for record in records if record.reason))
    return [
        Cell(spec=spec, metric=name, headline=position == 0, status=status, records=tuple(records), reason=reason)
        for position, name in enumerate(names.get(spec.task) or [""])
    ]


def metric_names(metrics: Metrics, finished: Sequence[Cell]) -> dict[str, list[str]]:
    """Return the names of each task's metrics, headline first."""
    names = {task: [metric.name for metric in task_metrics] for task, task_metrics in metrics.items()}
    for cell in finished:
        task_metrics = names.setdefault(cell.spec.task, [])
        if cell.metric not in task_metrics:
            task_metrics.append(cell.metric)
    return names


def table_order(spec: RunSpec) -> tuple[Any, ...]:
    """Return the key that sorts rows by table: task and version, model and revision."""
    return (spec.task, spec.task_version, spec.model, spec.model_revision, spec.serving)


def method_order(spec: RunSpec) -> tuple[Any, ...]:
    """Return the key that sorts the rows of a table: base, challengers, LoRA, QLoRA, full, others by name; then by rank."""
    if spec.challenger:
        number, name = challengers.position(spec.method)
        return (BEFORE_TRAINED, f"{number:02} {name}", 0, spec.id)
    return (*position(spec.method), spec.rank, spec.id)


def in_order(cells: Iterable[Cell]) -> list[Cell]:
    """Sort cells by table, method and rank; the metrics of one run stay in the order given."""
    return sorted(cells, key=lambda cell: (*table_order(cell.spec), *method_order(cell.spec), cell.status))
