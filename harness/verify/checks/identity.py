"""Checks that a run's folder matches its record: the id is the hash of the spec, the path's words are the spec's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from harness.record import Record
from harness.schema import Task
from harness.store import records
from harness.verify.check import Check, check, check_equal

SPEC_ID = "spec id matches the folder name"
FOLDER_PATH = "folder path matches the spec"
TASK_VERSION = "task name and version match the record"
TASK_AVAILABLE = "task is available"
UNIQUE_RUNS = "no run occurs twice"


def run_checks(folder: Path, record: Record, task: Task) -> list[Check]:
    """Return the checks of a run's folder and of the task of that name against its record."""
    spec, path = record.spec, folder.resolve()
    words = records.relative_dir(spec).parts
    return [
        check_equal(SPEC_ID, path.name.rpartition("-")[2], spec.id),
        check_equal(FOLDER_PATH, "/".join(path.parts[-len(words) :]), "/".join(words)),
        check_equal(TASK_VERSION, f"{spec.task} v{spec.task_version}", f"{task.name} v{task.version}"),
    ]


def publication_checks(runs: Sequence[records.Run]) -> list[Check]:
    """Return the check that no run's id occurs in several folders."""
    counts = Counter(run.record.spec.id for run in runs)
    return [check(UNIQUE_RUNS, [name for name, count in counts.items() if count > 1])]
