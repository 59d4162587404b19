"""Paired comparisons of cells and of single runs, from records and answers alone.

`cells` pools the seeds of each spec and compares every cell with the base model and with the best. p-values are
Holm-adjusted over all pairs of cells of a family: the same task, examples, prompts, model and metric. All pairs count,
because the best is chosen after looking at the data (tests/metrics/test_coverage.py). A cell is "tied" with the best unless
its adjusted p-value is below 5 %, so a table never shows an order that the data does not support. `harness.analysis.pair`
compares two rows alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, TypeVar

from harness.analysis import references
from harness.analysis.aggregate import Cell, Difference, Gains, method_order, metric_names, pool, table_order
from harness.analysis.items import Metrics, Run
from harness.analysis.references import Differences, Draft
from harness.metrics import stats
from harness.record import RunSpec

__all__ = ["Cell", "Difference", "cells"]

Key = TypeVar("Key")

MARGIN = 0.03  # a share; a row that loses less than this to every other one counts as not worse


def cells(runs: Iterable[Run], metrics: Metrics | None = None) -> list[Cell]:
    """Pool runs over seeds and compare the cells; sorted by task, model, metric (headline first), method and rank.

    Args:
        runs: pairs of a record and its answers. Without answers (None) a cell keeps its recorded score and has no
            paired comparison.
        metrics: each task's metrics, headline first. For other tasks, the harness's own metrics of the recorded names
            are used.

    Raises:
        HarnessError: runs of one spec saw different data, or answers contradict their record.
    """
    metrics = metrics or {}
    drafts, failed = pool(runs, metrics)
    split = gains(drafts)
    drafts = [(replace(cell, gains=split.get(position)), evidence) for position, (cell, evidence) in enumerate(drafts)]
    families: defaultdict[tuple[object, ...], list[Draft]] = defaultdict(list)
    names = metric_names(metrics, [cell for cell, _ in drafts])
    for draft in sorted(drafts, key=lambda draft: _order(draft[0], names)):  # of equals, the first is "best"
        families[draft[0].family].append(draft)
    ranks = references.validation_ranks(cell for cell, _ in drafts if cell.headline)
    compared = [cell for family in families.values() for cell in _judge(family, ranks)]
    return sorted(compared + failed, key=lambda cell: _order(cell, names))


def _judge(family: Sequence[Draft], ranks: Mapping[RunSpec, float]) -> list[Cell]:
    """Compare the cells of a family with base and best; every p-value is corrected for all pairs of cells."""
    usable = [position for position, (_, evidence) in enumerate(family) if evidence is not None]
    differences = {(i, j): paired for i in usable for j in usable if i < j and (paired := _minus(family[i], family[j]))}
    by_pair = with_correction(differences)
    both_ways = by_pair | {(j, i): _turned(difference) for (i, j), difference in by_pair.items()}
    family = references.with_references(family, both_ways, ranks)
    return _against_best(family, both_ways)


def _minus(a: Draft, b: Draft) -> stats.Paired | None:
    left, right = a[1], b[1]
    return left.minus(right) if left is not None and right is not None and left.pairs_with(right) else None


def _turned(difference: Difference) -> Difference:
    return replace(difference, value=-difference.value, low=-difference.high, high=-difference.low)


def _against_best(family: Sequence[Draft], differences: Differences) -> list[Cell]:
    """Mark the best cell and those tied with it; never a cell without any readable answer.

    An unreadable answer costs nothing on some metrics (nothing is overpaid), so such a cell would win there. If answers are
    gone and no paired test is possible, cells with overlapping intervals count as tied.
    """
    valued = [position for position, (cell, _) in enumerate(family) if cell.value is not None and cell.parse_rate]
    if not valued:
        return [cell for cell, _ in family]
    sign = 1.0 if family[0][0].higher_is_better else -1.0
    top = max(valued, key=lambda position: sign * (family[position][0].value or 0.0))
    marks: dict[int, Literal["best", "tied", ""]] = {top: "best"}
    for position in valued:
        if (position, top) in differences:
            marks[position] = "tied" if differences[position, top].p_holm >= stats.LEVEL else ""
        elif position != top and _overlap(family[position][0], family[top][0]):
            marks[position] = "tied"
    close = _not_worse(family, valued)
    return [
        replace(
            cell,
            vs_best=differences.get((position, top)) if position in valued else None,
            best_or_tied=marks.get(position, ""),
            not_worse=position in close,
        )
        for position, (cell, _) in enumerate(family)
    ]


def _not_worse(family: Sequence[Draft], positions: Sequence[int]) -> set[int]:
    """Return the cells shown to lose less than `MARGIN` to every other cell; none if the metric is no share.

    Which cell is truly best is not known, and the top of the table may be there by luck. So a cell is tested against each
    other one, and the largest p-value counts (an intersection-union test, Berger 1982; multiple comparisons with the best,
    Hsu 1984). The tests are one-sided at 2.5 %, Holm-adjusted over the cells; challengers are left out.
    """
    positions = [p for p in positions if family[p][1] is not None and not family[p][0].challenges]
    if family[0][0].unit != "share" or len(positions) < 2:
        return set()
    p = [max(_not_worse_p(family[a], family[b]) for b in positions if b != a) for a in positions]
    adjusted = stats.holm(p)
    return {position for position, p_value in zip(positions, adjusted, strict=True) if p_value < stats.LEVEL / 2}


def _not_worse_p(a: Draft, b: Draft) -> float:
    left, right = a[1], b[1]
    if left is None or right is None or not left.pairs_with(right):
        return 1.0
    return left.not_worse_p(right, MARGIN, higher_is_better=a[0].higher_is_better)


def gains(drafts: Sequence[Draft]) -> dict[int, Gains]:
    """Return the gain of each trained row in two parts, format and knowledge, if the base model was scored in both ways.

    A base model that writes its answers may fail by their form alone, so part of a row's gain over it is form. Scored by the
    log-likelihood of the options, the base model need not know the form. So

        row - base that writes  =  (row - base by log-likelihood)  +  (base by log-likelihood - base that writes)
        gain                    =   knowledge                      +   format

    all paired on the same questions. By log-likelihood some option is always picked, so the score of guessing on
    questions with an unreadable written answer counts as format. A model may score better in writing than by
    log-likelihood; the format gain is then negative.

    Returns:
        by position in `drafts`.
    """
    bases: dict[tuple[object, ...], dict[str, Draft]] = defaultdict(dict)
    for cell, evidence in drafts:
        if cell.spec.method == "base" and evidence is not None:
            bases[_but_scoring(cell)].setdefault(cell.spec.scoring, (cell, evidence))
    result = {}
    for position, draft in enumerate(drafts):
        base_by_scoring = bases.get(_but_scoring(draft[0]), {})
        if draft[0].spec.method == "base" or not base_by_scoring.keys() >= {"choices", "generate"}:
            continue
        picked, generated = base_by_scoring["choices"], base_by_scoring["generate"]
        parts = (_minus(draft, generated), _minus(picked, generated), _minus(draft, picked))
        if parts[0] and parts[1] and parts[2]:
            result[position] = Gains(parts[0], parts[1], parts[2])
    return result


def _but_scoring(cell: Cell) -> tuple[object, ...]:
    s = cell.spec
    model = (s.model, s.model_revision, s.serving)
    return (s.task, s.task_version, s.data, *model, s.test_examples, s.dtype, s.device, cell.metric)


def _overlap(a: Cell, b: Cell) -> bool:
    return None in (a.low, a.high, b.low, b.high) or (a.low <= b.high and b.low <= a.high)  # type: ignore[operator]


def with_correction(differences: Mapping[Key, stats.Paired]) -> dict[Key, Difference]:
    """Return the differences with Holm's p-values over all of them."""
    p_values = stats.holm([paired.p for paired in differences.values()])
    return {
        key: Difference(paired.difference, paired.low, paired.high, paired.p, p, paired.error, paired.df, paired.reason)
        for (key, paired), p in zip(differences.items(), p_values, strict=True)
    }


def _order(cell: Cell, names: Mapping[str, Sequence[str]]) -> tuple[Any, ...]:
    task_metrics = names.get(cell.spec.task, [])
    position = task_metrics.index(cell.metric) if cell.metric in task_metrics else 0
    return (*table_order(cell.spec), position, *method_order(cell.spec), cell.status)
