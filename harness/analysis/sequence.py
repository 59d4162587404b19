"""Tasks trained one after the other: the matrix "after stage i, on task j", read from the runs' kept answers, and its sums.

Row 0 is the base model, row i the run of stage i; a joint run, trained on all tasks at once, stands apart. All are paired on
the same questions of each task. Pure functions of records: every score is computed from the answers, and one that is not
what its record says is an error.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from harness.analysis import transfer
from harness.analysis.forgetting import NEAR_NOTHING
from harness.analysis.items import Evidence, gather
from harness.analysis.transfer import Term
from harness.data import probes
from harness.errors import HarnessError
from harness.format import NONE, interval, number
from harness.markdown import Table
from harness.metrics.stats import Interval
from harness.schema import Answer, Record, Task
from harness.store.records import Run

AT_CHANCE = "never above chance"


@dataclass(frozen=True)
class Cell:
    """One row on one task: the headline score with its interval, what guessing scores, and the evidence to pair it."""

    score: Interval
    chance: float | None
    groups: int
    evidence: Evidence
    answers_sha256: str

    @property
    def above_chance(self) -> bool:
        """Whether the interval lies above what guessing scores; where that is not known, above next to nothing."""
        return self.score.low > (NEAR_NOTHING if self.chance is None else self.chance)


@dataclass(frozen=True)
class Row:
    """What a stage's model scores on every task, in the order of the tasks."""

    name: str
    run_id: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Trained:
    """The tasks in the order of training, the base model and each stage, and the joint run if there is one."""

    tasks: tuple[Task, ...]
    rows: tuple[Row, ...]
    joint: Row | None = None

    @property
    def matrix(self) -> list[list[float]]:
        """R[i][j], fractions."""
        return [[cell.score.value for cell in row.cells] for row in self.rows]

    def difference(self, task: int, a: Row, b: Row) -> Interval:
        """The score of a less that of b on a task, paired on its questions and clustered by group."""
        found = a.cells[task].evidence.minus(b.cells[task].evidence)
        return Interval(found.difference, found.low, found.high)

    def term(self, term: Term) -> Interval:
        """A term with its interval."""
        row = self.rows[term.row]
        if term.less is None:
            return row.cells[term.task].score
        return self.difference(term.task, row, self.rows[term.less])

    def measures(self) -> dict[str, Interval]:
        """The four numbers of `transfer`, and how far the last stage is from the joint run on average."""
        matrix = self.matrix
        found = {name: transfer.mean([*map(self.term, terms(matrix))]) for name, terms in transfer.MEASURES.items()}
        if self.joint:
            last, joint = self.rows[-1], self.joint
            away = [self.difference(task, last, joint) for task in range(len(self.tasks))]
            found["last stage less joint"] = transfer.mean(away)
        return found

    def at_chance(self, task: int) -> bool:
        """Whether no stage lifts a task above chance: nothing of it was learned, and nothing can be forgotten."""
        rows = self.rows + ((self.joint,) if self.joint else ())
        return not any(row.cells[task].above_chance for row in rows)


def require_shares(tasks: Sequence[Task]) -> None:
    """Refuse tasks whose headline scores cannot be averaged.

    Raises:
        HarnessError: one is no share, or a lower one is better.
    """
    for task in tasks:
        first = task.metrics[0]
        if first.unit != "share" or not first.higher_is_better:
            problem = (
                f"{first.title} of {task.name} is no share of right answers, so an average over tasks means nothing"
            )
            raise HarnessError(
                problem, where=f"task {task.name}", fix="leave this task out; `--probe` asks it beside a run"
            )


def read(tasks: Sequence[Task], runs: Sequence[Run], joint: Run | None = None) -> Trained:
    """Read the rows of a sequence from its runs: the base model's, then each stage's, in order.

    Raises:
        HarnessError: a run has no answers to a task, or they do not give the recorded score.
    """
    _refuse_mended(runs)
    names = ["base", *(f"{place} {task.name}" for place, task in enumerate(tasks, start=1))]
    rows = tuple(_row(name, run, tasks) for name, run in zip(names, runs, strict=True))
    return Trained(tuple(tasks), rows, _row("joint", joint, tasks) if joint else None)


def _refuse_mended(runs: Sequence[Run]) -> None:
    """Refuse a stage that went on from weights which are gone, because the stage before it was trained again since."""
    for before, after in itertools.pairwise(runs[1:]):
        ended = datetime.fromisoformat(before.record.started) + timedelta(seconds=before.record.seconds - 1)
        if datetime.fromisoformat(after.record.started) < ended:  # a start is known to the second
            problem = f"the stage on {before.record.spec.task} was trained again after {after.record.spec.task} went on from it"
            fix = "delete this folder and run the same command again"
            raise HarnessError(problem, where=str(after.folder), fix=fix)


def _row(name: str, run: Run, tasks: Sequence[Task]) -> Row:
    probed = run.probed()
    cells = []
    for task in tasks:
        own = run.record.spec.task == task.name
        if not own and task.name not in probed:
            fix = "delete this folder and run the same command again"
            raise HarnessError(f"the run has no answers to {task.name}", where=str(run.folder), fix=fix)
        record = run.record if own else probes.as_run(run.record, task.name)
        cells.append(_cell(record, run.answers() if own else probed[task.name], task))
    return Row(name, run.record.spec.id, tuple(cells))


def _cell(record: Record, answers: Sequence[Answer], task: Task) -> Cell:
    metric = task.metrics[0]
    evidence = gather([(record, answers)], metric)
    if evidence is None:
        fix = "delete the run's folder and run the same command again"
        raise HarnessError(f"a run has no {metric.name} on {task.name}", where=record.spec.id, fix=fix)
    score = record.scores[metric.name]
    known = Interval(score.value, score.low, score.high)
    return Cell(known, record.chance, score.groups, evidence, record.answers_sha256)


def matrix_table(found: Trained) -> Table:
    """Return the matrix: a row for each stage, a column for each task, with what guessing scores above it."""
    names = [task.name for task in found.tasks]
    guess = ("guessing", *(NONE if c.chance is None else number(c.chance) for c in found.rows[0].cells))
    rows = [(row.name, *(_shown(cell.score) for cell in row.cells)) for row in found.rows]
    if found.joint:
        rows.append((found.joint.name, *(_shown(cell.score) for cell in found.joint.cells)))
    return Table("after the row's stage, on the column's task, %", ("stage", *names), (guess, *rows))


def task_table(found: Trained) -> Table:
    """Return what became of each task: what its own stage brought, and what the last left of its best."""
    last, rows = len(found.tasks), []
    forgotten = {term.task: term for term in transfer.forgetting_terms(found.matrix)}
    for task, known in enumerate(found.tasks):
        gain = found.term(Term(task, task + 1, 0))
        lost = found.term(forgotten[task]) if task in forgotten else None
        best = found.rows[forgotten[task].row].name if task in forgotten else NONE
        kept = found.term(Term(task, last, 0))
        mark = AT_CHANCE if found.at_chance(task) else ""
        rows.append((known.name, _moved(gain), _moved(kept), best, _moved(lost) if lost else NONE, mark))
    columns = ("task", "own stage - base", "last - base", "best at", "best - last", "mark")
    return Table("what became of each task, points", columns, tuple(rows), frozenset({0, 3, 5}))


def measure_table(found: Trained) -> Table:
    """Return the summary."""
    rows = [
        (name, number(one.value) if name == "average accuracy" else f"{100 * one.value:+.1f}", _ends(one))
        for name, one in found.measures().items()
    ]
    return Table("over all tasks, points", ("measure", "value", "95 % interval"), tuple(rows))


def _shown(one: Interval) -> str:
    return f"{number(one.value)} {_ends(one)}"


def _moved(one: Interval) -> str:
    return f"{100 * one.value:+.1f} {_ends(one)}"


def _ends(one: Interval) -> str:
    return interval(one.low, one.high, "share")


def stated(found: Trained) -> dict[str, Any]:
    """Return everything as plain values at full precision, fractions; answers are named by run and checksum."""
    rows = [*found.rows, *([found.joint] if found.joint else [])]
    return {
        "tasks": [{"name": t.name, "version": t.version, "metric": t.metrics[0].name} for t in found.tasks],
        "at_chance": [task.name for place, task in enumerate(found.tasks) if found.at_chance(place)],
        "rows": [{"stage": row.name, "run": row.run_id, "scores": _scores(row, found.tasks)} for row in rows],
        "matrix": found.matrix,
        "measures": {name: one._asdict() for name, one in found.measures().items()},
    }


def _scores(row: Row, tasks: Sequence[Task]) -> Mapping[str, Any]:
    return {
        task.name: cell.score._asdict()
        | {
            "chance": cell.chance,
            "questions": len(cell.evidence.items),
            "groups": cell.groups,
            "answers_sha256": cell.answers_sha256,
        }
        for task, cell in zip(tasks, row.cells, strict=True)
    }
