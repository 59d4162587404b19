"""Which cell is better, and what cannot be told apart: what a table may say, from records and answers alone.

`cells` pools the seeds of each spec and sets every cell against the base model and against the best. p-values are
Holm-adjusted over all pairs of cells of a family: the same task, examples, prompts, model and metric. All pairs, because
the best is chosen by looking: of eight methods that are alike, corrected for seven comparisons only, some would be
called worse than the best in more than 5 % of tables (tests/metrics/test_coverage.py). A cell is "tied" with the best unless its
adjusted p-value is below 5 %, so a table never shows an order that the data does not support.
`compare_records` sets two single runs side by side.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeVar

from harness.analysis.aggregate import Cell, Difference, Gains, method_order, metric_names, pool, table_order
from harness.analysis.costs import same_machine
from harness.analysis.items import ItemScores, Metrics, Run, find_metric, item_scores
from harness.metrics import stats
from harness.record import Answer, Record, RunSpec
from harness.schema import Metric

__all__ = ["Cell", "Comparison", "Difference", "Flip", "cells", "compare_records"]

Draft = tuple[Cell, ItemScores | None]
Key = TypeVar("Key")
Differences = Mapping[tuple[int, int], Difference]

MARGIN = 0.03  # a share; what a smaller rank may lose and still count as not worse than the best


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
    split = gains(drafts)
    drafts = [(replace(cell, gains=split.get(place)), evidence) for place, (cell, evidence) in enumerate(drafts)]
    families: defaultdict[tuple[object, ...], list[Draft]] = defaultdict(list)
    names = metric_names(metrics, [cell for cell, _ in drafts])
    for draft in sorted(drafts, key=lambda draft: _order(draft[0], names)):  # of equals, the first is "best"
        families[draft[0].family].append(draft)
    judged = [cell for family in families.values() for cell in _judge(family)]
    return sorted(judged + failed, key=lambda cell: _order(cell, names))


def _judge(family: Sequence[Draft]) -> list[Cell]:
    """Set the cells of a family against base and best, every p-value corrected for all pairs of them."""
    places = [place for place, (_, evidence) in enumerate(family) if evidence is not None]
    found = {(i, j): paired for i in places for j in places if i < j and (paired := _minus(family[i], family[j]))}
    adjusted = _adjusted(found)
    both_ways = adjusted | {(j, i): _turned(difference) for (i, j), difference in adjusted.items()}
    return _against_best(_against_base(family, both_ways), both_ways)


def _minus(a: Draft, b: Draft) -> stats.Paired | None:
    left, right = a[1], b[1]
    return left.minus(right) if left is not None and right is not None and left.pairs_with(right) else None


def _turned(found: Difference) -> Difference:
    return replace(found, value=-found.value, low=-found.high, high=-found.low)


def _against_base(family: Sequence[Draft], found: Differences) -> list[Draft]:
    """Fill in `vs_base`: this cell minus the base model's, on the same examples."""
    bases = [place for place, (cell, _) in enumerate(family) if cell.spec.method == "base"]
    result = []
    for place, (cell, evidence) in enumerate(family):
        usable = [base for base in bases if (place, base) in found] if cell.spec.method != "base" else []
        # of several (other dtype, other device) the one whose spec is nearest
        base = max(usable, key=lambda base: _fields_shared(family[base][0].spec, cell.spec), default=None)
        result.append((replace(cell, vs_base=found[place, base]) if base is not None else cell, evidence))
    return result


def _against_best(family: Sequence[Draft], found: Differences) -> list[Cell]:
    """Mark the best cell and those that cannot be told from it; never one of whose answers none could be read.

    An unread answer costs nothing on some metrics (nothing is overpaid), so such a cell would win there. Where the
    answers of one are gone and no paired test is possible, cells whose intervals overlap count as tied.
    """
    valued = [place for place, (cell, _) in enumerate(family) if cell.value is not None and cell.parse_rate]
    if not valued:
        return [cell for cell, _ in family]
    sign = 1.0 if family[0][0].higher_is_better else -1.0
    top = max(valued, key=lambda place: sign * (family[place][0].value or 0.0))
    marks: dict[int, Literal["best", "tied", ""]] = {top: "best"}
    for place in valued:
        if (place, top) in found:
            marks[place] = "tied" if found[place, top].p_holm >= stats.LEVEL else ""
        elif place != top and _overlap(family[place][0], family[top][0]):
            marks[place] = "tied"
    alike = _not_worse(family, [place for place in valued if (place, top) in found], top)
    return [
        replace(
            cell,
            vs_best=found.get((place, top)) if place in valued else None,
            best_or_tied=marks.get(place, ""),
            not_worse=place in alike,
        )
        for place, (cell, _) in enumerate(family)
    ]


def _not_worse(family: Sequence[Draft], places: Sequence[int], top: int) -> set[int]:
    """Return the cells that are shown to lie within `MARGIN` of the best, the best among them; none but for shares.

    One-sided at 2.5 %, Holm-adjusted over the cells. That the best is chosen by looking errs on the safe side: its value
    is then more likely too high than too low.
    """
    best, best_evidence = family[top]
    if best.unit != "share":
        return set()
    p = [
        evidence.not_worse_p(best_evidence, MARGIN, higher_is_better=best.higher_is_better)
        for evidence in (family[place][1] for place in places)
        if evidence is not None and best_evidence is not None
    ]
    return {top, *(place for place, one in zip(places, stats.holm(p), strict=True) if one < stats.LEVEL / 2)}


def gains(drafts: Sequence[Draft]) -> dict[int, Gains]:
    """Split what each trained row gained into format and knowledge, where the base model was scored in both ways.

    Against a base model that has to write its answers, fine-tuning seems to teach much, for part of it is only the form
    in which answers are expected. Scored by the log-likelihood of the options, the base model need not know the form. So

        row - base that writes  =  (row - base by log-likelihood)  +  (base by log-likelihood - base that writes)
        gain                    =   knowledge                      +   format

    all paired on the same questions. Two things to know: by log-likelihood some option is always picked, so what guessing
    scores on questions that the writing model left unreadable counts as format; and a model that writes well may score
    better in writing than by log-likelihood, the format gain is then negative.

    Returns:
        by place among `drafts`.
    """
    bases: dict[tuple[object, ...], dict[str, Draft]] = defaultdict(dict)
    for cell, evidence in drafts:
        if cell.spec.method == "base" and evidence is not None:
            bases[_but_scoring(cell)].setdefault(cell.spec.scoring, (cell, evidence))
    result = {}
    for place, draft in enumerate(drafts):
        both = bases.get(_but_scoring(draft[0]), {})
        if draft[0].spec.method == "base" or not both.keys() >= {"choices", "generate"}:
            continue
        picked, written = both["choices"], both["generate"]
        found = (_minus(draft, written), _minus(picked, written), _minus(draft, picked))
        if found[0] and found[1] and found[2]:
            result[place] = Gains(found[0], found[1], found[2])
    return result


def _but_scoring(cell: Cell) -> tuple[object, ...]:
    s = cell.spec
    return (s.task, s.task_version, s.data, s.model, s.model_revision, s.test_examples, s.dtype, s.device, cell.metric)


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


def _order(cell: Cell, names: Mapping[str, Sequence[str]]) -> tuple[Any, ...]:
    listed = names.get(cell.spec.task, [])
    position = listed.index(cell.metric) if cell.metric in listed else 0
    return (*table_order(cell.spec), position, *method_order(cell.spec), cell.status)


@dataclass(frozen=True)
class Flip:
    """One question that the two runs answered differently well. `won`: the second run did better."""

    a: Answer
    b: Answer
    a_score: float
    b_score: float
    won: bool


@dataclass(frozen=True)
class Comparison:
    """Two runs side by side; differences are `b` minus `a`.

    `fields` are the spec's fields that differ, as (name, a's, b's). `scores` is empty, and `why_not` says why, where
    the runs are not comparable; `cost_why_not` says the same of memory and time. `flips` are the questions on which they
    differ by the headline metric, those that `b` lost first, in id order. `worse` names the metrics on which `b` is worse
    by a paired test (5 %, Holm-adjusted over the metrics).
    """

    a: Record
    b: Record
    fields: tuple[tuple[str, Any, Any], ...]
    scores: Mapping[str, Difference]
    why_not: str
    cost_why_not: str
    headline: str = ""
    flips: tuple[Flip, ...] = ()
    worse: tuple[str, ...] = ()


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
            left, right = (item_scores([run], metric) if metric else None for run in (a, b))
            if left is not None and right is not None and left.pairs_with(right):
                found[name] = right.minus(left)
        why_not = "" if found else "not comparable: the two have no answers to the same questions"
    scores = _adjusted(found)
    headline = next((name for name in _headline_first(a[0], metrics or {}) if name in scores), "")
    return Comparison(
        a=a[0],
        b=b[0],
        fields=tuple(pair for pair in pairs if pair[1] != pair[2]),
        scores=scores,
        why_not=why_not,
        cost_why_not=same_machine(a[0], b[0]),
        headline=headline,
        flips=_flips(a, b, find_metric(a[0].spec.task, headline, metrics or {})) if headline else (),
        worse=tuple(name for name, found in scores.items() if _is_worse(found, a[0].scores[name].higher_is_better)),
    )


def _headline_first(record: Record, metrics: Metrics) -> list[str]:
    return [metric.name for metric in metrics.get(record.spec.task, ())] or list(record.scores)


def _is_worse(found: Difference, higher_is_better: bool) -> bool:
    return found.p_holm < stats.LEVEL and (found.value < 0) == higher_is_better


def _flips(a: Run, b: Run, metric: Metric | None) -> tuple[Flip, ...]:
    if metric is None:
        return ()
    second = {answer.id: answer for answer in b[1] or ()}
    found = []
    for one in a[1] or ():
        other = second[one.id]
        left, right = metric.score(one), metric.score(other)
        if left != right:
            found.append(Flip(one, other, left, right, won=(right > left) == metric.higher_is_better))
    return tuple(sorted(found, key=lambda flip: (flip.won, flip.a.id)))


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
