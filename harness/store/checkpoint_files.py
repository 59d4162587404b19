"""The checkpoint of an unfinished training, in the run's folder.

    checkpoint/checkpoint.json      the run and the position that the state is of, and the state's SHA-256; written last
    checkpoint/state-<steps>.pt     the state itself
    checkpoint/state-<steps>-1.pt   with `--shard`, that of the second process, and so on

Both come by rename, and an older state is removed after the new one is complete: whenever the process is killed, the old or
the new checkpoint is there as a whole.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from harness.errors import HarnessError
from harness.store import files

FOLDER = "checkpoint"
CARD = "checkpoint.json"
FIX = "nothing to do: the run starts anew"


class _Hashing:
    """A file that hashes the bytes written to it; a library writes them one after the other."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self.digest = hashlib.sha256()
        self.bytes = 0

    def write(self, content: Any) -> int:
        """Write bytes or a view of them."""
        self.digest.update(content)
        self.bytes += memoryview(content).nbytes
        return self._out.write(content)

    def flush(self) -> None:
        """Pass the bytes on to the system."""
        self._out.flush()


def write_part(folder: Path, name: str, save: Callable[[Any], None]) -> dict[str, Any]:
    """Write one state of a checkpoint; return what its card says of the file. Without the card it does not count.

    Raises:
        HarnessError: it cannot be written.
    """
    with files.new_file(folder / FOLDER / name) as out:
        hashing = _Hashing(out)
        save(hashing)
    return {"file": name, "sha256": hashing.digest.hexdigest(), "bytes": hashing.bytes}


def write(
    folder: Path,
    steps: int,
    save: Callable[[Any], None],
    card: Callable[[], Mapping[str, Any]],
    parts: Sequence[Mapping[str, Any]] = (),
) -> int:
    """Write a checkpoint in place of the one before; return the bytes of its state.

    Args:
        folder: of the run.
        steps: the number of steps that the state is after.
        save: writes the state to a file.
        card: returns the rest of `checkpoint.json`, called after the state was written.
        parts: the states of further processes, from `write_part`.

    Raises:
        HarnessError: it cannot be written; the checkpoint before is unchanged.
    """
    place, own = folder / FOLDER, write_part(folder, f"state-{steps:08d}.pt", save)
    write_card(folder, {**card(), **own, **({"parts": list(parts)} if parts else {})})
    with files.write_errors(place):
        for path in place.iterdir():
            if path.name not in (CARD, own["file"], *(part["file"] for part in parts)):
                files.remove(path)
    return int(own["bytes"])


def write_card(folder: Path, card: Mapping[str, Any]) -> None:
    """Write `checkpoint.json` durably.

    Raises:
        HarnessError: it cannot be written; the one before is unchanged.
    """
    files.write(folder / FOLDER / CARD, (json.dumps(card, indent=1) + "\n").encode())
    with files.write_errors(folder):
        directory = os.open(folder / FOLDER, os.O_RDONLY)
        try:
            os.fsync(directory)  # a rename is in the directory, which a crash of the machine may lose
        finally:
            os.close(directory)


def read_card(folder: Path) -> dict[str, Any] | None:
    """Return `checkpoint.json`; None if there is no checkpoint.

    Raises:
        HarnessError: it cannot be read.
    """
    path = folder / FOLDER / CARD
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise HarnessError(f"it cannot be read: {error}", where=str(path), fix=FIX) from None
    if not isinstance(card, dict):
        raise HarnessError("it is no JSON object", where=str(path), fix=FIX)
    return card


@contextlib.contextmanager
def state(folder: Path, card: Mapping[str, Any]) -> Any:
    """Return a context with the state of a checkpoint as an open file, compared with its hash.

    Raises:
        HarnessError: the file is missing or has other bytes than were written.
    """
    path = folder / FOLDER / Path(str(card.get("file"))).name
    try:
        file = path.open("rb")
    except OSError as error:
        raise HarnessError(f"its state cannot be read: {error.strerror}", where=str(path), fix=FIX) from None
    with file:
        if hashlib.file_digest(file, "sha256").hexdigest() != card.get("sha256"):
            raise HarnessError("its state has other bytes than were written", where=str(path), fix=FIX)
        file.seek(0)
        yield file


def exists(folder: Path) -> bool:
    """Return whether a run has a checkpoint."""
    return (folder / FOLDER / CARD).is_file() and not (folder / FOLDER).is_symlink()


def drop(folder: Path) -> None:
    """Remove a run's checkpoint, if there is one."""
    place = folder / FOLDER
    with files.write_errors(folder):
        if place.is_dir() and not place.is_symlink():
            (place / CARD).unlink(missing_ok=True)  # first: without it the state does not count
            files.remove(place)
        else:
            place.unlink(missing_ok=True)
