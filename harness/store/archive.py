"""Archived results: folders of runs that this version does not recompute, each with the commit that verifies it.

An archive is a folder `archive/<version>` with the file `ARCHIVE.json`: the version that made the runs, the commit that verifies them, the
fault for which they were superseded, and the folders in which they lie at that commit.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from harness.errors import HarnessError
from harness.store.codec import decode

FOLDER, MARKER = "archive", "ARCHIVE.json"
COMMIT = re.compile("[0-9a-f]{40}|[0-9a-f]{64}")


@dataclass(frozen=True)
class Archive:
    """The contents of `ARCHIVE.json`."""

    version: str
    commit: str
    fault: str
    folders: tuple[str, ...]  # of the runs, at that commit


def read(folder: Path) -> Archive:
    """Return what an archive's folder says of itself.

    Raises:
        HarnessError: the file is missing or malformed, or names no full commit.
    """
    path = folder / MARKER
    fix = "restore the file from git"
    try:
        archive = decode(Archive, json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, RecursionError) as error:
        raise HarnessError(f"the archive cannot be read: {error}", where=str(path), fix=fix) from None
    if not COMMIT.fullmatch(archive.commit):
        raise HarnessError(f"the commit is '{archive.commit}', a full hash is needed", where=str(path), fix=fix)
    return archive


def is_archive(folder: Path) -> bool:
    """Return whether a folder is an archive: `archive/<version>` with the marker, so that no other folder can pass for one."""
    return folder.absolute().parent.name == FOLDER and (folder / MARKER).is_file()


def archive_of(path: Path) -> Path | None:
    """Return the folder of the archive that a path belongs to, None if it belongs to none."""
    return next((folder for folder in (path, *path.parents, *path.absolute().parents) if is_archive(folder)), None)


def archives(folder: Path) -> list[Path]:
    """Return the folders of the archives below a folder, in path order."""
    places = (path.parent for path in folder.rglob(MARKER)) if folder.is_dir() else ()
    return sorted(place for place in places if is_archive(place))


def former_places(folder: Path) -> list[Path]:
    """Return the folders to which the contents of a folder of results were moved: `archive/<version>/<its name>` beside it."""
    return [old / folder.name for old in archives(folder.parent / FOLDER) if (old / folder.name).is_dir()]
