"""Sequences of tasks: tables of the scores after each stage, of the change of each task and of the summary; the matrix."""

from __future__ import annotations

from harness.analysis import sequence
from harness.analysis.sequence import SequenceResults, Term
from harness.format import NONE, Table, interval, number
from harness.metrics.stats import Interval
from harness.report.figures.matrix import Entry, Matrix, column_note

AT_CHANCE = "never above chance"


def _interval_text(interval_: Interval) -> str:
    return interval(interval_.low, interval_.high, "share")


def _score_text(score: Interval) -> str:
    return f"{number(score.value)} {_interval_text(score)}"


def _difference_text(difference: Interval) -> str:
    return f"{100 * difference.value:+.1f} {_interval_text(difference)}"


def matrix_table(results: SequenceResults) -> Table:
    """Return the table of scores: a row for each stage, a column for each task, the score of guessing on top."""
    names = [task.name for task in results.tasks]
    guess = ("guessing", *(NONE if c.chance is None else number(c.chance) for c in results.rows[0].cells))
    rows = [(row.name, *(_score_text(cell.score) for cell in row.cells)) for row in results.rows]
    if results.joint:
        rows.append((results.joint.name, *(_score_text(cell.score) for cell in results.joint.cells)))
    return Table("score on each task (column) after each stage (row), %", ("stage", *names), (guess, *rows))


def task_table(results: SequenceResults) -> Table:
    """Return the table of tasks: the gain of each at its own stage and after the last, and the loss since its best stage."""
    last, rows = len(results.tasks), []
    forgotten = {term.task: term for term in sequence.forgetting_terms(results.matrix)}
    for task, definition in enumerate(results.tasks):
        gain = results.term(Term(task, task + 1, 0))
        lost = results.term(forgotten[task]) if task in forgotten else None
        best = results.rows[forgotten[task].row].name if task in forgotten else NONE
        last_gain = results.term(Term(task, last, 0))
        mark = AT_CHANCE if results.at_chance(task) else ""
        rows.append(
            (
                definition.name,
                _difference_text(gain),
                _difference_text(last_gain),
                best,
                _difference_text(lost) if lost else NONE,
                mark,
            )
        )
    columns = (
        "task",
        "gain at its own stage",
        "gain after the last stage",
        "best stage",
        "loss since the best stage",
        "",
    )
    return Table("gains and losses of each task, points", columns, tuple(rows), frozenset({0, 3, 5}))


def measure_table(results: SequenceResults) -> Table:
    """Return the table of the measures over all tasks."""
    rows = [
        (
            name,
            number(value.value) if name == "average accuracy" else f"{100 * value.value:+.1f}",
            _interval_text(value),
        )
        for name, value in results.measures().items()
    ]
    return Table("mean over all tasks, points", ("measure", "value", "95 % interval"), tuple(rows))


def score_matrix(results: SequenceResults, origin: str) -> Matrix:
    """Return the matrix of a sequence, base first and the joint run last; `origin` names model and method."""
    base, *stages = results.rows
    rows = [base, *stages, *([results.joint] if results.joint else [])]
    entries = []
    for index, row in enumerate(rows):
        last = range(len(results.tasks)) if row is results.joint else (index - 1,)
        entries.append(
            tuple(
                Entry(*cell.score, "share", cell.score.value - base.cells[column].score.value, column in last)
                for column, cell in enumerate(row.cells)
            )
        )
    names = [("base", "untrained"), *((task.name, "trained last") for task in results.tasks), ("joint", "all at once")]
    columns = []
    for task, cell in zip(results.tasks, base.cells, strict=True):
        columns.append((task.name, column_note(task.metrics[0].name, "share", cell.chance)))
    order = " → ".join(task.name for task in results.tasks)
    title = f"{order}: all tasks after each stage"
    about = f"{origin} · framed: what the row was trained on last"
    return Matrix(title, tuple(names[: len(rows)]), tuple(columns), tuple(entries), about)
