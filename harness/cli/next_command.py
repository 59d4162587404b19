"""Commands for the user to type next, on the same results folder and with the same data."""

from __future__ import annotations

from pathlib import Path

from harness import errors
from harness.data import registry
from harness.errors import HarnessError, did_you_mean
from harness.runs.options import Options
from harness.store import records


def command(*words: str, results: Path) -> str:
    """Return a command line of the program; the results folder is named where it is not the default."""
    place = () if results == records.DEFAULT_ROOT else ("--results", str(results))
    return errors.command(*words, *place)


def nothing(problem: str, results: Path) -> HarnessError:
    """Return the error of a command that needs results and finds none."""
    return HarnessError(problem, where=str(results), fix=command("--task", "cfa", results=results))


def no_runs(task: str | None, results: Path) -> HarnessError:
    """Return the error of a command that finds no run, of this task where one is named."""
    if task and (known := {run.record.spec.task for run in records.read_all(results)}):
        fix = did_you_mean(task, known) or "pass one of these"
        return HarnessError(f"no run of the task '{task}'", where=f"tasks: {', '.join(sorted(known))}", fix=fix)
    return nothing("there are no results", results)


def task_words(options: Options) -> list[str]:
    """Return the flags by which a command finds the tasks of a run again: data files, folders, labels."""
    files = [name for name in options.tasks if name not in registry.tasks(options.tasks_dirs)]
    flags = (
        ("--task", files),
        ("--tasks-dir", options.tasks_dirs),
        ("--data", filter(None, [options.data])),
        ("--labels", filter(None, [",".join(options.labels)])),
        ("--relabel", (f"{old}={new}" for old, new in options.relabel)),
    )
    return [word for flag, values in flags for value in values for word in (flag, str(value))]
