"""The run of a name that a user types, and the task of a name in a record, with its examples as they are here."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from harness.adapters import library
from harness.adapters.library import StoredAdapter
from harness.cli import next_command
from harness.data import probes, registry
from harness.data.file_task import DECIMAL_COMMA
from harness.data.loading import Splits
from harness.data.source import TaskSource
from harness.data.split import sample
from harness.errors import HarnessError
from harness.record import DataFile, Record, Split
from harness.runs.options import Options
from harness.schema import Example, Task
from harness.store import records
from harness.store.find import find_run

SEVERAL = "pass TASK/NAME such as cfa/lora-r8, or an id; `adapters list` shows them"


MAX_ABOVE = 6  # folders between a run and what holds its results folder


class Lookup:
    """Tasks and examples by their names in records; `selected` are those of `--task`, `files` those of them in data files.

    `absent` are the data files of records, by task, that are gone or have changed.
    """

    def __init__(self, options: Options, path: Path | None = None) -> None:
        """Read the tasks; data files of records are searched from the results folder, `path` and the folders above."""
        pairs = [(source := options.source(name).unlimited(), source.task()) for name in options.tasks]
        self._tasks: dict[str, Task] = {task.name: task for _, task in pairs}
        self.selected = frozenset(self._tasks)
        self.files = frozenset(task.name for _, task in pairs if Path(task.source.uri).is_file())
        self._sources = {task.name: source for source, task in pairs}
        folders = [folder.absolute() for folder in (options.results, path or options.results)]
        self._above = [above for folder in folders for above in (folder, *folder.parents[:MAX_ABOVE])]
        self._folders = TaskSource("", options.tasks_dirs, options.data)
        self.absent: dict[str, str] = {}
        for name, task in registry.recorded(options.tasks_dirs).items():
            self._tasks.setdefault(name, task)

    @property
    def tasks(self) -> Mapping[str, Task]:
        """Every task that is known here, by name."""
        return self._tasks

    def task(self, record: Record) -> Task | None:
        """Return the task of a record, None if nothing here has its name."""
        name = record.spec.task
        if name not in self._tasks:
            self._read_otherwise(name)
        if name not in self._tasks and record.data_file is not None:
            self._read_recorded(name, record.data_file)
        return self._tasks.get(name)

    def _read_recorded(self, name: str, file: DataFile) -> None:
        """Add the task of a record's data file, if it lies where the record says and is unchanged."""
        source = self._folders.recorded(file, self._above)
        if source is None:
            self.absent[name] = " or ".join([file.path, *(text.partition("=")[2] for text in file.further)])
        with contextlib.suppress(HarnessError):  # this version reads the file otherwise: the task is not known here
            if source is not None and (task := source.task()).name == name:
                self._tasks[name], self._sources[name] = task, source
                self.files |= {name}

    def _read_otherwise(self, name: str) -> None:
        """Add the task of a data file that is read as the name in a record says: with or without a decimal comma."""
        for known in self.files:
            other = known.removesuffix(DECIMAL_COMMA) if known.endswith(DECIMAL_COMMA) else known + DECIMAL_COMMA
            if name != other:
                continue
            source = replace(self._sources[known], decimal_comma=other.endswith(DECIMAL_COMMA))
            with contextlib.suppress(HarnessError):  # the file has no such numbers any more: the task is not known here
                self._tasks[name], self._sources[name] = source.task(), source
                self.files |= {name}
            return

    def source(self, task: Task) -> TaskSource:
        """Return how all examples of a known task are obtained."""
        if task.name in self._sources:
            return self._sources[task.name]
        name = task.name.removesuffix("-audited") if task.gold == "audited" else task.name
        return replace(self._folders, name=name, gold=task.gold)

    def reference(self, name: str) -> str:
        """Return the name or file by which the task of this name is found; the name itself if the task is unknown."""
        return self.source(self._tasks[name]).name if name in self._tasks else name

    def examples(self, name: str, split: Split = "test") -> Sequence[Example] | None:
        """Return the task's examples of a split, None if its data is not at hand."""
        splits = self.splits(name)
        return dict(splits.items())[split] if splits else None

    @functools.cache  # noqa: B019 - lives as long as one command
    def splits(self, name: str) -> Splits | None:
        """Return all the task's examples, None if its data is not at hand."""
        try:
            task = self._tasks[name]
            return self.source(task).splits(task)
        except HarnessError:
            return None

    def probed(self, record: Record) -> dict[str, tuple[Task, Sequence[Example] | None]]:
        """Return the known tasks of a record's probes with their questions; None as questions if data is not at hand."""
        tasks, limit = self.probe_tasks(record), self.probe_limit(record)
        questions = {name: (task, probes.questions(s, limit) if s else None) for name, (task, s) in tasks.items()}
        return questions | self._reordered(record)

    def probe_tasks(self, record: Record) -> dict[str, tuple[Task, Splits | None]]:
        """Return the known tasks of a record's probes with all their examples."""
        return {name: (self._tasks[name], self.splits(name)) for name in record.probes if name in self._tasks}

    def probe_limit(self, record: Record) -> int:
        """Return how many questions of each probe were asked at most."""
        return probes.limit_of(record, self.probe_tasks(record))

    def _reordered(self, record: Record) -> dict[str, tuple[Task, Sequence[Example] | None]]:
        """Return the record's test questions with their options in another order, if its model was asked these."""
        name, task, examples = probes.reordered(record.spec.task), self.task(record), self.examples(record.spec.task)
        if name not in record.probes or task is None:
            return {}
        again = tuple(map(probes.reorder, sample(tuple(examples), record.spec.test_examples))) if examples else None
        return {name: (replace(task, name=name), again)}

    def of(self, records: Iterable[Record]) -> list[tuple[Task, Splits | None]]:
        """Return the known tasks of these records with their examples."""
        tasks = {record.spec.task: self.task(record) for record in records}
        return [(task, self.splits(name)) for name, task in sorted(tasks.items()) if task is not None]


def find(name: str, results: Path) -> StoredAdapter:
    """Return the adapter of a run, given the run's name, the beginning of its id, or its folder.

    Raises:
        HarnessError: no such run, several of them, a run without an adapter, or a damaged one.
    """
    is_folder = (Path(name) / records.RECORD).is_file()
    runs = [] if is_folder else records.read_with_sequences(results)
    if not is_folder and not runs:
        raise next_command.no_results("there are no runs", results)
    return library.read(find_run(name, runs, several=SEVERAL))
