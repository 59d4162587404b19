"""`report`, `verify` and `publish`: what is done with results, without a model."""

from __future__ import annotations

import functools
import shlex
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from harness import data, program, registry, store, ui
from harness import verify as checking
from harness.commands import typed
from harness.commands.outputs import write_outputs
from harness.errors import HarnessError
from harness.options import Options
from harness.schema import Example, Record, Split, Task
from harness.verify import Check

DONE, DIFFERS = 0, 1


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


def verify(path: Path, options: Options) -> int:
    """Recompute every score below `path` from the answers; 1 where something differs."""
    folders = sorted(found.parent for found in path.rglob(store.RECORD)) if path.is_dir() else []
    if not folders:
        fix = f"run a task first: {program.command('--task', 'cfa')}"
        raise HarnessError("there are no results to verify", where=str(path), fix=fix)
    checked, differs = 0, False
    unknown: list[str] = []
    unlike: list[str] = []
    lookup = _Lookup(options)
    for folder in folders:
        try:
            record = store.read_record(folder)
        except HarnessError as problem:
            ui.checks(str(folder), [Check("record can be read", False, problem.problem)])
            differs = True
            continue
        task = lookup.task(record)
        if task is None:
            unknown.append(record.spec.task)
            continue
        found = checking.verify(folder, task, examples=lookup.examples(record.spec.task, record.spec.split))
        ui.checks(str(folder.relative_to(path)) if folder != path else str(folder), found)
        checked += 1
        if not all(check.ok for check in found):
            differs = True
            unlike += [task.name] * (task.name in lookup.files)
    ui.verified(checked, unknown, unlike)
    if not checked and not differs:
        raise HarnessError(f"the task '{unknown[0]}' is not known here", where=str(path), fix=ui.FILE_FLAGS)
    return DIFFERS if differs else DONE


class _Lookup:
    """Tasks and examples by the name that a record gives; `wanted` are those of `--task`, and `files` of them data files."""

    def __init__(self, options: Options) -> None:
        self._options = options
        asked = [
            registry.task(name, options.tasks_dirs, options.labels, dict(options.relabel), options.gold)
            for name in options.tasks
        ]
        self._tasks: dict[str, Task] = {task.name: task for task in asked}
        self.wanted = frozenset(self._tasks)
        self.files = frozenset(task.name for task in asked if Path(task.source.uri).is_file())
        for name, task in registry.recorded(options.tasks_dirs).items():
            self._tasks.setdefault(name, task)

    def task(self, record: Record) -> Task | None:
        """The task of a record, None where nothing here has its name."""
        return self._tasks.get(record.spec.task)

    @functools.cache  # noqa: B019 - lives as long as one command
    def examples(self, name: str, split: Split = "test") -> Sequence[Example] | None:
        """The task's examples of a split, None where its data is not at hand."""
        try:
            return dict(data.load_splits(self._tasks[name], data_dir=self._options.data).items())[split]
        except HarnessError:
            return None


def publish(results: Path, options: Options) -> int:
    """Copy finished, verified runs into `results/published` and write the tables and figures of all published runs."""
    lookup = _Lookup(options)
    runs = [run for run in store.read_all(results) if not lookup.wanted or run.record.spec.task in lookup.wanted]
    finished = _without_unknown([run for run in runs if run.record.status == "ok"], lookup)
    if not finished:
        raise HarnessError(
            "there are no finished runs to publish",
            where=str(results / "runs"),
            fix=typed.command("--task", "cfa", results=results),
        )
    for run in finished:
        _refuse_unproved(run, lookup)
    new = store.publish(results, finished)
    for folder in new:
        ui.say(f"published  {folder}")
    dirty = sum(run.record.environment.commit.endswith("+") for run in finished)
    if dirty:
        ui.note(f"note: {dirty} of {len(finished)} runs were made by code that was not committed")
    ui.say(f"{len(new)} new, {len(finished) - len(new)} published before")
    published = results / "published"
    commands = [shlex.join(("git", "add", str(published)))]
    if results == store.DEFAULT_ROOT:  # the README shows what is published there
        commands.append("python tests/readme_results.py   (writes the new results into the README)")
    ui.written(write_outputs(published, store.read_published(results)), *commands)
    return DONE


def _without_unknown(runs: Sequence[store.Run], lookup: _Lookup) -> list[store.Run]:
    """Leave out, with a note, runs that cannot be verified because their task is not known here."""
    unknown = Counter(run.record.spec.task for run in runs if lookup.task(run.record) is None)
    for name, count in sorted(unknown.items()):
        ui.note(f"skipped  {count} run{'s' * (count != 1)} of '{name}', a task not known here ({ui.FILE_FLAGS})")
    return [run for run in runs if run.record.spec.task not in unknown]


def _refuse_unproved(run: store.Run, lookup: _Lookup) -> None:
    task = lookup.task(run.record)
    assert task is not None
    found = checking.verify(run.folder, task, examples=lookup.examples(task.name))
    bad = next((check for check in found if not check.ok), None)
    if bad is not None:
        raise HarnessError(
            f"the run does not verify: {bad.name}: {bad.detail}",
            where=str(run.folder),
            fix=ui.FILE_FLAGS if task.name in lookup.files else "run it again, then publish",
        )
