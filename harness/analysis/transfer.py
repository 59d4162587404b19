"""What training on one task after the other does to all of them: the field's four numbers, from a matrix of scores.

R[i][j] is the score on task j after stage i, i from 1 to T; stage i trains on task i. Row 0 is the base model. Each number is
a mean of terms, and a term is the score of one row on one task, alone or less that of another row:

    average accuracy    (1/T)     sum over j of        R[T][j]                               Lopez-Paz & Ranzato 2017
    backward transfer   1/(T-1)   sum over j < T of    R[T][j] - R[j][j]                     (arXiv:1706.08840)
    forward transfer    1/(T-1)   sum over j > 1 of    R[j-1][j] - R[0][j]                   their b_j is a random start
    forgetting          1/(T-1)   sum over j < T of    max over 1 <= l < T of R[l][j], - R[T][j]   Chaudhry et al. 2018
                                                                                             (arXiv:1801.10112)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from harness.metrics.stats import Interval

Matrix = Sequence[Sequence[float]]


@dataclass(frozen=True)
class Term:
    """The score on `task` (from 0) of `row` (0 is the base model), less that of row `less` where there is one."""

    task: int
    row: int
    less: int | None = None


def average_terms(matrix: Matrix) -> list[Term]:
    """Return the terms of average accuracy, see the module's text. The matrix is [T + 1][T]."""
    last = len(matrix) - 1
    return [Term(task, last) for task in range(last)]


def backward_terms(matrix: Matrix) -> list[Term]:
    """Return the terms of backward transfer: below 0 is forgetting."""
    last = len(matrix) - 1
    return [Term(task, last, task + 1) for task in range(last - 1)]


def forward_terms(matrix: Matrix) -> list[Term]:
    """Return the terms of forward transfer: each task just before it is trained, against the base model."""
    return [Term(task, task, 0) for task in range(1, len(matrix) - 1)]


def forgetting_terms(matrix: Matrix) -> list[Term]:
    """Return the terms of forgetting, each the best stage before the last, the first of equals, less the last.

    The best of several scores is in part the luckiest, so forgetting errs on the large side.
    """
    last = len(matrix) - 1
    best = [max(range(1, last), key=lambda row: matrix[row][task]) for task in range(last - 1)]
    return [Term(task, row, last) for task, row in enumerate(best)]


MEASURES: dict[str, Callable[[Matrix], list[Term]]] = {
    "average accuracy": average_terms,
    "backward transfer": backward_terms,
    "forward transfer": forward_terms,
    "forgetting": forgetting_terms,
}


def value(matrix: Matrix, terms: Sequence[Term]) -> float:
    """Return the mean of the terms."""
    return math.fsum(matrix[t.row][t.task] - (0.0 if t.less is None else matrix[t.less][t.task]) for t in terms) / len(
        terms
    )


def mean(parts: Sequence[Interval]) -> Interval:
    """Return the mean of independent values with an interval made of theirs.

    Each end lies off the mean by the root of the summed squares of the parts' own distances, over their number (MOVER, Zou and
    Donner 2008): so the parts' limits, and their width where no answer differs, are kept. The tasks' questions are
    independent of each other; that several terms are about one trained model is no error of questions.
    """
    centre = math.fsum(part.value for part in parts) / len(parts)
    down = math.sqrt(math.fsum((part.value - part.low) ** 2 for part in parts)) / len(parts)
    up = math.sqrt(math.fsum((part.high - part.value) ** 2 for part in parts)) / len(parts)
    return Interval(centre, centre - down, centre + up)
