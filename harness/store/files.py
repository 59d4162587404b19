"""Atomic writes of files, and locks of folders for one process at a time.

A process that is killed during a write leaves a hidden file `.<name>.<eight hex digits>` beside its target. The next writer
of that name removes it. A lock on the hidden file shows that its writer is still alive.
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
from harness.store import links

LOCK = ".lock"  # locked by the process that started a run
WORKING = ".working"  # locked by the process that runs it
WAIT_SECONDS = 10.0  # for a worker to notice that the process that started it was killed

WRITE_FIX = "check the folder's permissions and free space, or write to another folder with --results DIR"


@contextlib.contextmanager
def write_errors(path: Path) -> Iterator[None]:
    """Convert a system's error about a path into a `HarnessError` with a fix."""
    try:
        yield
    except OSError as error:
        links.require_targets(Path(error.filename or path))
        raise HarnessError(
            f"cannot write results: {error.strerror or error}", where=str(error.filename or path), fix=WRITE_FIX
        ) from error


def write(path: Path, content: bytes) -> Path:
    """Write a file by rename; return its path. At any moment, and after a kill, it has the old or the new content.

    Raises:
        HarnessError: the file cannot be written; the old content is unchanged.
    """
    with new_file(path) as out:
        out.write(content)
    return path


@contextlib.contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """Return a context with a file to write that comes to its place at the end, as `write` does; not at all after an error.

    Raises:
        HarnessError: the file cannot be written; the old content is unchanged.
    """
    links.require_inside(path)
    with write_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        links.require_inside(path)  # of a folder that came just now
        links.require_regular(path)
        sweep(path)
        part, out = _open_part(path)
        try:
            with out:
                yield out
                out.flush()
                os.fsync(out.fileno())
                part.replace(path)  # under the lock, so that no other writer removes it
        finally:
            part.unlink(missing_ok=True)


def _open_part(path: Path) -> tuple[Path, BinaryIO]:
    while True:
        part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        out = part.open("xb")
        if _try_lock(out) is None or part.exists():
            return part, out
        out.close()  # another writer removed it before it was locked


def sweep(path: Path) -> None:
    """Remove the hidden files of killed processes that tried to write this file."""
    for part in path.parent.glob(f".{glob.escape(path.name)}.*"):
        if re.fullmatch(r"\.[0-9a-f]{8}", part.name[len(path.name) + 1 :]):
            with (
                contextlib.suppress(OSError, HarnessError),
                os.fdopen(links.open_regular(part, os.O_RDWR), "r+b") as file,
            ):
                if _try_lock(file):
                    part.unlink(missing_ok=True)


@contextlib.contextmanager
def lock(folder: Path) -> Iterator[bool]:
    """Lock a run's folder; yield False if another process has the lock. The system releases it at the process's end.

    If the process that started a worker was killed, the worker ends as soon as it notices. The lock waits for
    that: two processes never write at the same time.
    """
    links.require_inside(folder / LOCK)
    with write_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        handle, acquired = _locked(folder / LOCK)
    with handle, _removed_after(folder / LOCK, acquired):
        try:
            yield acquired is not False and _has_no_worker(folder)
        finally:
            if acquired and (folder / WORKING).exists():  # of a worker that was killed
                with contextlib.suppress(OSError, HarnessError), work_lock(folder):
                    pass


@contextlib.contextmanager
def work_lock(folder: Path) -> Iterator[bool]:
    """Lock a folder for the process that runs it; yield False if another process does."""
    handle, acquired = _locked(folder / WORKING)
    with handle, _removed_after(folder / WORKING, acquired):
        yield acquired is not False


def _locked(path: Path) -> tuple[BinaryIO, bool | None]:
    """Return an open file and whether it is locked now, see `_try_lock`; it is the one at the path."""
    while True:
        handle = _open_lock(path)
        acquired = _try_lock(handle)
        with contextlib.suppress(OSError):
            if not acquired or os.path.samestat(os.fstat(handle.fileno()), path.stat(follow_symlinks=False)):
                return handle, acquired
        handle.close()  # the process that had the lock removed the file before this one got it


@contextlib.contextmanager
def _removed_after(path: Path, acquired: bool | None) -> Iterator[None]:
    """A context after which a file that this process has locked is gone: finished folders hold results only."""
    try:
        yield
    finally:
        if acquired:
            with contextlib.suppress(OSError):
                path.unlink()


def _open_lock(path: Path) -> BinaryIO:
    return os.fdopen(links.open_regular(path, os.O_RDWR | os.O_CREAT), "r+b")


@contextlib.contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Return a context with an empty folder, whose files a library writes; at the end it comes to its place as a whole.

    The files get their permissions by the umask, whatever the library thinks of it.
    """
    links.require_inside(path)
    with write_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        part.mkdir()
    try:
        yield part
        with write_errors(path):
            set_permissions(part)
            remove(path)
            part.rename(path)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def set_permissions(folder: Path) -> None:
    """Give the files of a folder the permissions of new ones; safetensors writes files that only their owner can read."""
    for file in folder.rglob("*"):
        if file.is_file() and not file.is_symlink():
            file.chmod(links.by_umask())


def remove(path: Path) -> None:
    """Remove a file, a folder with its content, or a symbolic link but not what it leads to; nothing if there is none."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def sweep_folder(path: Path) -> None:
    """Remove the hidden folders of killed processes that were to become this folder; call it under the run's lock."""
    for part in path.parent.glob(f".{glob.escape(path.name)}.*"):
        if re.fullmatch(r"\.[0-9a-f]{8}", part.name[len(path.name) + 1 :]):
            remove(part)


def _has_no_worker(folder: Path) -> bool:
    end = time.monotonic() + WAIT_SECONDS
    while True:
        with write_errors(folder), work_lock(folder) as acquired:
            if acquired or time.monotonic() > end:
                return acquired
        time.sleep(0.02)


def _try_lock(handle: IO[bytes] | IO[str]) -> bool | None:
    """Lock an open file until it is closed; return False if another process has the lock, None if the disk has no locks."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:  # a network folder without locks
        return None
    return True


def require_space(root: Path, bytes_needed: int) -> None:
    """Raise a `HarnessError` if `root`'s disk has less than `bytes_needed` free."""
    free = shutil.disk_usage(_existing_path(root)).free
    if free < bytes_needed:
        raise HarnessError(
            f"not enough disk space: {free / 2**20:,.0f} MiB free, about {bytes_needed / 2**20:,.0f} MiB needed",
            where=str(root),
            fix="free some space, or write to another disk with --results DIR",
        )


def require_writable(root: Path) -> None:
    """Raise a `HarnessError` if files cannot be created below `root`; nothing is created for the test."""
    links.require_inside(root / "runs" / "any")
    path = _existing_path(root / "runs")
    if not path.is_dir():
        raise HarnessError(
            "cannot write results: the path is a file, a folder is needed", where=str(path), fix=WRITE_FIX
        )
    if not os.access(path, os.W_OK | os.X_OK):
        raise HarnessError("cannot write results: no permission", where=str(path), fix=WRITE_FIX)


def _existing_path(path: Path) -> Path:
    """Return the path, or the nearest existing folder above it."""
    for candidate in (path.absolute(), *path.absolute().parents):
        with contextlib.suppress(PermissionError):  # a folder without permission
            if candidate.exists():
                return candidate
    return Path(path.absolute().anchor)
