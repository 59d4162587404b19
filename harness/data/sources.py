"""Where published data lies: in a copy of the user's, in a cache, or fetched at its pinned commit.

`hf:` sources are fetched by `harness.data.hub`, `github:` ones here, file by file through `datasets`, once. Copies are
found in one way for all sources: `--data DIR` is the data set's folder, or a folder that holds it. `own:` sources are
never fetched.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path, PurePosixPath
from urllib.parse import quote

from harness.data import hub
from harness.errors import HarnessError
from harness.schema import Source

OWN = "own:"  # files that only the user may have, and brings
REMOTE = ("hf:", "github:", OWN)


def is_remote(source: Source) -> bool:
    """Tell whether this data is somebody else's, so that it may have to be fetched or brought."""
    return source.uri.startswith(REMOTE)


def folder_name(source: Source) -> str:
    """Return what a data set's folder is called below `--data DIR`."""
    return source.folder or PurePosixPath(source.uri).name


def matching(folder: Path, path: str) -> list[Path]:
    """Return the files that one of `Source.files` names in a folder; without `*`, the name alone will do as well."""
    name = folder / PurePosixPath(path).name
    return sorted(folder.glob(path)) or ([name] if "*" not in path and name.is_file() else [])


def copy_in(source: Source, data_dir: Path) -> Path:
    """Return the data set's folder in the user's: the one of its name in it, or itself by its files or its name."""
    named = data_dir / folder_name(source)
    holding = (f for f in (named, data_dir) if any(matching(f, path) for path in source.files))
    known = named if named.exists() or data_dir.resolve().name != named.name else data_dir
    return next(holding, known)


def cached(source: Source) -> Path:
    """Return the folder where fetched data lies, or would; nothing is fetched and nothing heavy is imported."""
    if source.uri.startswith("hf:"):
        return hub.cached(source)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "adaptbench" / f"{folder_name(source)}-{source.revision[:12] or 'unpinned'}"


def by_hand(source: Source) -> str:
    """Say how to get a data set, by its own command where there is a network, and how to use it then."""
    folder = f"DIR/{folder_name(source)}"
    if source.uri.startswith(OWN) and any("*" in name for name in source.files):
        return f"pass --data DIR, a folder that holds your {source.uri.removeprefix(OWN)}"
    if source.uri.startswith("hf:"):
        return f"where there is a network: {hub.by_hand(source, folder)}; then pass --data-dir DIR"
    if not source.revision:
        names = " or ".join(source.files) if source.uri.startswith(OWN) else " and ".join(source.files)
        return f"put {names} into {folder}/; then pass --data-dir DIR"
    files = " and ".join(_address(source, path) for path in source.files)
    return f"where there is a network, put into {folder}/: {files}; then pass --data-dir DIR"


def fetch(source: Source) -> Path:
    """Return the folder that holds a data set's files, fetched at its revision where they are not in the cache.

    Raises:
        HarnessError: no revision is pinned, or a file cannot be fetched.
    """
    if source.uri.startswith(OWN):
        raise HarnessError("this task reads files of your own", where=source.uri, fix=by_hand(source))
    if not source.revision:
        fix = "set Source.revision to a commit id, or pass --data-dir DIR, which holds a copy"
        raise HarnessError("published data needs a revision to be fetched", where=source.uri, fix=fix)
    try:
        return hub.fetch(source) if source.uri.startswith("hf:") else _fetch_files(source)
    except Exception as error:  # the clients' errors for offline, unknown, gated and interrupted share no base class
        problem = f"the data set cannot be fetched: {type(error).__name__}"
        raise HarnessError(problem, where=f"{source.uri} @ {source.revision}", fix=by_hand(source)) from error


def _fetch_files(source: Source) -> Path:
    folder = cached(source)
    missing = [path for path in source.files if not matching(folder, path)]
    if missing:
        import datasets

        datasets.disable_progress_bars()
        folder.mkdir(parents=True, exist_ok=True)
        for path in missing:
            name = PurePosixPath(path).name
            got = datasets.DownloadManager().download(_address(source, path))
            part = folder / f"{name}.part"
            shutil.copyfile(got, part)
            part.replace(folder / name)  # a file is there whole or not at all
    return folder


def _address(source: Source, path: str) -> str:
    repository = source.uri.removeprefix("github:")
    return f"https://raw.githubusercontent.com/{repository}/{source.revision}/{quote(path)}"
