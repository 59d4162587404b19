"""`list` and `new`: tasks and methods, without results and without a model."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from harness import errors
from harness.cli.terminal import output
from harness.cli.terminal import tasks as ui_tasks
from harness.data import loading, registry, template
from harness.errors import HarnessError
from harness.store import records

DONE = 0


def show_list(tasks_dirs: Sequence[Path], data_dir: Path | None = None) -> int:
    """List tasks, with their data at a glance, and methods; a broken one is listed with its error."""
    tasks = registry.tasks(tasks_dirs)
    sizes = {name: loading.sizes(entry.value, data_dir) for name, entry in tasks.items() if entry.value}
    ui_tasks.listing(tasks.values(), registry.methods().values(), sizes)
    return DONE


def new(name: str, folder: Path | None) -> int:
    """Write a task file and a little data to start from; nothing that exists is overwritten."""
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise HarnessError(f"'{name}' cannot be a task's name", where="new NAME", fix="small letters, digits and _")
    place = folder or loading.tasks_folder()
    known = registry.tasks([place] if place.is_dir() else [])
    if name in known or (place / f"{name}.py").exists():
        where = known[name].origin if name in known else str(place / f"{name}.py")
        raise HarnessError(f"a task named '{name}' exists", where=where, fix="choose another name")
    try:
        paths = [records.write_text(place / path, text) for path, text in template.files(name).items()]
    except HarnessError as error:
        fix = "check the path and its permissions, or write to another folder with --tasks-dir DIR"
        raise HarnessError(error.problem.replace("results", "the task"), where=error.where, fix=fix) from error
    output.written(paths, errors.command("check", name, *(("--tasks-dir", str(folder)) if folder else ())))
    return DONE
