"""Checks that a run's folder matches its record: the id is the hash of the spec, the path's words are the spec's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from harness.record import Record, Status
from harness.schema import Task
from harness.store import records
from harness.verify.check import Check, check, check_equal

SPEC_ID = "spec id matches the folder name"
FOLDER_PATH = "folder path matches the spec"
TASK_VERSION = "task name and version match the record"
TASK_AVAILABLE = "task is available"
STATUS = "status and reason agree"
UNIQUE_RUNS = "no run occurs twice"


def run_checks(folder: Path, record: Record, task: Task) -> list[Check]:
    """Return the checks of a run's folder and of the task of that name against its record."""
    spec, path = record.spec, folder.resolve()
    words = records.relative_dir(spec).parts
    return [
        check_equal(SPEC_ID, path.name.rpartition("-")[2], spec.id),
        check_equal(FOLDER_PATH, "/".join(path.parts[-len(words) :]), "/".join(words)),
        check_equal(TASK_VERSION, f"{spec.task} v{spec.task_version}", f"{task.name} v{task.version}"),
        check(STATUS, _status_faults(record)),
    ]


def _status_faults(record: Record) -> list[str]:
    """Return a fault if a run has a reason although it finished, or none although it did not, or an unknown status."""
    if record.status not in get_args(Status):
        return [f"the status is {record.status!r}"]
    if (record.status == "ok") == bool(record.reason):
        return [f"the run is {record.status} and gives the reason {record.reason!r}"]
    return []


def publication_checks(runs: Sequence[records.Run]) -> list[Check]:
    """Return the check that no run's id occurs in several folders."""
    counts = Counter(run.record.spec.id for run in runs)
    return [check(UNIQUE_RUNS, [name for name, count in counts.items() if count > 1])]
