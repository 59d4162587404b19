"""Which cell is better, and what cannot be told apart: what a table may say, from records and answers alone.

`cells` pools the seeds of each spec and sets every cell against the base model and against the best. p-values are
Holm-adjusted over the cells of a family: the same task, examples, prompts, model and metric. A cell is "tied" with
the best unless its adjusted p-value is below 5 %, so a table never shows an order that the data does not support.
`compare_records` sets two single runs side by side.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeVar

from harness import stats
from harness.cells import Cell, Difference, metric_names, pool
from harness.costs import same_machine
from harness.evidence import Evidence, Metrics, Run, find_metric, gather
from harness.schema import Record, RunSpec

__all__ = ["Cell", "Comparison", "Difference", "cells", "compare_records"]

Draft = tuple[Cell, Evidence | None]
Key = TypeVar("Key")


def cells(runs: Iterable[Run], metrics: Metrics | None = None) -> list[Cell]:
    """Pool runs over seeds and compare the cells; sorted by task, model, metric (headline first), method and rank.

    Args:
        runs: pairs of a record and its answers, None where they are gone: such a cell keeps its recorded score and
            has no paired comparison.
        metrics: each task's metrics, headline first. Where a task is not in it, the harness's own metrics of the
            recorded names are used.

    Raises:
        HarnessError: runs of one spec saw different data, or answers contradict their record.
    """
    metrics = metrics or {}
    drafts, failed = pool(runs, metrics)
    families: defaultdict[tuple[object, ...], list[Draft]] = defaultdict(list)
    names = metric_names(metrics, [cell for cell, _ in drafts])
    for draft in sorted(drafts, key=lambda draft: _sort_key(draft[0], names)):  # of equals, the first is "best"
        families[draft[0].family].append(draft)
    judged = [cell for family in families.values() for cell in _against_best(_against_base(family))]
    return sorted(judged + failed, key=lambda cell: _sort_key(cell, names))


def _against_base(family: Sequence[Draft]) -> list[Draft]:
    """Fill in `vs_base`: this cell minus the base model's, on the same examples."""
    bases = [(cell, evidence) for cell, evidence in family if cell.spec.method == "base"]
    found: dict[int, stats.Paired] = {}
    for place, (cell, evidence) in enumerate(family):
        if cell.spec.method == "base" or evidence is None:
            continue
        usable = [(b, e) for b, e in bases if e is not None and evidence.pairs_with(e)]
        if usable:  # of several (other dtype, other device) the one whose spec is nearest
            base = max(usable, key=lambda pair: _fields_shared(pair[0].spec, cell.spec))[1]
            found[place] = evidence.minus(base)
    adjusted = _adjusted(found)
    return [(replace(cell, vs_base=adjusted.get(place)), e) for place, (cell, e) in enumerate(family)]


def _against_best(family: Sequence[Draft]) -> list[Cell]:
    """Mark the best cell and those that cannot be told from it; never one of whose answers none could be read.

    An unread answer costs nothing on some metrics (nothing is overpaid), so such a cell would win there. Where the
    answers of one are gone and no paired test is possible, cells whose intervals overlap count as tied.
    """
    valued = [(place, cell, e) for place, (cell, e) in enumerate(family) if cell.value is not None and cell.parse_rate]
    if not valued:
        return [cell for cell, _ in family]
    sign = 1.0 if family[0][0].higher_is_better else -1.0
    top, best, best_evidence = max(valued, key=lambda item: sign * (item[1].value or 0.0))
    found: dict[int, stats.Paired] = {}
    marks: dict[int, Literal["best", "tied", ""]] = {top: "best"}
    for place, cell, evidence in valued:
        if place == top:
            continue
        if evidence is not None and best_evidence is not None and evidence.pairs_with(best_evidence):
            found[place] = evidence.minus(best_evidence)
        elif _overlap(cell, best):
            marks[place] = "tied"
    adjusted = _adjusted(found)
    for place, difference in adjusted.items():
        marks[place] = "tied" if difference.p_holm >= stats.LEVEL else ""
    return [
        replace(cell, vs_best=adjusted.get(place), best_or_tied=marks.get(place, ""))
        for place, (cell, _) in enumerate(family)
    ]


def _overlap(a: Cell, b: Cell) -> bool:
    return None in (a.low, a.high, b.low, b.high) or (a.low <= b.high and b.low <= a.high)  # type: ignore[operator]


def _adjusted(found: Mapping[Key, stats.Paired]) -> dict[Key, Difference]:
    """Add Holm's p-values over all the differences."""
    corrected = stats.holm([paired.p for paired in found.values()])
    return {
        place: Difference(paired.difference, paired.low, paired.high, paired.p, p)
        for (place, paired), p in zip(found.items(), corrected, strict=True)
    }


def _fields_shared(a: RunSpec, b: RunSpec) -> int:
    return sum(getattr(a, field.name) == getattr(b, field.name) for field in dataclasses.fields(RunSpec))


def _sort_key(cell: Cell, names: Mapping[str, Sequence[str]]) -> tuple[Any, ...]:
    spec = cell.spec
    method = {"base": 0, "full": 2}.get(spec.method, 1)
    listed = names.get(spec.task, [])
    place = listed.index(cell.metric) if cell.metric in listed else 0
    return (spec.task, spec.task_version, spec.model, place, method, spec.method, spec.rank, spec.id, cell.status)


@dataclass(frozen=True)
class Comparison:
    """Two runs side by side; differences are `b` minus `a`.

    `fields` are the spec's fields that differ, as (name, a's, b's). `scores` is empty, and `why_not` says why, where
    the runs are not comparable; `cost_why_not` says the same of memory and time.
    """

    a: Record
    b: Record
    fields: tuple[tuple[str, Any, Any], ...]
    scores: Mapping[str, Difference]
    why_not: str
    cost_why_not: str


def compare_records(a: Run, b: Run, metrics: Metrics | None = None) -> Comparison:
    """Compare two single runs metric by metric, paired by example, p-values Holm-adjusted over the metrics.

    Args:
        a: a record and its answers (None where they are gone).
        b: the other.
        metrics: as for `cells`.
    """
    names = [field.name for field in dataclasses.fields(RunSpec)]
    pairs = [(name, getattr(a[0].spec, name), getattr(b[0].spec, name)) for name in names]
    why_not = _why_not(a[0], b[0])
    found: dict[str, stats.Paired] = {}
    if not why_not:
        for name in (name for name in a[0].scores if name in b[0].scores):
            metric = find_metric(a[0].spec.task, name, metrics or {})
            left, right = (gather([run], metric) if metric else None for run in (a, b))
            if left is not None and right is not None and left.pairs_with(right):
                found[name] = right.minus(left)
        why_not = "" if found else "not comparable: the two have no answers to the same questions"
    return Comparison(
        a=a[0],
        b=b[0],
        fields=tuple(pair for pair in pairs if pair[1] != pair[2]),
        scores=_adjusted(found),
        why_not=why_not,
        cost_why_not=same_machine(a[0], b[0]),
    )


def _why_not(a: Record, b: Record) -> str:
    """Return why two runs' scores must not be compared, an empty string where they may."""
    for record, name in ((a, "the first"), (b, "the second")):
        if record.status != "ok":
            return f"not comparable: {name} run is {record.status}"
    if a.spec.task != b.spec.task:
        return f"not comparable: different tasks ({a.spec.task}; {b.spec.task})"
    if a.spec.task_version != b.spec.task_version:
        return f"not comparable: different versions of the task ({a.spec.task_version}; {b.spec.task_version})"
    if a.spec.data != b.spec.data:
        return f"not comparable: different examples or prompts (data {a.spec.data[:12]}; {b.spec.data[:12]})"
    if a.spec.scoring != b.spec.scoring:
        return f"not comparable: scored in different ways ({a.spec.scoring}; {b.spec.scoring})"
    return ""
