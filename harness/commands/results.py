"""`compare` and `report`: what is done with results, without a model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness import compare, registry, store, ui
from harness.commands import typed
from harness.commands.outputs import write_outputs
from harness.errors import HarnessError, did_you_mean

DONE = 0


def show_comparison(a: str, b: str, results: Path, *, task: str | None) -> int:
    """Set two runs side by side; A and B are names such as `lora-r8`, ids, or folders."""
    runs = store.read_all(results, task)
    if not runs:
        if task and (known := {run.record.spec.task for run in store.read_all(results)}):
            fix = did_you_mean(task, known) or "pass one of these"
            raise HarnessError(f"no run of the task '{task}'", where=f"tasks: {', '.join(sorted(known))}", fix=fix)
        raise _nothing("there are no results", results)
    first, second = (find_run(name, runs) for name in (a, b))
    metrics = {}
    if found := registry.recorded().get(first.record.spec.task):
        metrics = {found.name: found.metrics}
    ui.comparison(
        compare.compare_records(
            (first.record, first.answers() or None), (second.record, second.answers() or None), metrics
        )
    )
    return DONE


def find_run(name: str, runs: Sequence[store.Run]) -> store.Run:
    """The run that a name, an id or a folder means; of several seeds the first."""
    path = Path(name)
    if (path / store.RECORD).is_file():
        return store.Run(path, store.read_record(path))
    found = [run for run in runs if run.record.spec.id.startswith(name) or run.record.spec.name == name]
    found = [run for run in found if run.record.status == "ok"] or found
    if not found:
        known = sorted({run.record.spec.name for run in runs})
        fix = did_you_mean(name, known) or "pass one of these names, a run's id, or its folder"
        raise HarnessError(f"no run is called '{name}'", where=f"runs: {', '.join(known)}", fix=fix)
    kinds = {(run.record.spec.task, run.record.spec.model, run.record.spec.data) for run in found}
    if len(kinds) > 1 or len({run.record.spec.seed for run in found}) < len(found):
        ids = ", ".join(f"{run.record.spec.id} ({run.record.spec.task})" for run in found[:6])
        raise HarnessError(f"'{name}' means several runs", where=ids, fix="pass an id, or --task NAME")
    return min(found, key=lambda run: run.record.spec.seed)


def write_report(results: Path) -> int:
    """Write tables, figures and the report."""
    runs = store.read_all(results) or store.read_published(results)
    if not runs:
        raise _nothing("there are no results to report", results)
    unknown = {run.record.spec.task for run in runs} - registry.recorded().keys()
    ui.written(
        write_outputs(results, runs), typed.command("verify", *["--task", "FILE"] * bool(unknown), results=results)
    )
    return DONE


def _nothing(problem: str, results: Path) -> HarnessError:
    return HarnessError(problem, where=str(results), fix=typed.command("--task", "cfa", results=results))
