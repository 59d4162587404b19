"""A run by its name, the beginning of its id, or its folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.errors import HarnessError, did_you_mean
from harness.store import records as store


def find_run(name: str, runs: Sequence[store.Run], *, several: str = "pass an id, or --task NAME") -> store.Run:
    """The run that a name, an id or a folder means; of several seeds the first. `several` says how to choose one."""
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
        raise HarnessError(f"'{name}' means several runs", where=ids, fix=several)
    return min(found, key=lambda run: run.record.spec.seed)
