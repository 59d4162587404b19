"""The tasks that records name, as they are here, and their examples."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from harness import data, registry
from harness.data import Splits
from harness.errors import HarnessError
from harness.options import Options
from harness.schema import Example, Record, Task


class Lookup:
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
        self.references = {task.name: name for task, name in zip(asked, options.tasks, strict=True)}
        for name, task in registry.recorded(options.tasks_dirs).items():
            self._tasks.setdefault(name, task)

    @property
    def known(self) -> Mapping[str, Task]:
        """Every task that is known here, by name."""
        return self._tasks

    def task(self, record: Record) -> Task | None:
        """The task of a record, None where nothing here has its name."""
        return self._tasks.get(record.spec.task)

    def examples(self, name: str) -> Sequence[Example] | None:
        """The task's test examples, None where its data is not at hand."""
        found = self.splits(name)
        return found.test if found else None

    @functools.cache  # noqa: B019 - lives as long as one command
    def splits(self, name: str) -> Splits | None:
        """All the task's examples, None where its data is not at hand."""
        try:
            return data.load_splits(self._tasks[name], data_dir=self._options.data)
        except HarnessError:
            return None

    def of(self, records: Iterable[Record]) -> list[tuple[Task, Splits | None]]:
        """The known tasks of these records with their examples."""
        names = sorted({record.spec.task for record in records} & self._tasks.keys())
        return [(self._tasks[name], self.splits(name)) for name in names]
