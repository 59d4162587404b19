"""What training cost elsewhere: the answers to probes, each row against the base model on the same questions.

A run's model is asked a probe in the process that trained it (`harness.data.probes`). Its answers pair with the base
model's: a difference is the mean over questions, clustered by group, with other seeds in its interval where there are
several (`harness.metrics.stats`). p-values are Holm-adjusted over all rows and probes of a task's table; those of slices, such as single
skills, over all rows and slices of their own.

Where the base model does no better than chance (its interval reaches down to it; or, where nothing is known of chance, to
`NEAR_NOTHING`), no model can show that it forgot anything: such a row has a difference, and is no evidence of memory kept.
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

NEAR_NOTHING = 0.02  # a share: the base model of which no more can be shown cannot do the task
FEWEST = 20  # questions of a slice that is looked at by itself

Said = tuple[Record, Sequence[Answer]]  # a probe's, as the record of a run
Probed = tuple[Record, Mapping[str, Sequence[Answer]]]  # a record with the answers to its probes, by task
Draft = tuple[Cell, ItemScores | None]
Verdict = Literal["base", "forgot", "better", "no difference shown", "nothing to forget", "not comparable"]


@dataclass(frozen=True)
class Change:
    """What one row (runs that differ in their seed only) answers to a probe, and how that differs from the base model.

    `spec` is the row's own, `cell` the probe's (its score with interval, metric and unit); `part` is the slice, such as
    `skill: copy`, empty for the whole probe. `learned` is the row on the task itself, whose `vs_base` says what it learned.
    `difference` is row minus base in the metric's unit, whichever way is better. `can` says that the base model can do it.
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
        """What names the table of the task that the row stands in, as `Cell.family` without the metric."""
        return _family(self.spec)

    @property
    def verdict(self) -> Verdict:
        """What may be said of the row (5 %, Holm-adjusted)."""
        if self.spec.method == "base":
            return "base"
        if self.difference is None:
            return "not comparable"
        if not self.can:
            return "nothing to forget"
        if self.difference.p_holm >= stats.LEVEL:
            return "no difference shown"
        return "better" if (self.difference.value > 0) == self.cell.higher_is_better else "forgot"


def changes(runs: Iterable[Probed], cells: Iterable[Cell], metrics: Metrics) -> list[Change]:
    """Set every probed row against the base model, the whole of each probe first, then its slices.

    Args:
        runs: records with the answers to their probes; those without are left out.
        cells: of the tasks themselves, from `compare.cells`: what the rows learned.
        metrics: each task's metrics, those of the probes too; the headline's is used.

    Raises:
        HarnessError: answers contradict their record.
    """
    # Of runs that differ in their probes alone, the row has one; the others learned the same.
    learned = {row_of(cell.spec): cell for cell in cells if cell.headline}
    families: defaultdict[tuple[object, ...], list[Said]] = defaultdict(list)
    owners: defaultdict[tuple[object, ...], dict[str, RunSpec]] = defaultdict(
        dict
    )  # by id as a run of the probe's task
    for record, answers in runs:
        for name in record.probes if record.status == "ok" else ():
            if answers.get(name) and record.probes[name].scores:
                asked = probes.as_run(record, name)
                place = (*_family(record.spec), name, record.probes[name].data)
                families[place].append((asked, answers[name]))
                owners[place][asked.spec.id] = record.spec
    wholes, slices = [], []
    for place, family in families.items():
        own = owners[place]
        wholes += _against_base(family, "", own, learned, metrics)
        for part, runs_of_part in _parts(family, metrics):
            slices += _against_base(runs_of_part, part, own, learned, metrics)
    return [*_adjusted(sorted(wholes, key=_place)), *_adjusted(sorted(slices, key=_place))]


def base_cannot(base: Cell) -> bool:
    """Tell whether the base model cannot be shown to do the probe at all."""
    if base.unit != "share" or not base.higher_is_better or base.low is None:
        return False
    return base.low <= (NEAR_NOTHING if base.chance is None else base.chance)


def _place(change: Change) -> tuple[Any, ...]:
    return (*table_order(change.spec), change.probe, change.part, *method_order(change.spec))


def _family(spec: RunSpec) -> tuple[object, ...]:
    return (spec.task, spec.task_version, spec.data, spec.scoring, spec.model, spec.model_revision, spec.test_examples)


def _parts(family: Sequence[Said], metrics: Metrics) -> Iterator[tuple[str, list[Said]]]:
    """Yield each slice that has enough questions, its answers scored by themselves on the headline metric."""
    record, first = family[0]
    metric = find_metric(record.spec.task, next(iter(record.scores)), metrics)
    count = Counter(place for answer in first for place in answer.slices.items())
    for place in sorted(place for place, n in count.items() if metric and FEWEST <= n < len(first)):
        runs: list[Said] = []
        for record, answers in family:
            own = [answer for answer in answers if place in answer.slices.items()]
            scores = {metric.name: score_one(own, metric)} if metric and own else {}
            runs.append((replace(record, scores=scores), own))
        yield ": ".join(place), runs


def _against_base(
    runs: Sequence[Said], part: str, own: Mapping[str, RunSpec], learned: Mapping[RunSpec, Cell], metrics: Metrics
) -> list[Change]:
    """Pool the runs to rows and pair each with the base model's; p-values are not adjusted yet."""
    drafts = [draft for draft in pool(runs, metrics)[0] if draft[0].headline]
    bases = [draft for draft in drafts if draft[0].spec.method == "base"]
    found = []
    for cell, evidence in drafts:
        spec, base = own[cell.run_ids[0]], _nearest(cell, evidence, bases)
        paired = evidence.minus(base[1]) if base and evidence and base[1] and spec.method != "base" else None
        change = Change(
            spec=spec,
            run_ids=tuple(own[name].id for name in cell.run_ids),
            probe=cell.spec.task,
            part=part,
            cell=cell,
            base=base[0] if base else None,
            difference=Difference(paired.difference, paired.low, paired.high, paired.p, paired.p) if paired else None,
            learned=learned.get(row_of(spec)),
            can=base is not None and not base_cannot(base[0]),
        )
        found.append(change)
    return found


def _nearest(cell: Cell, evidence: ItemScores | None, bases: Sequence[Draft]) -> Draft | None:
    """Return the base model's row that answered the same questions; of several the one that is nearest in its settings."""
    usable = [base for base in bases if base[1] and evidence and evidence.pairs_with(base[1])]

    def alike(base: Draft) -> int:
        return sum(
            getattr(base[0].spec, name) == getattr(cell.spec, name) for name in ("dtype", "device", "max_tokens")
        )

    return max(usable, key=alike, default=None)


def _adjusted(rows: Sequence[Change]) -> list[Change]:
    """Adjust the p-values of all rows of one table of the task, on all its probes, together."""
    tables: defaultdict[tuple[object, ...], list[tuple[int, Difference]]] = defaultdict(list)
    for place, row in enumerate(rows):
        if row.difference is not None:
            tables[row.family].append((place, row.difference))
    found = list(rows)
    for tested in tables.values():
        for (place, old), p in zip(tested, stats.holm([old.p for _, old in tested]), strict=True):
            found[place] = replace(found[place], difference=replace(old, p_holm=p))
    return found
