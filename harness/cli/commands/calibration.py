"""`calibration`: how far each run's confidence can be trusted, and the share of answers that could be automated."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.analysis import aggregate, sections
from harness.analysis import calibration as analysis
from harness.cli import flags, next_command
from harness.cli.arguments import Arguments, Flag
from harness.cli.flags import choice
from harness.cli.terminal import output as terminal
from harness.data import registry
from harness.report import calibration
from harness.store.find import own_or_published

DONE = 0
FORMATS = ("json", "md")
FLAGS = (
    Flag("--task", "only this task", metavar="NAME", example="cfa", unset="all"),
    choice("--output", "a document with every run's bins, instead of tables", FORMATS),
    flags.TASKS_DIR,
    flags.RESULTS,
)


def main(arguments: Arguments) -> int:
    """Show the calibration of every run of the results, task by task."""
    tasks_dirs = arguments.tasks_dirs or ()
    return show(arguments.results, task=arguments.task, output=arguments.output, tasks_dirs=tasks_dirs)


def show(results: Path, *, task: str | None = None, output: str | None = None, tasks_dirs: Sequence[Path] = ()) -> int:
    """Show the calibration of every run of the results, task by task.

    Args:
        results: the results folder.
        task: only this one.
        output: "json" or "md" for a document on stdout, None for the terminal's tables.
        tasks_dirs: folders of further task files.

    Raises:
        HarnessError: there are no results, or none of this task.
    """
    runs, folder = own_or_published(results, task)
    if not runs:
        raise next_command.no_runs(task, results)
    terminal.note(f"from {folder}, {len(runs):,} run{'s' * (len(runs) != 1)}")
    evidence = [(run.record, run.answers() or None) for run in runs]
    metrics = {name: entry.metrics for name, entry in registry.recorded(tasks_dirs).items()}
    drafts, failed = aggregate.pool(evidence, metrics)
    cells = [*(cell for cell, _ in drafts), *failed]
    answers = {record.spec.id: rows for record, rows in evidence if rows}
    calibrations = analysis.calibrations(cells, answers, metrics)
    parts = [(section, calibration.rows(section, calibrations)) for section in sections.sections(cells)]
    if output == "json":
        terminal.document(calibration.as_json(parts))
        return DONE
    for name in dict.fromkeys(section.cells[0].spec.task for section, _ in parts):
        parts_of_task = [(section, rows) for section, rows in parts if section.cells[0].spec.task == name]
        if output == "md":
            terminal.document(calibration.as_markdown(name, parts_of_task))
        else:
            terminal.calibration(name, parts_of_task)
    return DONE
