"""Sequences of tasks: the matrix of scores "after stage i, on task j" from the runs' stored answers, and its summary.

R[i][j] is the score on task j after stage i, i from 1 to T; stage i trains on task i. Row 0 is the base model. A joint run,
trained on all tasks at once, is a row of its own. All rows are paired on the same questions of each task. Every score is
computed from the answers, and a score that differs from its record is an error. Each of the four measures is a mean of
terms; a term is the score of one row on one task, alone or less that of another row:

    average accuracy    (1/T)     sum over j of        R[T][j]                               Lopez-Paz & Ranzato 2017
    backward transfer   1/(T-1)   sum over j < T of    R[T][j] - R[j][j]                     (arXiv:1706.08840)
    forward transfer    1/(T-1)   sum over j > 1 of    R[j-1][j] - R[0][j]                   their b_j is a random start
    forgetting          1/(T-1)   sum over j < T of    max over 1 <= l < T of R[l][j], - R[T][j]   Chaudhry et al. 2018
                                                                                             (arXiv:1801.10112)
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from harness.analysis.forgetting import NEAR_NOTHING
from harness.analysis.items import ItemScores, item_scores
from harness.data import probes
from harness.errors import HarnessError
from harness.metrics.stats import Interval
from harness.record import Answer, Record
from harness.schema import Task
from harness.store.records import Run

ScoreMatrix = Sequence[Sequence[float]]


@dataclass(frozen=True)
class Cell:
    """The headline score of one row on one task with its interval, the score of guessing, and the item scores."""

    score: Interval
    chance: float | None
    groups: int
    evidence: ItemScores
    answers_sha256: str

    @property
    def above_chance(self) -> bool:
        """Whether the interval lies above the score of guessing, or above `NEAR_NOTHING` if that is unknown."""
        return self.score.low > (NEAR_NOTHING if self.chance is None else self.chance)


@dataclass(frozen=True)
class Row:
    """The scores of one stage's model on every task, in the order of the tasks."""

    name: str
    run_id: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class SequenceResults:
    """The tasks in the order of training, a row for the base model and each stage, and the joint run if there is one."""

    tasks: tuple[Task, ...]
    rows: tuple[Row, ...]
    joint: Row | None = None

    @property
    def matrix(self) -> list[list[float]]:
        """R[i][j], fractions."""
        return [[cell.score.value for cell in row.cells] for row in self.rows]

    def difference(self, task: int, a: Row, b: Row) -> Interval:
        """Return the score of a less that of b on a task, paired on its questions and clustered by group."""
        paired = a.cells[task].evidence.minus(b.cells[task].evidence)
        return Interval(paired.difference, paired.low, paired.high)

    def term(self, term: Term) -> Interval:
        """Return the value of a term with its interval."""
        row = self.rows[term.row]
        if term.less is None:
            return row.cells[term.task].score
        return self.difference(term.task, row, self.rows[term.less])

    def measures(self) -> dict[str, Interval]:
        """Return the four measures, and the mean difference of the last stage from the joint run."""
        matrix = self.matrix
        values = {name: mean_of_intervals([*map(self.term, terms(matrix))]) for name, terms in MEASURES.items()}
        if self.joint:
            last, joint = self.rows[-1], self.joint
            away = [self.difference(task, last, joint) for task in range(len(self.tasks))]
            values["last stage less joint"] = mean_of_intervals(away)
        return values

    def at_chance(self, task: int) -> bool:
        """Whether no stage is above chance on a task: nothing was learned, so nothing can be forgotten."""
        rows = self.rows + ((self.joint,) if self.joint else ())
        return not any(row.cells[task].above_chance for row in rows)


def require_shares(tasks: Sequence[Task]) -> None:
    """Raise if the headline scores of the tasks cannot be averaged.

    Raises:
        HarnessError: a headline metric is no share, or a lower one is better.
    """
    for task in tasks:
        first = task.metrics[0]
        if first.unit != "share" or not first.higher_is_better:
            problem = f"{first.title}, the headline metric of {task.name}, is no share of right answers and has no average over tasks"
            raise HarnessError(
                problem, where=f"task {task.name}", fix="leave this task out, or measure it with `--probe` of a run"
            )


def read(tasks: Sequence[Task], runs: Sequence[Run], joint: Run | None = None) -> SequenceResults:
    """Return the rows of a sequence from its runs: the base model's, then each stage's, in order.

    Raises:
        HarnessError: a run has no answers to a task, or its answers do not give the recorded score.
    """
    _refuse_retrained(runs)
    names = ["base", *(f"{number} {task.name}" for number, task in enumerate(tasks, start=1))]
    rows = tuple(_row(name, run, tasks) for name, run in zip(names, runs, strict=True))
    return SequenceResults(tuple(tasks), rows, _row("joint", joint, tasks) if joint else None)


def _refuse_retrained(runs: Sequence[Run]) -> None:
    """Raise if a stage was trained again after the next stage had continued from its weights."""
    for before, after in itertools.pairwise(runs[1:]):
        end = datetime.fromisoformat(before.record.started) + timedelta(seconds=before.record.seconds - 1)
        if datetime.fromisoformat(after.record.started) < end:  # a start is known to the second
            problem = f"the stage on {before.record.spec.task} was trained again after the stage on {after.record.spec.task} continued from it"
            fix = "delete this folder and run the same command again"
            raise HarnessError(problem, where=str(after.folder), fix=fix)


def _row(name: str, run: Run, tasks: Sequence[Task]) -> Row:
    probed = run.probe_answers()
    cells = []
    for task in tasks:
        is_own = run.record.spec.task == task.name
        if not is_own and task.name not in probed:
            fix = "delete this folder and run the same command again"
            raise HarnessError(f"the run has no answers to {task.name}", where=str(run.folder), fix=fix)
        record = run.record if is_own else probes.as_run(run.record, task.name)
        cells.append(_cell(record, run.answers() if is_own else probed[task.name], task))
    return Row(name, run.record.spec.id, tuple(cells))


def _cell(record: Record, answers: Sequence[Answer], task: Task) -> Cell:
    metric = task.metrics[0]
    evidence = item_scores([(record, answers)], metric)
    if evidence is None:
        fix = "delete the run's folder and run the same command again"
        raise HarnessError(f"a run has no {metric.name} on {task.name}", where=record.spec.id, fix=fix)
    score = record.scores[metric.name]
    interval = Interval(score.value, score.low, score.high)
    return Cell(interval, record.chance, score.groups, evidence, record.answers_sha256)


def as_document(results: SequenceResults) -> dict[str, Any]:
    """Return the results as plain values at full precision, as fractions; answers are named by run and checksum."""
    rows = [*results.rows, *([results.joint] if results.joint else [])]
    return {
        "tasks": [{"name": t.name, "version": t.version, "metric": t.metrics[0].name} for t in results.tasks],
        "at_chance": [task.name for position, task in enumerate(results.tasks) if results.at_chance(position)],
        "rows": [{"stage": row.name, "run": row.run_id, "scores": _scores(row, results.tasks)} for row in rows],
        "matrix": results.matrix,
        "measures": {name: value._asdict() for name, value in results.measures().items()},
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


@dataclass(frozen=True)
class Term:
    """The score on `task` (from 0) of `row` (0 is the base model), less that of row `less` unless it is None."""

    task: int
    row: int
    less: int | None = None


def average_terms(matrix: ScoreMatrix) -> list[Term]:
    """Return the terms of average accuracy. The matrix is [T + 1][T]."""
    last = len(matrix) - 1
    return [Term(task, last) for task in range(last)]


def backward_terms(matrix: ScoreMatrix) -> list[Term]:
    """Return the terms of backward transfer; a value below 0 is forgetting."""
    last = len(matrix) - 1
    return [Term(task, last, task + 1) for task in range(last - 1)]


def forward_terms(matrix: ScoreMatrix) -> list[Term]:
    """Return the terms of forward transfer: each task just before it is trained, against the base model."""
    return [Term(task, task, 0) for task in range(1, len(matrix) - 1)]


def forgetting_terms(matrix: ScoreMatrix) -> list[Term]:
    """Return the terms of forgetting: the best stage before the last (the first of equals) less the last.

    The best of several scores is in part luck, so forgetting errs on the large side.
    """
    last = len(matrix) - 1
    best = [max(range(1, last), key=lambda row: matrix[row][task]) for task in range(last - 1)]
    return [Term(task, row, last) for task, row in enumerate(best)]


MEASURES: dict[str, Callable[[ScoreMatrix], list[Term]]] = {
    "average accuracy": average_terms,
    "backward transfer": backward_terms,
    "forward transfer": forward_terms,
    "forgetting": forgetting_terms,
}


def mean_of_terms(matrix: ScoreMatrix, terms: Sequence[Term]) -> float:
    """Return the mean of the terms."""
    return math.fsum(matrix[t.row][t.task] - (0.0 if t.less is None else matrix[t.less][t.task]) for t in terms) / len(
        terms
    )


def mean_of_intervals(parts: Sequence[Interval]) -> Interval:
    """Return the mean of independent values with an interval made of theirs.

    The distance of each end from the mean is the root of the summed squares of the parts' own distances, divided by their
    number (MOVER, Zou and Donner 2008). So the parts' limits are kept, and their width if no answer differs. The questions
    of different tasks are independent. Several terms may be about one trained model, which is no error of questions.
    """
    centre = math.fsum(part.value for part in parts) / len(parts)
    down = math.sqrt(math.fsum((part.value - part.low) ** 2 for part in parts)) / len(parts)
    up = math.sqrt(math.fsum((part.high - part.value) ** 2 for part in parts)) / len(parts)
    return Interval(centre, centre - down, centre + up)
