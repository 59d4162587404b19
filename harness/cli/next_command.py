"""Commands for the user to type next, on the same results folder and with the same data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness import errors
from harness.cli import flags
from harness.cli.arguments import write
from harness.data import registry
from harness.data.source import TaskSource
from harness.errors import HarnessError, did_you_mean
from harness.methods import by_config
from harness.record import RunSpec
from harness.runs.options import Options
from harness.schema import Task
from harness.store import records


def command(*words: str, results: Path) -> str:
    """Return a command line of the program; it names the results folder unless that is the default."""
    folder = () if results == records.DEFAULT_ROOT else ("--results", str(results))
    return errors.command(*words, *folder)


def no_results(problem: str, results: Path) -> HarnessError:
    """Return the error of a command without the results it needs."""
    return HarnessError(problem, where=str(results), fix=command("--task", "cfa", results=results))


def no_runs(task: str | None, results: Path) -> HarnessError:
    """Return the error of a command without a run to read; `task` is the task that the user named, if any."""
    if task and (names := {run.record.spec.task for run in records.read_all(results)}):
        fix = did_you_mean(task, names) or "pass one of these"
        return HarnessError(f"no run of the task '{task}'", where=f"tasks: {', '.join(sorted(names))}", fix=fix)
    return no_results("there are no results", results)


def task_words(options: Options) -> list[str]:
    """Return the flags by which a command finds the tasks of a run again: data files, folders, labels."""
    files = [name for name in options.tasks if name not in registry.tasks(options.tasks_dirs)]
    sources = {row.key: getattr(options, row.key) for row in flags.SOURCES if row.key != "gold"}
    return write(flags.RUN, sources | {"tasks": tuple(files)})


def source_words(source: TaskSource) -> list[str]:
    """Return the flags by which a command reads a task's data file again, as this source does, without its folder."""
    values = {row.key: getattr(source, row.key, None) for row in flags.SOURCES if row.key != "gold"}
    names = {key: Path(path.name) for key in ("test_data", "validation_data") if (path := getattr(source, key))}
    return write(flags.RUN, values | names | {"tasks": (Path(source.name).name,)})


def rebuild(
    spec: RunSpec, task: Task | None = None, limits: tuple[int, int] = (0, 0), words: Sequence[str] = ()
) -> list[str]:
    """Return the words of the command that trains a run of this spec and no other, every setting written out.

    Args:
        spec: of the run.
        task: the task, if it is known here.
        limits: of training and test examples, 0 is all.
        words: flags by which the task is found, in place of `--task NAME`.
    """
    audited = task is not None and task.gold == "audited"
    name = spec.task.removesuffix("-audited") if audited else spec.task
    values = {row.key: getattr(spec, row.key, None) for row in flags.RUN} | {
        "tasks": () if "--task" in words else (name,),
        "gold": "audited" if audited else None,
        "methods": (spec.method if spec.method in registry.methods() else by_config.CONFIG,),
        "ranks": (spec.rank,) if spec.rank else (),
        "seeds": (spec.seed,),
        "train_examples": limits[0],
        "test_examples": limits[1],
        "scoring": spec.scoring if spec.scoring != "perplexity" else None,
        "data": None,  # of a spec: a fingerprint
        "probes": (),  # of a spec: with fingerprints
    }
    return [*words, *write(flags.RUN, values), "--challengers", "none"]
