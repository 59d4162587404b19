"""Files that are there whole or not at all, and folders that one process holds at a time.

A process that is killed while it writes leaves a hidden file `.<name>.<eight hex digits>` beside the one it was writing,
which the next writer of that name takes away. It can tell it from another's at work by the lock that the living hold.
"""

from __future__ import annotations

import contextlib
import fcntl
import glob
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, BinaryIO

from harness.errors import HarnessError

LOCK = ".lock"  # held by who started a run
WORKING = ".working"  # held by the process that does it
PATIENCE = 10.0  # seconds that the worker of a starter that was killed has for noticing it

WRITE_FIX = "check the folder's permissions and free space, or write to another folder with --results DIR"


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn the system's error about a path into one that a user can act on."""
    try:
        yield
    except OSError as error:
        raise HarnessError(
            f"cannot write results: {error.strerror or error}", where=str(error.filename or path), fix=WRITE_FIX
        ) from error


def write(path: Path, content: bytes) -> Path:
    """Write a file by rename: who reads it at any moment, or after a kill, finds the old content or the new.

    Raises:
        HarnessError: it cannot be written; what was there before is still there.
    """
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        sweep(path)
        part, out = _open_part(path)
        try:
            with out:
                out.write(content)
                out.flush()
                os.fsync(out.fileno())
                part.replace(path)  # while the lock is held, so that nobody takes it for a dead one's
        finally:
            part.unlink(missing_ok=True)
    return path


def _open_part(path: Path) -> tuple[Path, BinaryIO]:
    while True:
        part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        out = part.open("xb")
        if _hold(out) is None or part.exists():
            return part, out
        out.close()  # another writer swept it away before we had locked it


def sweep(path: Path) -> None:
    """Remove what processes that were killed left of their attempts to write this file."""
    for part in path.parent.glob(f".{glob.escape(path.name)}.*"):
        if re.fullmatch(r"\.[0-9a-f]{8}", part.name[len(path.name) + 1 :]):
            with contextlib.suppress(OSError), part.open("r+b") as found:
                if _hold(found):
                    part.unlink(missing_ok=True)


@contextlib.contextmanager
def lock(folder: Path) -> Iterator[bool]:
    """Hold a run's folder; yields False where another process holds it. The system drops it when we die.

    The worker of a starter that was killed ends as soon as it notices; it is waited for, so that no two write at once.
    """
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
        handle = (folder / LOCK).open("w")
    with handle:
        yield _hold(handle) is not False and _deserted(folder)


@contextlib.contextmanager
def working(folder: Path) -> Iterator[bool]:
    """Say, for the life of this process, that it does the folder's run; yields False where another one does."""
    with (folder / WORKING).open("w") as handle:
        yield _hold(handle) is not False


def _deserted(folder: Path) -> bool:
    end = time.monotonic() + PATIENCE
    while True:
        with explained(folder), working(folder) as ours:
            if ours or time.monotonic() > end:
                return ours
        time.sleep(0.02)


def _hold(handle: IO[bytes] | IO[str]) -> bool | None:
    """Lock an open file for as long as it is open; False if another process has the lock, None if its disk has no locks."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:  # a network folder without locks
        return None
    return True


def require_space(root: Path, bytes_needed: int) -> None:
    """Refuse to start where `root`'s disk has less than `bytes_needed` free."""
    free = shutil.disk_usage(_nearest(root)).free
    if free < bytes_needed:
        raise HarnessError(
            f"not enough disk space: {free / 2**20:,.0f} MiB free, about {bytes_needed / 2**20:,.0f} MiB needed",
            where=str(root),
            fix="free some space, or write to another disk with --results DIR",
        )


def require_writable(root: Path) -> None:
    """Refuse to start where files cannot be created below `root`. Nothing is created to find out."""
    place = _nearest(root / "runs")
    if not place.is_dir():
        raise HarnessError("cannot write results: this is a file, not a folder", where=str(place), fix=WRITE_FIX)
    if not os.access(place, os.W_OK | os.X_OK):
        raise HarnessError("cannot write results: no permission", where=str(place), fix=WRITE_FIX)


def _nearest(path: Path) -> Path:
    """The path, or the nearest folder above it that is there."""
    for place in (path.absolute(), *path.absolute().parents):
        with contextlib.suppress(PermissionError):  # what lies in a folder that is closed to us
            if place.exists():
                return place
    return Path(path.absolute().anchor)
