"""Where a publication comes from: code that anybody can check out, pinned weights and data, records never changed.

What git remembers is asked of git: a record may be added to a publication, and never change or leave.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from harness import environment
from harness.record import Record
from harness.schema import Source, Task
from harness.store import records
from harness.verify.check import Check, check

KNOWN = "the commit is in the history of this repository"
CLEAN = "the code was committed when it ran"
MODEL = "the model's weights are pinned"
DATA = "the task's data is pinned"
WHOLE = "every run came to an end"
APPENDED = "no published run was changed later"
PINNED = re.compile("[0-9a-f]{12,64}")  # of a commit, or of a checksum


def of_record(record: Record) -> list[Check]:
    """Look at what one published record says it was made of, and whether it came to an end."""
    name, revision = record.environment.commit, record.spec.model_revision
    commit = name.removesuffix("+")
    return [
        check(WHOLE, [] if record.status in records.PUBLISHABLE else [f"the run is {record.status}"]),
        check(CLEAN, [f"{name}: files were changed that are in no commit"] if name.endswith("+") else []),
        check(KNOWN, [] if environment.knows_commit(commit) else [f"commit {commit or '(none)'} is not known here"]),
        check(MODEL, [] if PINNED.fullmatch(revision) else [f"{record.spec.model} @ {revision or '(nothing)'}"]),
    ]


def of_task(task: Task) -> Check:
    """Look whether a task's data is pinned by a checksum or a commit."""
    return check(DATA, [] if _pinned(task.source) else [f"{task.name}: neither checksum nor commit of {_place(task)}"])


def _pinned(source: Source) -> bool:
    return bool(PINNED.fullmatch(source.sha256) or PINNED.fullmatch(source.revision))


def _place(task: Task) -> str:
    return Path(task.source.uri).name if Path(task.source.uri).is_absolute() else task.source.uri


def of_history(root: Path) -> list[Check]:
    """Ask git for records and answers below `root` that were changed or removed after they were committed.

    Nothing where the folder is in no repository: then there is no history to ask.
    """
    try:
        _git(root, "rev-parse", "--show-toplevel")
        changed_or_gone = ("--name-only", "--no-renames", "--diff-filter=MDT", "--relative")
        log = _git(root, "log", "--format=", "-m", *changed_or_gone, "--", ".")  # -m: what a merge changed too
        now = _git(root, "diff", *changed_or_gone, "HEAD", "--", ".")
    except (OSError, subprocess.SubprocessError):
        return []
    changed = {name for name in [*log, *now] if PurePosixPath(name).name in (records.RECORD, records.ANSWERS)}
    return [Check(APPENDED, False, "changed or removed after it was committed", name) for name in sorted(changed)] or [
        Check(APPENDED, True)
    ]


def _git(folder: Path, *arguments: str) -> Sequence[str]:
    command = ["git", "-c", "core.quotepath=off", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout.splitlines()
