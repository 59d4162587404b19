"""`report`: tables, figures and the page anew, without a model."""

from __future__ import annotations

from pathlib import Path

from harness.cli import next_command
from harness.cli.terminal import output
from harness.data import registry
from harness.report.write import write_outputs
from harness.store import records

DONE = 0


def write_report(results: Path) -> int:
    """Write tables, figures and the report."""
    runs = records.read_all(results) or records.read_published(results)
    if not runs:
        raise next_command.nothing("there are no results to report", results)
    unknown = {run.record.spec.task for run in runs} - registry.recorded().keys()
    output.written(
        write_outputs(results, runs),
        next_command.command("verify", *["--task", "FILE"] * bool(unknown), results=results),
    )
    return DONE
