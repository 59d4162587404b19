"""Breakdowns of the test set: the headline metric by slice, and confusion matrices."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from harness.analysis.decision import best_tuned
from harness.analysis.items import Metrics, find_metric
from harness.analysis.results import TaskResults
from harness.analysis.sections import Section
from harness.format import Table, heading, number, short, words
from harness.metrics import UNPARSED, scoring
from harness.metrics import confusion as confusion_of
from harness.record import Answer
from harness.schema import Metric

LINE = "line"  # the slice that names the line of business
MOST_CLASSES, MOST_LINES = 12, 20  # of a confusion matrix that people can read


def breakdown(section: Section, results: TaskResults) -> list[Table]:
    """Return a table for each slice of the test set: values of the slice as rows, runs as columns, the headline metric.

    Metrics in money have a table by line of business (`LINE`) as well. Entries are means over seeds. `±` is the widest half
    of a 95 % interval of a single run in the row, so that nobody reads an order into small slices.
    """
    answers = results.answers
    cells = [cell for cell in section.headline if any(run in answers for run in cell.run_ids)]
    columns = {section.label(cell): [_slices(answers[run]) for run in cell.run_ids if run in answers] for cell in cells}
    values_of: dict[str, dict[str, None]] = {}
    for name, value in sorted({slice_ for runs in columns.values() for slices in runs for slice_ in slices}):
        values_of.setdefault(name, {})[value] = None
    tables = []
    for slice_, metric in enumerate(_metrics(section, results.metrics) if cells else ()):
        money = metric.unit not in ("share", "")
        names = [name for name in values_of if slice_ == 0 or (money and name == LINE)]
        tables += [_slice_table(name, list(values_of[name]), columns, metric) for name in names]
    return tables


def confusion(section: Section, results: TaskResults) -> list[Table]:
    """Return the confusion matrices of the base model, of the best row and of the best tuned one, right classes as rows.

    They are split by line of business if the answers name it (`LINE`), and pool all seeds. There are none for tasks without
    classes or with more than `MOST_CLASSES`.
    """
    metric = next((metric for metric in _metrics(section, results.metrics) if metric.classes), None)
    tables = []
    tuned = best_tuned(section)
    for cell in (
        cell for cell in section.headline if cell is section.base or cell is tuned or cell.best_or_tied == "best"
    ):
        answers_of_cell = [answer for run in cell.run_ids for answer in results.answers.get(run, ())]
        if metric is not None and answers_of_cell:
            tables += _confusion(f"Confusion of {section.label(cell)}", answers_of_cell, metric)
    return tables


def _confusion(title: str, answers: Sequence[Answer], metric: Metric) -> list[Table]:
    key = metric.classes
    assert key is not None
    counted = {"": confusion_of(answers, key)}
    lines = sorted({answer.slices.get(LINE, "") for answer in answers})
    if all(lines) and len(lines) <= MOST_LINES:
        counted |= {line: confusion_of([a for a in answers if a.slices[LINE] == line], key) for line in lines}
    classes = sorted({target for target, _ in counted[""]})
    more_classes = sorted({columns for _, columns in counted[""] if columns is not UNPARSED} - set(classes))
    if len(classes) > MOST_CLASSES:
        return []
    rows = []
    for line, cells in counted.items():
        for target in (target for target in classes if any(right == target for right, _ in cells)):
            counts = [cells[target, columns] for columns in classes]
            counts += [sum(cells[target, columns] for columns in more_classes)] * bool(more_classes) + [
                cells[target, UNPARSED]
            ]
            first = [short(line) or "all"] * (len(counted) > 1)
            rows.append((*first, short(target), *(f"{count:,}" for count in counts)))
    columns = [
        *(f"answered {short(name, 40)}" for name in classes),
        *["another answer"] * bool(more_classes),
        "unreadable",
    ]
    first = [words(LINE)] * (len(counted) > 1)
    return [Table(title, (*first, "right answer", *columns), tuple(rows), left=frozenset(range(len(first) + 1)))]


def _metrics(section: Section, metrics: Metrics) -> list[Metric]:
    """Return the section's computable metrics, the headline's first; none if that one is not computable."""
    names = list(dict.fromkeys(cell.metric for cell in (*section.headline, *section.cells) if cell.metric))
    metrics_of_section = [find_metric(section.cells[0].spec.task, name, metrics) for name in names]
    return (
        [metric for metric in metrics_of_section if metric is not None]
        if metrics_of_section and metrics_of_section[0] is not None
        else []
    )


def _slice_table(
    name: str,
    values: Sequence[str],
    columns: Mapping[str, Sequence[Mapping[tuple[str, str], list[Answer]]]],
    metric: Metric,
) -> Table:
    rows = []
    for value in values:
        parts = {label: [run[name, value] for run in runs if (name, value) in run] for label, runs in columns.items()}
        means = [number(_mean(part, metric), metric.unit) for part in parts.values()]
        every = [part for parts_of_row in parts.values() for part in parts_of_row]
        half = max((_half(part, metric) for part in every), default=math.nan) if metric.combine is None else math.nan
        rows.append((short(value), f"{max(map(len, every)):,}", number(half, metric.unit), *means))
    title = heading(metric.name, metric.unit, higher_is_better=metric.higher_is_better)
    title = f"{title[:1].upper()}{title[1:]} by {words(name)}"
    return Table(title, (words(name), "questions", "±", *columns), tuple(rows))


def _slices(answers: Sequence[Answer]) -> dict[tuple[str, str], list[Answer]]:
    by_slice: dict[tuple[str, str], list[Answer]] = {}
    for answer in answers:
        for slice_ in answer.slices.items():
            by_slice.setdefault(slice_, []).append(answer)
    return by_slice


def _mean(runs: Sequence[Sequence[Answer]], metric: Metric) -> float | None:
    combine = metric.combine or (lambda answers: math.fsum(metric.score(a) for a in answers) / len(answers))
    return math.fsum(combine(answers) for answers in runs) / len(runs) if runs else None


def _half(answers: Sequence[Answer], metric: Metric) -> float:
    score = scoring.score_one(answers, metric)
    half = max(score.value - score.low, score.high - score.value)
    return half if math.isfinite(half) else math.nan
