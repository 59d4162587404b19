"""The program from Python: `run` does what the command does; `load_results` and the like give tables of what is there.

import harness

table = harness.run(task="cfa", method=["base", "lora", "full"], rank=[8], seeds=3)
table = harness.load_results("results")            # a row for each row of the leaderboard and each metric
answers = harness.load_answers("results", "cfa")   # a row for each run and question
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import errors
from harness.analysis.items import find_metric
from harness.cli import app, flags, recipe
from harness.cli.commands import run as run_command
from harness.cli.lookup import Lookup
from harness.data import probes
from harness.errors import HarnessError
from harness.report.leaderboard import COLUMNS, leaderboard
from harness.report.write import analyze_stored
from harness.runs.options import Options
from harness.store import records
from harness.store.find import own_or_published

if TYPE_CHECKING:
    import pandas as pd


def run(**settings: Any) -> pd.DataFrame:
    """Run methods on tasks as the command `run` does, with its progress and tables, and return `load_results` of the folder.

    Args:
        settings: the flags of `run` by their names with underscores: `task="cfa"`, `rank=[4, 16]`, `drop_bad=True`.

    Raises:
        HarnessError: a setting is unknown or wrong, a run failed, or the user stopped the runs.
    """
    words = recipe.words_of(settings, flags.RUN, "harness.run")
    arguments = app.read("run", words)
    arguments.line = errors.command(*words)
    with _main_unknown():
        code = run_command.main(arguments)
    if code != app.DONE:
        problem = "the runs were stopped" if code == app.INTERRUPTED else "some runs failed"
        raise HarnessError(problem, where=str(arguments.results), fix="the same call again does what is missing")
    return load_results(arguments.results)


def load_results(folder: str | Path = "results", task: str | None = None) -> pd.DataFrame:
    """Return the leaderboard of a results folder, or of a publication: a row for each row of its tables and each metric.

    The columns are those of `leaderboard/<task>.csv`, at full precision: shares are fractions, memory is in bytes, times in seconds.

    Raises:
        HarnessError: there are no runs, or they do not compare.
    """
    import pandas as pd

    runs = _runs(Path(folder), task)
    metrics = probes.with_reordered({name: known.metrics for name, known in _tasks(Path(folder), runs).items()})
    rows = []
    for name in sorted({each.record.spec.task for each in runs}):
        of_task = [each for each in runs if each.record.spec.task == name]
        rows += leaderboard(analyze_stored(name, of_task, metrics).cells)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def load_answers(folder: str | Path = "results", task: str | None = None) -> pd.DataFrame:
    """Return every stored answer: a row for each run and question, with the run's id, method, rank and seed.

    `score` is that of the answer by the task's headline metric, None if the task and the metric are not known here.

    Raises:
        HarnessError: there are no runs.
    """
    import pandas as pd

    runs = _runs(Path(folder), task)
    metrics = {name: known.metrics for name, known in _tasks(Path(folder), runs).items()}
    rows: list[dict[str, Any]] = []
    for each in runs:
        metric = find_metric(each.record.spec.task, next(iter(each.record.scores), ""), metrics)
        for answer in each.answers():
            rows.append(_head(each) | vars(answer) | {"score": metric.score(answer) if metric else None})
    return pd.DataFrame(rows)


def load_steps(folder: str | Path = "results", task: str | None = None) -> pd.DataFrame:
    """Return every logged step of training: a row for each run and step, with the run's id, method, rank and seed.

    Raises:
        HarnessError: there are no runs, or the steps of one cannot be read.
    """
    import pandas as pd

    rows = [_head(each) | dict(step) for each in _runs(Path(folder), task) for step in records.read_steps(each.folder)]
    return pd.DataFrame(rows)


def _head(run: records.Run) -> dict[str, Any]:
    """Return the columns that name a run."""
    spec = run.record.spec
    return {"task": spec.task, "run": spec.id, "method": spec.method, "rank": spec.rank or None, "seed": spec.seed}


def _runs(folder: Path, task: str | None) -> list[records.Run]:
    runs, _ = own_or_published(folder, task)
    if not runs:
        fix = f"harness.run(task={task or 'cfa'!r}, results={str(folder)!r})"
        raise HarnessError("there are no results", where=str(folder), fix=fix)
    return runs


def _tasks(folder: Path, runs: list[records.Run]) -> dict[str, Any]:
    """Return the tasks of runs by name, those of data files included."""
    lookup = Lookup(Options(tasks=(), results=folder))
    return dict(lookup.tasks) | {task.name: task for task, _ in lookup.of(each.record for each in runs)}


@contextlib.contextmanager
def _main_unknown() -> Iterator[None]:
    """A context in which processes do not import the user's script: it would call `run` again."""
    main = sys.modules["__main__"]
    hidden = {name: value for name in ("__file__", "__spec__") if (value := getattr(main, name, None)) is not None}
    for name in hidden:
        setattr(main, name, None)
    try:
        yield
    finally:
        for name, value in hidden.items():
            setattr(main, name, value)
