"""`new`: the file of a new task, with a little data to start from."""

from __future__ import annotations

import re
from pathlib import Path

from harness import errors
from harness.cli import parse
from harness.cli.arguments import Arguments, Flag
from harness.cli.terminal import output
from harness.data import loading, registry, template
from harness.errors import HarnessError
from harness.store import records

DONE = 0
FLAGS = (
    Flag("name", "small letters, digits and _", metavar="NAME", example="renewals"),
    Flag(
        "--tasks-dir",
        "the folder to write it to",
        parse.path,
        metavar="DIR",
        example="my_tasks",
        unset="the project's tasks folder",
    ),
)


def main(arguments: Arguments) -> int:
    """Write the task; nothing that exists is overwritten."""
    return new(arguments.name, arguments.tasks_dir)


def new(name: str, folder: Path | None) -> int:
    """Write a task file and its data into a folder, None for that of the project.

    Raises:
        HarnessError: the name is unfit or taken, or the folder cannot be written.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise HarnessError(f"'{name}' cannot be a task's name", where="new NAME", fix="small letters, digits and _")
    target = folder or loading.tasks_folder()
    tasks = registry.tasks([target] if target.is_dir() else [])
    if name in tasks or (target / f"{name}.py").exists():
        origin = tasks[name].origin if name in tasks else str(target / f"{name}.py")
        raise HarnessError(f"a task named '{name}' exists", where=origin, fix="choose another name")
    try:
        paths = [records.write_text(target / path, text) for path, text in template.files(name).items()]
    except HarnessError as error:
        fix = "check the path and its permissions, or write to another folder with --tasks-dir DIR"
        raise HarnessError(error.problem.replace("results", "the task"), where=error.where, fix=fix) from error
    output.closing(paths, errors.command("check", name, *(("--tasks-dir", str(folder)) if folder else ())))
    return DONE
