"""Forgetting: the answers to probes, each row against the base model on the same questions.

A probe is asked in the process that trained the model (`harness.data.probes`). Its answers pair with the base model's: a
difference is the mean over questions, clustered by group; with several seeds its interval covers other seeds
(`harness.metrics.stats`). p-values are Holm-adjusted over all rows and probes of a task's table. Those of slices, such as
single skills, are adjusted over all rows and slices.

Nothing can be forgotten if the base model is not shown to be above chance: its interval reaches down to the score of
guessing, or to `NEAR_NOTHING` if that is unknown. Such a row has a difference, and is no evidence that nothing was lost.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from harness.analysis.aggregate import Cell, Difference, method_order, pool, row_of, table_order
from harness.analysis.items import ItemScores, Metrics, find_metric
from harness.data import probes
from harness.metrics import stats
from harness.metrics.scoring import score_one
from harness.record import Answer, Record, RunSpec

NEAR_NOTHING = 0.02  # a share: a base model not shown to be above it cannot do the task
FEWEST = 20  # questions of a slice that has a row of its own

ProbeRun = tuple[Record, Sequence[Answer]]  # a probe as the record of a run, with its answers
ProbedRun = tuple[Record, Mapping[str, Sequence[Answer]]]  # a record with the answers to its probes, by task
Draft = tuple[Cell, ItemScores | None]
Verdict = Literal["base", "forgot", "better", "no difference shown", "nothing to forget", "not comparable"]


@dataclass(frozen=True)
class Change:
    """The score of one row (runs that differ in their seed only) on a probe, and its difference from the base model.

    `spec` is the row's own, `cell` its score on the probe with interval, metric and unit. `part` is the slice, such as
    `skill: copy`, empty for the whole probe. `learned` is the row on the task itself; its `vs_base` is the gain in training.
    `difference` is row less base in the metric's unit. `can`: the base model is shown to be above chance on the probe.
    """

    spec: RunSpec
    run_ids: tuple[str, ...]
    probe: str
    part: str
    cell: Cell
    base: Cell | None
    difference: Difference | None
    learned: Cell | None
    can: bool

    @property
    def family(self) -> tuple[object, ...]:
        """The values that the rows of one table share, as `Cell.family` without the metric."""
        return _family(self.spec)

    @property
    def verdict(self) -> Verdict:
        """The conclusion about the row (5 %, Holm-adjusted)."""
        if self.spec.method == "base":
            return "base"
        if self.difference is None:
            return "not comparable"
        if not self.can:
            return "nothing to forget"
        if self.difference.p_holm >= stats.LEVEL:
            return "no difference shown"
        return "better" if (self.difference.value > 0) == self.cell.higher_is_better else "forgot"


def changes(runs: Iterable[ProbedRun], cells: Iterable[Cell], metrics: Metrics) -> list[Change]:
    """Return the comparison of every row with the base model, whole probes first, then their slices.

    Args:
        runs: records with the answers to their probes; those without are skipped.
        cells: of the tasks themselves, from `compare.cells`, for what the rows learned.
        metrics: each task's metrics, with those of the probes; the first is used.

    Raises:
        HarnessError: answers contradict their record.
    """
    # Runs that differ in their probes only are one row and learned the same.
    learned = {row_of(cell.spec): cell for cell in cells if cell.headline}
    families: defaultdict[tuple[object, ...], list[ProbeRun]] = defaultdict(list)
    owners: defaultdict[tuple[object, ...], dict[str, RunSpec]] = defaultdict(
        dict
    )  # by id as a run of the probe's task
    for record, answers in runs:
        for name in record.probes if record.status == "ok" else ():
            if answers.get(name) and record.probes[name].scores:
                probe_run = probes.as_run(record, name)
                key = (*_family(record.spec), name, record.probes[name].data)
                families[key].append((probe_run, answers[name]))
                owners[key][probe_run.spec.id] = record.spec
    wholes, slices = [], []
    for key, family in families.items():
        specs = owners[key]
        wholes += _against_base(family, "", specs, learned, metrics)
        for part, runs_of_part in _parts(family, metrics):
            slices += _against_base(runs_of_part, part, specs, learned, metrics)
    return [*_adjusted(sorted(wholes, key=_order)), *_adjusted(sorted(slices, key=_order))]


def base_cannot(base: Cell) -> bool:
    """Whether the base model is not shown to be above chance on the probe."""
    if base.unit != "share" or not base.higher_is_better or base.low is None:
        return False
    return base.low <= (NEAR_NOTHING if base.chance is None else base.chance)


def _order(change: Change) -> tuple[Any, ...]:
    return (*table_order(change.spec), change.probe, change.part, *method_order(change.spec))


def _family(spec: RunSpec) -> tuple[object, ...]:
    model = (spec.model, spec.model_revision, spec.serving)
    return (spec.task, spec.task_version, spec.data, spec.scoring, *model, spec.test_examples)


def _parts(family: Sequence[ProbeRun], metrics: Metrics) -> Iterator[tuple[str, list[ProbeRun]]]:
    """Yield each slice with enough questions, and its answers scored on the headline metric."""
    record, first = family[0]
    metric = find_metric(record.spec.task, next(iter(record.scores)), metrics)
    count = Counter(slice_ for answer in first for slice_ in answer.slices.items())
    for slice_ in sorted(slice_ for slice_, n in count.items() if metric and FEWEST <= n < len(first)):
        runs: list[ProbeRun] = []
        for record, answers in family:
            inside = [answer for answer in answers if slice_ in answer.slices.items()]
            scores = {metric.name: score_one(inside, metric)} if metric and inside else {}
            runs.append((replace(record, scores=scores), inside))
        yield ": ".join(slice_), runs


def _against_base(
    runs: Sequence[ProbeRun], part: str, specs: Mapping[str, RunSpec], learned: Mapping[RunSpec, Cell], metrics: Metrics
) -> list[Change]:
    """Return the rows of the runs, each paired with the base model's; p-values are not adjusted yet."""
    drafts = [draft for draft in pool(runs, metrics)[0] if draft[0].headline]
    bases = [draft for draft in drafts if draft[0].spec.method == "base"]
    rows = []
    for cell, evidence in drafts:
        spec, base = specs[cell.run_ids[0]], _nearest(cell, evidence, bases)
        paired = evidence.minus(base[1]) if base and evidence and base[1] and spec.method != "base" else None
        change = Change(
            spec=spec,
            run_ids=tuple(specs[name].id for name in cell.run_ids),
            probe=cell.spec.task,
            part=part,
            cell=cell,
            base=base[0] if base else None,
            difference=Difference(paired.difference, paired.low, paired.high, paired.p, paired.p) if paired else None,
            learned=learned.get(row_of(spec)),
            can=base is not None and not base_cannot(base[0]),
        )
        rows.append(change)
    return rows


def _nearest(cell: Cell, evidence: ItemScores | None, bases: Sequence[Draft]) -> Draft | None:
    """Return the base model's row on the same questions; among several, the one with the nearest settings."""
    usable = [base for base in bases if base[1] and evidence and evidence.pairs_with(base[1])]

    def shared_settings(base: Draft) -> int:
        return sum(
            getattr(base[0].spec, name) == getattr(cell.spec, name) for name in ("dtype", "device", "max_tokens")
        )

    return max(usable, key=shared_settings, default=None)


def _adjusted(rows: Sequence[Change]) -> list[Change]:
    """Return the rows with p-values adjusted over all rows and probes of their table."""
    tables: defaultdict[tuple[object, ...], list[tuple[int, Difference]]] = defaultdict(list)
    for position, row in enumerate(rows):
        if row.difference is not None:
            tables[row.family].append((position, row.difference))
    adjusted = list(rows)
    for tested in tables.values():
        for (position, old), p in zip(tested, stats.holm([old.p for _, old in tested]), strict=True):
            adjusted[position] = replace(adjusted[position], difference=replace(old, p_holm=p))
    return adjusted
