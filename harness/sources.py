"""Data that others publish as files of a repository: found in the user's folder, or fetched at the pinned commit.

A `Source` with `files` names paths inside `github:owner/name`. `--data DIR` may be the folder that holds the files, or
the one above it, with a folder named `Source.folder`. Without it the files come through `datasets`, once, into a cache.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path, PurePosixPath
from urllib.parse import quote

from harness.errors import HarnessError
from harness.schema import Source


def names(source: Source) -> list[str]:
    """Return the files' names without their folders."""
    return [PurePosixPath(path).name for path in source.files]


def place(source: Source, data_dir: Path | str | None = None) -> Path:
    """Return the folder where a source's files lie, or would; nothing is fetched and nothing heavy is imported."""
    if data_dir is None:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        return cache / "adaptbench" / f"{source.folder}-{source.revision[:12]}"
    given = Path(data_dir)
    return given if all((given / name).is_file() for name in names(source)) else given / source.folder


def find(source: Source, data_dir: Path | str | None = None) -> Path:
    """Return the folder that holds all of a source's files, fetched where the user names no folder.

    Raises:
        HarnessError: a file is missing, or cannot be fetched.
    """
    folder = place(source, data_dir)
    missing = [name for name in names(source) if not (folder / name).is_file()]
    if missing and data_dir is None:
        _fetch(source, folder)
    elif missing:
        fix = f"put {', '.join(names(source))} there: {_address(source, source.files[0])}"
        raise HarnessError(f"the task's data is missing: {missing[0]}", where=str(folder), fix=fix)
    return folder


def _address(source: Source, path: str) -> str:
    repository = source.uri.removeprefix("github:")
    return f"https://raw.githubusercontent.com/{repository}/{source.revision}/{quote(path)}"


def _fetch(source: Source, folder: Path) -> None:
    if not source.revision:
        fix = "set Source.revision to a commit id, or pass --data DIR"
        raise HarnessError("this source has no pinned revision to fetch", where=source.uri, fix=fix)
    import datasets

    datasets.disable_progress_bars()
    for path, name in zip(source.files, names(source), strict=True):
        try:
            got = datasets.DownloadManager().download(_address(source, path))
            folder.mkdir(parents=True, exist_ok=True)
            part = folder / f"{name}.part"
            shutil.copyfile(got, part)
            part.replace(folder / name)  # a file is there whole or not at all
        except Exception as error:  # the errors of offline, not found and disk full share no base class
            fix = f"download it where there is a network, put it into DIR/{source.folder}/ and pass --data DIR"
            raise HarnessError(
                f"the data cannot be fetched: {type(error).__name__}", where=_address(source, path), fix=fix
            ) from error
