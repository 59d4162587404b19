"""The decision on a section: the reference that a tuned row has to beat, the rows that do, and the row to use.

The reference is the best of three: the base model at its best, the challengers, and guessing. A row beats it if the
paired test shows it (5 %, Holm-adjusted over all pairs of rows) and its interval lies above guessing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from harness.analysis.aggregate import Cell, Difference
from harness.analysis.answers import ClassCount
from harness.analysis.sections import Section
from harness.metrics.stats import LEVEL
from harness.record import Record

UNREADABLE = 0.5  # a row is unreadable if less than this share of its answers can be read


@dataclass(frozen=True)
class Reference:
    """The best score without training. `cell` is its row, None for guessing."""

    cell: Cell | None
    value: float


@dataclass(frozen=True)
class Choice:
    """The row to use: the smallest of those that are shown to be enough.

    `best` is the tuned row with the best score. `record` is the run to export: the first seed, because the best seed of
    several would be selected on the test questions.
    """

    cell: Cell
    best: Cell
    record: Record

    @property
    def is_smaller(self) -> bool:
        """Whether it is another row than the best, shown to be less than the margin below every other row."""
        return self.cell is not self.best


def tuned_rows(section: Section) -> list[Cell]:
    """Return the finished rows that were trained."""
    return [cell for cell in section.headline if cell.trains and cell.value is not None]


def best_tuned(section: Section) -> Cell | None:
    """Return the tuned row with the best score; a row without any readable answer only if there is no other."""
    sign = 1 if section.higher_is_better else -1
    return max(tuned_rows(section), key=lambda cell: (bool(cell.parse_rate), sign * (cell.value or 0.0)), default=None)


def reference(section: Section) -> Reference | None:
    """Return what tuned rows have to beat; None if there is nothing to compare with.

    Guessing takes the place of a row that scores significantly below it.
    """
    specs = {cell.rival for cell in section.headline if cell.vs_rival}
    rival = next((cell for cell in section.headline if cell.spec in specs), None)
    if section.chance is not None and (rival is None or rival.below_chance) and section.baseline is not None:
        return Reference(None, section.chance)
    return Reference(rival, rival.value or 0.0) if rival is not None else None


def gain(section: Section, cell: Cell, against: Reference) -> Difference | None:
    """Return the difference of a tuned row from the reference; None if they are not paired."""
    if against.cell is not None:
        return cell.vs_rival
    if cell.value is None or cell.low is None or cell.high is None:
        return None
    clear = _beyond_chance(section, cell) or cell.below_chance
    p = 0.0 if clear else 1.0
    return Difference(cell.value - against.value, cell.low - against.value, cell.high - against.value, p, p)


def beats(section: Section, cell: Cell, against: Reference) -> bool:
    """Whether a tuned row is shown to be better than the reference, and than guessing."""
    difference = gain(section, cell, against)
    if difference is None or difference.p_holm >= LEVEL or (difference.value > 0) != cell.higher_is_better:
        return False
    return section.chance is None or _beyond_chance(section, cell)


def _beyond_chance(section: Section, cell: Cell) -> bool:
    """Whether the interval of a row lies on the better side of guessing; True for an interval without bounds."""
    end = cell.low if cell.higher_is_better else cell.high
    if end is None or not math.isfinite(end):
        return True
    chance = section.chance if section.chance is not None else -math.inf
    return end > chance if cell.higher_is_better else end < chance


def unreadable(cell: Cell | None) -> bool:
    """Whether most answers of a row cannot be read, so that its score says nothing about knowledge."""
    return cell is not None and cell.parse_rate is not None and cell.parse_rate < UNREADABLE


def missing_classes(cell: Cell) -> list[ClassCount]:
    """Return the classes that a row never answers although they are right; none if it has no readable answer."""
    return [count for count in cell.classes if not count.answers] if cell.parse_rate else []


def choose(section: Section) -> Choice | None:
    """Return the row to use; None if no tuned row is shown to beat the reference.

    It is the smallest of the best row and of the rows shown to be less than the margin below every other row.
    """
    against, best = reference(section), best_tuned(section)
    if against is None or best is None or not beats(section, best, against):
        return None
    enough = [cell for cell in tuned_rows(section) if cell is best or cell.not_worse]
    cell = min((cell for cell in enough if beats(section, cell, against)), key=weight)
    return Choice(cell, best, cell.records[0])


def weight(cell: Cell) -> tuple[float, float]:
    """Return the size of a row: its trained weights, then its peak in training."""
    if cell.cost is None:
        return (cell.spec.rank or math.inf, math.inf)
    phase = cell.cost.phases.get("train")
    return (cell.cost.trained_weights, phase.peak_bytes if phase else math.inf)
