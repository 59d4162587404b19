"""The analysis of all runs of a task, computed once per command and shown by terminal, tables, figures and page.

`analyze` is a pure function of records and answers. A `TaskResults` holds metric functions, so it is not sent between
processes: a process that shows one computes it itself or inherits it by fork.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType

from harness.analysis import calibration, compare, forgetting, robustness
from harness.analysis.aggregate import Cell
from harness.analysis.calibration import Calibration
from harness.analysis.forgetting import Change
from harness.analysis.items import Metrics, ProbeAnswers, Run
from harness.analysis.robustness import TwinResult
from harness.analysis.sections import Section, sections
from harness.record import Answer

NO_METRICS: Metrics = MappingProxyType({})
NO_PROBES: ProbeAnswers = MappingProxyType({})
NO_LOSSES: Mapping[str, tuple[tuple[int, float], ...]] = MappingProxyType({})


@dataclass(frozen=True)
class TaskResults:
    """All comparisons of the runs of one task.

    `runs` are the records with their answers, `probe_answers` the answers to probes by run id. `metrics` are those of the
    task and of its probes, by task name. `cells` compare rows on the task. `changes` compare each row with the base model
    on the probes, `twins` with itself on the task in other words or in another order. `losses` are the logged steps of
    some runs, as (step, loss) by run id.
    """

    task: str
    runs: tuple[Run, ...]
    metrics: Metrics
    probe_answers: ProbeAnswers
    cells: tuple[Cell, ...]
    changes: tuple[Change, ...]
    twins: tuple[TwinResult, ...]
    losses: Mapping[str, tuple[tuple[int, float], ...]] = field(default_factory=lambda: NO_LOSSES)

    @cached_property
    def sections(self) -> tuple[Section, ...]:
        """The cells by section, in leaderboard order."""
        return tuple(sections(self.cells))

    @cached_property
    def calibrations(self) -> Mapping[str, Calibration]:
        """The calibration of each run with confidences, by run id. It takes a second for a few runs."""
        return calibration.calibrations(self.cells, self.answers, self.metrics)

    @cached_property
    def answers(self) -> Mapping[str, Sequence[Answer]]:
        """The answers of each run that still has them, by run id."""
        return {record.spec.id: answers for record, answers in self.runs if answers}

    def changes_of(self, section: Section) -> list[Change]:
        """Return the rows of a section on its probes."""
        return [change for change in self.changes if change.family == section.family]

    def twins_of(self, section: Section) -> list[TwinResult]:
        """Return the rows of a section on its twins."""
        return [twin for twin in self.twins if twin.change.family == section.family]


def analyze(
    task: str, runs: Iterable[Run], metrics: Metrics = NO_METRICS, probe_answers: ProbeAnswers = NO_PROBES
) -> TaskResults:
    """Return the analysis of a task's runs.

    Args:
        task: the name of the task.
        runs: its records with their answers (None if they are gone), in any order.
        metrics: as for `compare.cells`, with those of the probes.
        probe_answers: the answers to probes by run id, then by probe.

    Raises:
        HarnessError: runs of one spec saw different data, or answers contradict their record.
    """
    runs = tuple(runs)
    cells = compare.cells(runs, metrics)
    probed = [(record, probe_answers[record.spec.id]) for record, _ in runs if record.spec.id in probe_answers]
    changes = forgetting.changes(probed, cells, metrics)
    answers = {record.spec.id: answers or () for record, answers in runs}
    twins = robustness.twin_results(changes, answers, probe_answers)
    return TaskResults(task, runs, metrics, probe_answers, tuple(cells), tuple(changes), tuple(twins))
