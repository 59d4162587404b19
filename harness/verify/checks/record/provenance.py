"""Checks of a publication's origin: code that anybody can check out, pinned weights and data, unchanged records.

Git's history shows whether a published record was changed or removed: records may only be added.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from harness import environment
from harness.errors import HarnessError
from harness.record import Record
from harness.schema import Source, Task
from harness.store import answer_files, archive, records
from harness.verify.check import Check, check
from harness.verify.checks.publication import files

COMMIT = "commit is in this repository's history"
COMMITTED = "code was committed before the run"
MODEL = "model weights are pinned"
DATA = "task data is pinned"
COMPLETE = "every run finished or ran out of memory"
HISTORY = "published runs are unchanged since their commit"
FILTERS = ("--raw", "--no-abbrev", "--no-renames", "--diff-filter=MDT", "--relative")
LOG = ("log", "--format=", "-m", *FILTERS)  # -m: changes of a merge too
PINNED = re.compile("[0-9a-f]{12,64}")  # a commit or a checksum


def record_checks(record: Record) -> list[Check]:
    """Return the checks of a record's code, weights and status."""
    name, revision = record.environment.commit, record.spec.model_revision
    commit = name.removesuffix("+")
    return [
        check(COMPLETE, [] if record.status in records.PUBLISHABLE else [f"the run is {record.status}"]),
        check(COMMITTED, [f"{name}: the working tree had uncommitted changes"] if name.endswith("+") else []),
        check(
            COMMIT,
            [] if environment.knows_commit(commit) else [f"commit {commit or '(none)'} is not in this repository"],
        ),
        check(MODEL, [] if PINNED.fullmatch(revision) else [f"{record.spec.model} @ {revision or '(nothing)'}"]),
    ]


def task_check(task: Task) -> Check:
    """Return the check that a task's data is pinned by a checksum or a commit."""
    return check(
        DATA, [] if _pinned(task.source) else [f"{task.name}: no checksum or commit is given for {_source_name(task)}"]
    )


def _pinned(source: Source) -> bool:
    return bool(PINNED.fullmatch(source.sha256) or PINNED.fullmatch(source.revision))


def _source_name(task: Task) -> str:
    return Path(task.source.uri).name if Path(task.source.uri).is_absolute() else task.source.uri


def history_checks(root: Path) -> list[Check]:
    """Return a failed check for each record or answers file below `root` that git shows as changed or removed.

    Packing is not a change: answers may be replaced by the same lines, packed. Neither is a move to an archive beside the
    folder, whose own commit verifies what was there before. The list is empty if the folder is in no repository.
    """
    try:
        _git(root, "rev-parse", "--show-toplevel")
        log = _git(root, *LOG, "--", ".")
        now = _git(root, "diff", *FILTERS, "HEAD", "--", ".")
    except (OSError, subprocess.SubprocessError):
        return []
    versions = {_name_and_blob(line) for line in [*log, *now] if line} - _archived_before(root)
    places = [root, *archive.former_places(root)]
    changed = {name for name, blob in versions if files.is_evidence(name) and not _is_in(places, name, blob)}
    return [
        Check(HISTORY, False, "the file was changed or removed after its commit", name) for name in sorted(changed)
    ] or [Check(HISTORY, True)]


def _archived_before(root: Path) -> set[tuple[str, str]]:
    """Return (path, git's hash) of the changes up to the commit of an archive, of files that the archive has."""
    before: set[tuple[str, str]] = set()
    for place in archive.former_places(root):
        try:
            lines = _git(root, *LOG, archive.read(place.parent).commit, "--", ".")
        except (HarnessError, OSError, subprocess.SubprocessError):
            continue
        before |= {(name, blob) for name, blob in map(_name_and_blob, filter(None, lines)) if (place / name).is_file()}
    return before


def _name_and_blob(line: str) -> tuple[str, str]:
    """Return the path in a line of `git log --raw`, and git's hash of its former content."""
    modes, _, name = line.partition("\t")
    return name, modes.split()[2]


def _is_in(places: Sequence[Path], name: str, blob: str) -> bool:
    """Return whether a file is in the first folder in a newer form, or in an archive as it was or in a newer form."""
    return any(_is_packed_since(place / name, blob) for place in places) or any(
        _is_file(place / name, blob) for place in places[1:]
    )


def _is_file(path: Path, blob: str) -> bool:
    return path.is_file() and _blob(path.read_bytes(), blob) == blob


def _is_packed_since(path: Path, blob: str) -> bool:
    """Return whether the file with git's hash `blob` is the uncompressed form of the packed answers at `path`."""
    try:
        replaced = answer_files.is_loose(path.name) and not path.exists()
        return replaced and _blob(answer_files.read_bytes(path.parent, path.name), blob) == blob
    except (HarnessError, OSError, ValueError, RecursionError):
        return False


def _blob(content: bytes, example: str) -> str:
    """Return git's hash of a file with this content, by the algorithm of the hash `example`."""
    digest = hashlib.sha256() if len(example) == 64 else hashlib.sha1(usedforsecurity=False)
    digest.update(b"blob %d\0" % len(content) + content)
    return digest.hexdigest()


def _git(folder: Path, *arguments: str) -> Sequence[str]:
    command = ["git", "-c", "core.quotepath=off", *arguments]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=True)
    return result.stdout.splitlines()
