"""A sequence of tasks as tables: scores after each stage, what became of each task, and the summary."""

from __future__ import annotations

from harness.analysis import sequence
from harness.analysis.sequence import SequenceResults, Term
from harness.format import NONE, Table, interval, number
from harness.metrics.stats import Interval
from harness.report.figures.matrix import Entry, Matrix, column_note

AT_CHANCE = "never above chance"


def _ends(one: Interval) -> str:
    return interval(one.low, one.high, "share")


def _shown(one: Interval) -> str:
    return f"{number(one.value)} {_ends(one)}"


def _moved(one: Interval) -> str:
    return f"{100 * one.value:+.1f} {_ends(one)}"


def matrix_table(found: SequenceResults) -> Table:
    """Return the matrix: a row for each stage, a column for each task, with what guessing scores above it."""
    names = [task.name for task in found.tasks]
    guess = ("guessing", *(NONE if c.chance is None else number(c.chance) for c in found.rows[0].cells))
    rows = [(row.name, *(_shown(cell.score) for cell in row.cells)) for row in found.rows]
    if found.joint:
        rows.append((found.joint.name, *(_shown(cell.score) for cell in found.joint.cells)))
    return Table("after the row's stage, on the column's task, %", ("stage", *names), (guess, *rows))


def task_table(found: SequenceResults) -> Table:
    """Return what became of each task: what its own stage brought, and what the last left of its best."""
    last, rows = len(found.tasks), []
    forgotten = {term.task: term for term in sequence.forgetting_terms(found.matrix)}
    for task, known in enumerate(found.tasks):
        gain = found.term(Term(task, task + 1, 0))
        lost = found.term(forgotten[task]) if task in forgotten else None
        best = found.rows[forgotten[task].row].name if task in forgotten else NONE
        kept = found.term(Term(task, last, 0))
        mark = AT_CHANCE if found.at_chance(task) else ""
        rows.append((known.name, _moved(gain), _moved(kept), best, _moved(lost) if lost else NONE, mark))
    columns = ("task", "own stage - base", "last - base", "best at", "best - last", "mark")
    return Table("what became of each task, points", columns, tuple(rows), frozenset({0, 3, 5}))


def measure_table(found: SequenceResults) -> Table:
    """Return the summary."""
    rows = [
        (name, number(one.value) if name == "average accuracy" else f"{100 * one.value:+.1f}", _ends(one))
        for name, one in found.measures().items()
    ]
    return Table("over all tasks, points", ("measure", "value", "95 % interval"), tuple(rows))


def score_matrix(found: SequenceResults, made: str) -> Matrix:
    """The matrix of a sequence: base first, the joint run last; `made` says by which model and method."""
    base, *stages = found.rows
    rows = [base, *stages, *([found.joint] if found.joint else [])]
    entries = []
    for place, row in enumerate(rows):
        last = range(len(found.tasks)) if row is found.joint else (place - 1,)
        entries.append(
            tuple(
                Entry(*cell.score, "share", cell.score.value - base.cells[column].score.value, column in last)
                for column, cell in enumerate(row.cells)
            )
        )
    names = [("base", "untrained"), *((task.name, "trained last") for task in found.tasks), ("joint", "all at once")]
    columns = []
    for task, cell in zip(found.tasks, base.cells, strict=True):
        columns.append((task.name, column_note(task.metrics[0].name, "share", cell.chance)))
    order = " → ".join(task.name for task in found.tasks)
    title = f"{order}: all tasks after each stage"
    about = f"{made} · framed: what the row was trained on last"
    return Matrix(title, tuple(names[: len(rows)]), tuple(columns), tuple(entries), about)
