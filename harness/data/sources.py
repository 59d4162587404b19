"""The location of published data: a copy of the user's, a cache, or a download at the pinned commit.

`hf:` sources are fetched by `harness.data.hub`, `github:` ones here, file by file through `datasets`, once. The user's
copy is the same for all sources: `--data DIR` is the data set's folder, or a folder that holds it. `own:` sources are
never fetched.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path, PurePosixPath
from urllib.parse import quote

from harness.data import hub
from harness.errors import HarnessError, why_not_fetched
from harness.schema import Source

OWN = "own:"  # files of the user, which cannot be fetched
REMOTE = ("hf:", "github:", OWN)


def is_remote(source: Source) -> bool:
    """Return whether this data does not come with the project and has to be fetched or provided."""
    return source.uri.startswith(REMOTE)


def folder_name(source: Source) -> str:
    """Return the name of a data set's folder below `--data DIR`."""
    return source.folder or PurePosixPath(source.uri).name


def matching(folder: Path, path: str) -> list[Path]:
    """Return the files in a folder for a path of `Source.files`; without `*`, the name alone is enough as well."""
    name = folder / PurePosixPath(path).name
    return sorted(folder.glob(path)) or ([name] if "*" not in path and name.is_file() else [])


def copy_in(source: Source, data_dir: Path) -> Path:
    """Return the data set's folder for `--data DIR`: the subfolder of its name, or DIR itself by its files or name."""
    subfolder = data_dir / folder_name(source)
    with_files = (
        f for f in (subfolder, data_dir) if any(matching(f, path) for path in (*source.files, *source.copies))
    )
    by_name = subfolder if subfolder.exists() or data_dir.resolve().name != subfolder.name else data_dir
    return next(with_files, by_name)


def cached(source: Source) -> Path:
    """Return the folder of fetched data, present or not; nothing is fetched and nothing heavy is imported."""
    if source.uri.startswith("hf:"):
        return hub.cached(source)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "adaptbench" / f"{folder_name(source)}-{source.revision[:12] or 'unpinned'}"


def by_hand(source: Source) -> str:
    """Return the way to get a data set by hand and to use it then, in words."""
    folder = f"DIR/{folder_name(source)}"
    if source.uri.startswith(OWN) and any("*" in name for name in source.files):
        return f"pass --data DIR, a folder that holds your {source.uri.removeprefix(OWN)}"
    if source.uri.startswith("hf:"):
        return f"on a machine with a network: {hub.by_hand(source, folder)}; then pass --data DIR"
    if not source.revision:
        names = " or ".join(source.files) if source.uri.startswith(OWN) else " and ".join(source.files)
        return f"put {names} into {folder}/; then pass --data DIR"
    files = " and ".join(_address(source, path) for path in source.files)
    return f"on a machine with a network, put into {folder}/: {files}; then pass --data DIR"


def fetch(source: Source) -> Path:
    """Return the folder with a data set's files, fetched at its revision if they are not in the cache.

    Raises:
        HarnessError: no revision is pinned, or a file cannot be fetched.
    """
    if source.uri.startswith(OWN):
        raise HarnessError("this task reads files of your own", where=source.uri, fix=by_hand(source))
    if not source.revision:
        fix = "set Source.revision to a commit id, or pass --data DIR, which holds a copy"
        raise HarnessError("published data needs a revision to be fetched", where=source.uri, fix=fix)
    try:
        return hub.fetch(source) if source.uri.startswith("hf:") else _fetch_files(source)
    except Exception as error:  # the clients' errors for offline, unknown, gated and interrupted share no base class
        problem = f"the data set cannot be fetched: {why_not_fetched(error)}"
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
            part.replace(folder / name)  # never a part of a file
    return folder


def _address(source: Source, path: str) -> str:
    repository = source.uri.removeprefix("github:")
    return f"https://raw.githubusercontent.com/{repository}/{source.revision}/{quote(path)}"
