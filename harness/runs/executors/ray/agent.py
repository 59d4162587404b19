"""The actor on a node: a cache of files by their hash, and the line to the process that does the runs.

Ray sends this module by value, since a node need not have the project: it imports nothing but the standard library. Whatever
it passes on between the program and the host is bytes to it.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib
import os
import queue
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

CHUNK = 2**25  # bytes of a file in one message
UNUSED_SECONDS = 30 * 24 * 3600.0  # after which a parcel in the cache is dropped
LEFT_SECONDS = 2 * 24 * 3600.0  # after which the folder of a run is dropped whose agent was killed
SIZE = 8  # bytes before a message, with its length


class Agent:
    """One run at a time on this node; the host lives from the first run to the last."""

    def __init__(self, root: str, variables: dict[str, str | None]) -> None:
        self._root = Path(root or _default_root())
        self._variables = variables
        self._host: subprocess.Popen[bytes] | None = None
        self._messages: queue.Queue[bytes | None] = queue.Queue()

    def facts(self, mark: str) -> dict[str, Any]:
        """Return the node's name and cache, and whether it sees the file `mark` of the program's machine."""
        self._root.mkdir(parents=True, exist_ok=True)
        _sweep(self._root / "runs", LEFT_SECONDS)
        _sweep(self._root / "parcels", UNUSED_SECONDS)
        return {"node": socket.gethostname(), "root": str(self._root), "sees": Path(mark).exists(), "pid": os.getpid()}

    def missing(self, digests: Sequence[str]) -> list[str]:
        """Return the parcels that are not in the cache; the others count as used now."""
        absent = []
        for digest in digests:
            try:
                os.utime(self._root / "parcels" / digest)
            except OSError:
                absent.append(digest)
        return absent

    def unpack(self, digest: str, files: Sequence[tuple[str, int]], chunks: Sequence[Any]) -> None:
        """Write a parcel into the cache: its files with their sizes, whose content is in the chunks, one after the other.

        A chunk is a reference to bytes, which is read only if the parcel is not there.
        """
        target = self._root / "parcels" / digest
        target.parent.mkdir(parents=True, exist_ok=True)
        with (target.parent / f"{digest}.lock").open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # several agents of a node may need it at once
            if target.exists():
                return
            part = target.with_name(f"{digest}.part")
            shutil.rmtree(part, ignore_errors=True)
            stream = _Stream(chunks)
            for name, size in files:
                (part / name).parent.mkdir(parents=True, exist_ok=True)
                with (part / name).open("wb") as file:
                    stream.copy(file, size)
            part.mkdir(exist_ok=True)
            part.rename(target)

    def begin(self, code: str, job: bytes, folder: str, left: str) -> None:
        """Let the host do a job.

        Args:
            code: the folder of the project.
            job: the message to the host.
            folder: of the run.
            left: the parcel of the files of an earlier attempt; empty if there are none.
        """
        Path(folder).parent.mkdir(parents=True, exist_ok=True)
        if left:
            shutil.move(self._root / "parcels" / left, folder)
        Path(folder).mkdir(exist_ok=True)
        if self._host is None or self._host.poll() is not None:
            self._start(code)
        self.send(job)

    def send(self, message: bytes) -> None:
        """Send the host a message."""
        host = self._host
        with contextlib.suppress(OSError, AttributeError):
            host.stdin.write(len(message).to_bytes(SIZE, "big") + message)  # type: ignore[union-attr]
            host.stdin.flush()  # type: ignore[union-attr]

    def messages(self, seconds: float, folder: str) -> list[bytes | None]:
        """Return the host's messages since the last call, waiting for the first; None if the host is gone.

        `folder` belongs to the run, and is marked as in use.
        """
        with contextlib.suppress(OSError):
            os.utime(folder)
        found: list[bytes | None] = []
        with contextlib.suppress(queue.Empty):
            found.append(self._messages.get(timeout=seconds))
            while True:
                found.append(self._messages.get_nowait())
        return found

    def files(self, folder: str) -> list[tuple[str, int]]:
        """Return the paths and sizes of the files that a run left."""
        root = Path(folder)
        paths = sorted(path for path in root.rglob("*") if path.is_file() and not path.is_symlink())
        return [(path.relative_to(root).as_posix(), path.stat().st_size) for path in paths]

    def read(self, path: str, offset: int) -> bytes:
        """Return a piece of a file."""
        with Path(path).open("rb") as file:
            file.seek(offset)
            return file.read(CHUNK)

    def remove(self, folder: str) -> None:
        """Remove the results folder of a run."""
        shutil.rmtree(folder, ignore_errors=True)

    def close(self) -> None:
        """End the host and what it started."""
        if self._host is not None:
            self._host.kill()
            self._host.wait()

    def _start(self, code: str) -> None:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (code, os.environ.get("PYTHONPATH"))))}
        for name, value in self._variables.items():
            environment.pop(name, None)
            if value is not None:
                environment[name] = value
        command = [sys.executable, "-m", "harness.runs.executors.ray.host"]
        self._messages = queue.Queue()
        self._host = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=code, env=environment)
        threading.Thread(target=_listen, args=(self._host.stdout, self._messages), daemon=True).start()


class _Stream:
    """The bytes of a parcel, read chunk by chunk."""

    def __init__(self, chunks: Sequence[Any]) -> None:
        self._left = list(chunks)
        self._get = importlib.import_module("ray").get
        self._bytes = memoryview(b"")

    def copy(self, file: IO[bytes], size: int) -> None:
        """Write the next bytes into a file."""
        while size:
            if not self._bytes:
                self._bytes = memoryview(self._get(self._left.pop(0)))
            piece, self._bytes = self._bytes[:size], self._bytes[size:]
            file.write(piece)
            size -= len(piece)


def _listen(stream: IO[bytes], messages: queue.Queue[bytes | None]) -> None:
    while len(head := stream.read(SIZE)) == SIZE:
        messages.put(stream.read(int.from_bytes(head, "big")))
    messages.put(None)


def _default_root() -> str:
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return str(Path(cache) / "adaptbench" / "ray")


def _sweep(folder: Path, seconds: float) -> None:
    """Remove what was not used for so long, by the clock of the disk."""
    with contextlib.suppress(OSError):
        marker = folder / ".now"
        marker.touch()
        now = marker.stat().st_mtime
        for path in folder.iterdir():
            if path.is_dir() and now - path.stat().st_mtime > seconds:
                shutil.rmtree(path, ignore_errors=True)
