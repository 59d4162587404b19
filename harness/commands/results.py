"""`report`: tables, figures and the page anew, without a model."""

from __future__ import annotations

from pathlib import Path

from harness import registry, store, ui
from harness.commands import typed
from harness.commands.outputs import write_outputs

DONE = 0


def write_report(results: Path) -> int:
    """Write tables, figures and the report."""
    runs = store.read_all(results) or store.read_published(results)
    if not runs:
        raise typed.nothing("there are no results to report", results)
    unknown = {run.record.spec.task for run in runs} - registry.recorded().keys()
    ui.written(
        write_outputs(results, runs), typed.command("verify", *["--task", "FILE"] * bool(unknown), results=results)
    )
    return DONE
