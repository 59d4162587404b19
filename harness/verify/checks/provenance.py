"""Where a publication comes from: code that anybody can check out, pinned weights and data, records never changed.

What git remembers is asked of git: a record may be added to a publication, and never change or leave.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from harness import environment
from harness.errors import HarnessError
from harness.record import SCHEMA_VERSION, Record
from harness.schema import Source, Task
from harness.store import answer_files, records
from harness.verify.check import Check, check
from harness.verify.checks import files

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

    Packing is not a change: a record of schema 1 may be raised to the current schema, and its answers replaced by the
    same lines, packed. Nothing where the folder is in no repository: then there is no history to ask.
    """
    try:
        _git(root, "rev-parse", "--show-toplevel")
        changed_or_gone = ("--raw", "--no-abbrev", "--no-renames", "--diff-filter=MDT", "--relative")
        log = _git(root, "log", "--format=", "-m", *changed_or_gone, "--", ".")  # -m: what a merge changed too
        now = _git(root, "diff", *changed_or_gone, "HEAD", "--", ".")
    except (OSError, subprocess.SubprocessError):
        return []
    before = {_name_and_blob(line) for line in [*log, *now] if line}
    lost = {name for name, blob in before if files.is_evidence(name) and not _is_packed_since(root / name, blob)}
    return [Check(APPENDED, False, "changed or removed after it was committed", name) for name in sorted(lost)] or [
        Check(APPENDED, True)
    ]


def _name_and_blob(line: str) -> tuple[str, str]:
    """Return the path in a line of `git log --raw`, and git's hash of its former content."""
    modes, _, name = line.partition("\t")
    return name, modes.split()[2]


def _is_packed_since(path: Path, blob: str) -> bool:
    """Return whether the file with git's hash `blob` is stored here in the form of a newer schema, otherwise equal."""
    try:
        if path.name == records.RECORD:
            text = path.read_bytes().decode("utf-8")
            older = {records.with_schema(text, version) for version in range(1, SCHEMA_VERSION)} - {text}
            return blob in {_blob(version.encode(), blob) for version in older}
        replaced = answer_files.is_loose(path.name) and not path.exists()
        return replaced and _blob(answer_files.read_bytes(path.parent, path.name), blob) == blob
    except (HarnessError, OSError, ValueError, RecursionError):
        return False


def _blob(content: bytes, example: str) -> str:
    """Return git's hash of a file with this content, by the algorithm that the hash `example` was made with."""
    digest = hashlib.sha256() if len(example) == 64 else hashlib.sha1(usedforsecurity=False)
    digest.update(b"blob %d\0" % len(content) + content)
    return digest.hexdigest()


def _git(folder: Path, *arguments: str) -> Sequence[str]:
    command = ["git", "-c", "core.quotepath=off", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout.splitlines()
