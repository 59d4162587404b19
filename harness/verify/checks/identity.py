"""Is a run the one that its folder says? The id is the hash of the spec, the words are the spec's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from harness.record import Record
from harness.schema import Task
from harness.store import records
from harness.verify.check import Check, check, same

HASH = "the spec hashes to the id in the folder's name"
WORDS = "the folder's words say what the spec says"
TASK = "the task is the one that ran"
KNOWN = "the task is known here"
ONCE = "no run is there twice"


def of_run(folder: Path, record: Record, task: Task) -> list[Check]:
    """Hold a run's folder and the task of that name against its record."""
    spec, place = record.spec, folder.resolve()
    words = records.relative_dir(spec).parts
    return [
        same(HASH, place.name.rpartition("-")[2], spec.id),
        same(WORDS, "/".join(place.parts[-len(words) :]), "/".join(words)),
        same(TASK, f"{spec.task} v{spec.task_version}", f"{task.name} v{task.version}"),
    ]


def of_all(runs: Sequence[records.Run]) -> list[Check]:
    """Look for runs of one id in several folders."""
    counts = Counter(run.record.spec.id for run in runs)
    return [check(ONCE, [name for name, count in counts.items() if count > 1])]
