"""`calibration`: how well each run's confidence says which answers are right, and what share could be automated."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.analysis import aggregate, sections
from harness.analysis import calibration as analysis
from harness.cli import next_command
from harness.cli.terminal import output as ui
from harness.data import registry
from harness.report import calibration
from harness.store import records

DONE = 0


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
    runs = records.read_all(results, task)
    place = results / ("runs" if runs else "published")  # as `report` does
    runs = runs or records.read_published(results, task)
    if not runs:
        raise next_command.no_runs(task, results)
    ui.note(f"from {place}, {len(runs):,} run{'s' * (len(runs) != 1)}")
    evidence = [(run.record, run.answers() or None) for run in runs]
    metrics = {name: known.metrics for name, known in registry.recorded(tasks_dirs).items()}
    drafts, failed = aggregate.pool(evidence, metrics)
    listed = [*(cell for cell, _ in drafts), *failed]
    answers = {record.spec.id: given for record, given in evidence if given}
    calibrations = analysis.calibrations(listed, answers, metrics)
    found = [(section, calibration.rows(section, calibrations)) for section in sections.sections(listed)]
    if output == "json":
        ui.document(calibration.as_json(found))
        return DONE
    for name in dict.fromkeys(section.cells[0].spec.task for section, _ in found):
        own = [(section, rows) for section, rows in found if section.cells[0].spec.task == name]
        if output == "md":
            ui.document(calibration.as_markdown(name, own))
        else:
            ui.calibration(name, own)
    return DONE
