"""How the examples of a task are obtained: the record that a plan and its workers both read a task from.

A source names a task and everything that decides which examples it yields on this machine. A plan makes one from the
flags and passes it to each worker, which reads the same examples again and checks their fingerprint.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from harness.data import audit, loading, registry
from harness.data.file_task import file_name, file_task
from harness.data.loading import Splits
from harness.data.raw import digest_of
from harness.data.readers import SUFFIXES
from harness.errors import HarnessError
from harness.record import DataFile, Split
from harness.schema import Gold, Task


@dataclass(frozen=True)
class TaskSource:
    """The name or data file of a task, and the settings that decide its examples.

    Attributes:
        name: a task's name, or a path to a data file, recognised by its extension or a path separator.
        tasks_dirs: further folders of task files.
        data_dir: the folder of data that the project does not ship, see `loading.resolve`.
        labels: the classes of a data file, see `file_task`.
        relabel: pairs (label in the data file, label to use).
        decimal_comma: the numbers of a data file have a decimal comma.
        columns: pairs (column of a data file, its use).
        drop_bad: rows of a data file that have a fault are left out.
        instruction: the question below each context of a data file, see `file_task`.
        encoding: of the text of a data file; empty for that of its mark, or UTF-8.
        test_data: the file of the test, if the data file is that of training; None if it has both.
        validation_data: the file of validation, beside `test_data`.
        gold: the gold answers of the source, or those that the task's audit corrected.
        train_limit: at most so many training examples; 0 is all.
        test_limit: at most so many test examples, and as many validation examples; 0 is all.
    """

    name: str
    tasks_dirs: tuple[Path, ...] = ()
    data_dir: Path | None = None
    labels: tuple[str, ...] = ()
    relabel: tuple[tuple[str, str], ...] = ()
    gold: Gold = "source"
    train_limit: int = 0
    test_limit: int = 0
    decimal_comma: bool = False
    columns: tuple[tuple[str, str], ...] = ()
    drop_bad: bool = False
    instruction: str = ""
    encoding: str = ""
    test_data: Path | None = None
    validation_data: Path | None = None

    @property
    def further(self) -> dict[Split, Path]:
        """The files of a data file's test and validation, by split."""
        files: dict[Split, Path | None] = {"validation": self.validation_data, "test": self.test_data}
        return {split: path for split, path in files.items() if path is not None}

    def task(self) -> Task:
        """Return the task, with its gold answers chosen.

        Raises:
            HarnessError: an unknown or broken task, an unfit data file, labels for a task that is no data file, or
                audited gold for a task without an audit.
        """
        return audit.choose(self._task(), self.gold)

    def splits(self, task: Task) -> Splits:
        """Return the examples of the task, checked and limited; errors as `loading.load_splits`."""
        return loading.load_splits(
            task, data_dir=self.data_dir, train_limit=self.train_limit, test_limit=self.test_limit
        )

    def sibling(self, name: str, *, train_limit: int = 0) -> TaskSource:
        """Return the source of another task in the same folders, by default with all its examples."""
        return TaskSource(name, self.tasks_dirs, self.data_dir, train_limit=train_limit)

    def unlimited(self) -> TaskSource:
        """Return the source of all the task's examples."""
        return replace(self, train_limit=0, test_limit=0)

    @property
    def is_file(self) -> bool:
        """Whether the name is that of a data file, and of no task."""
        names = registry.tasks(self.tasks_dirs)
        return self.name not in names and self.name not in registry.unlisted() and _is_path(self.name)

    def data_file(self, results: Path) -> DataFile | None:
        """Return the data file with its path from the results folder and the settings of its reading; None for other tasks.

        Raises:
            HarnessError: the file is gone.
        """
        if not self.is_file:
            return None
        return DataFile(
            path=_from(results, Path(self.name)),
            sha256=digest_of(Path(self.name)),
            further=tuple(f"{split}={_from(results, path)}" for split, path in self.further.items()),
            further_sha256=tuple(map(digest_of, self.further.values())),
            labels=self.labels,
            relabel=tuple(map("=".join, self.relabel)),
            decimal_comma=self.decimal_comma,
            columns=tuple(map("=".join, self.columns)),
            drop_bad=self.drop_bad,
            instruction=self.instruction,
            encoding=self.encoding,
        )

    def recorded(self, file: DataFile, folders: Iterable[Path]) -> TaskSource | None:
        """Return the source of a record's data file, None if it lies below none of these folders with its content unchanged."""
        folders = list(folders)
        names = ["train", *(text.partition("=")[0] for text in file.further)]
        paths = [file.path, *(text.partition("=")[2] for text in file.further)]
        sums = [file.sha256, *file.further_sha256]
        files = {
            name: _unchanged(path, sha256, folders) for name, path, sha256 in zip(names, paths, sums, strict=False)
        }
        if len(files) < len(names) or None in files.values():
            return None
        return replace(
            self,
            name=str(files["train"]),
            labels=file.labels,
            relabel=_pairs(file.relabel),
            decimal_comma=file.decimal_comma,
            columns=_pairs(file.columns),
            drop_bad=file.drop_bad,
            instruction=file.instruction,
            encoding=file.encoding,
            test_data=files.get("test"),
            validation_data=files.get("validation"),
        )

    def _task(self) -> Task:
        tasks = registry.tasks(self.tasks_dirs)
        if self.is_file:
            name = file_name(self.name)
            return file_task(
                self.name,
                labels=self.labels,
                relabel=dict(self.relabel),
                name=f"{name}-file" if name in tasks else name,
                decimal_comma=self.decimal_comma,
                columns=dict(self.columns),
                drop_bad=self.drop_bad,
                instruction=self.instruction,
                encoding=self.encoding,
                further=self.further,
            )
        task = registry.task_among(tasks, self.name)
        self._refuse_settings_of_files(task)
        return task

    def _refuse_settings_of_files(self, task: Task) -> None:
        if self.labels or self.relabel:
            fix = "leave --labels and --relabel out"
            raise HarnessError("labels can be set for a data file only", where=f"task {task.name}", fix=fix)
        settings = {
            "a decimal comma": ("--decimal-comma", self.decimal_comma),
            "columns": ("--columns", self.columns),
            "leaving rows out": ("--drop-bad", self.drop_bad),
            "an instruction": ("--instruction", self.instruction),
            "an encoding": ("--encoding", self.encoding),
            "a file of the test": ("--test-data", self.test_data),
            "a file of validation": ("--validation-data", self.validation_data),
        }
        for noun, (flag, value) in settings.items():
            if value:
                problem = f"{noun} can be set for a data file only"
                raise HarnessError(problem, where=f"task {task.name}", fix=f"leave {flag} out")


def _from(results: Path, path: Path) -> str:
    """Return the path of a data file from the results folder."""
    return Path(os.path.relpath(path, results)).as_posix()


def _unchanged(path: str, sha256: str, folders: Iterable[Path]) -> Path | None:
    """Return a record's file below one of these folders, None if none has it with its content."""
    for candidate in dict.fromkeys(folder / path for folder in folders):
        with contextlib.suppress(HarnessError):
            if candidate.suffix.lower() in SUFFIXES and candidate.is_file() and digest_of(candidate) == sha256:
                return Path(os.path.normpath(candidate))
    return None


def _pairs(texts: Iterable[str]) -> tuple[tuple[str, str], ...]:
    parts = (text.rpartition("=") for text in texts)
    return tuple((first, second) for first, _, second in parts)


def _is_path(text: str) -> bool:
    path = Path(text)
    return path.suffix.lower() in SUFFIXES or len(path.parts) > 1 or path.exists()
