"""The results folder or publication that a path names for `verify`, and the part to check: all, some runs, a table, a figure."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness import errors
from harness.errors import HarnessError, did_you_mean
from harness.store import archive, records
from harness.verify.checks.publication import files, views

SHOWN = 12  # names in a folder that an error lists


@dataclass(frozen=True)
class Target:
    """A results folder to look at; `only` is the part of it to check (a run, a table), empty for all."""

    root: Path
    publication: bool
    only: str = ""

    @property
    def runs(self) -> Path:
        """The folder whose runs count."""
        return self.root / "runs" if self.is_local_view else self.root

    @property
    def is_view(self) -> bool:
        """Whether only a table, a figure or the page is to be checked."""
        return views.is_view(self.only)

    @property
    def is_local_view(self) -> bool:
        """Whether that table belongs to a results folder outside of a publication."""
        return self.is_view and not self.publication

    def folders(self) -> list[Path]:
        """The folders of the runs to check one by one; for the table of a task, those of its task."""
        if self.only and not self.is_view:
            return runs_below(self.root / self.only)
        task = self._task()
        folders = runs_below(self.runs)
        if not self.publication and not self.is_view:
            folders = [folder for folder in folders if not folder.is_relative_to(self.root / "published")]
        return [folder for folder in folders if folder.relative_to(self.runs).parts[:1] == (task,)] or folders

    def _task(self) -> str:
        """Return the task that a table or figure is of, by its path; something else if it is of all."""
        place, _, inside = self.only.partition("/")
        if place == views.FOLDERS[0]:
            return inside.split(".")[0]
        return inside.partition("/")[0]


def of(path: Path, *, required: bool = True) -> list[Target]:
    """Return the results folders of a path: one, or local runs and the publication beside them; archives are left out.

    Raises:
        HarnessError: there is no run below it, and one is required; or no such table or figure.
    """
    for folder in (path, *path.parents):
        if is_publication(folder, itself=folder == path):
            target = Target(folder, True, "" if path == folder else path.relative_to(folder).as_posix())
            if not path.exists() or not target.folders():
                raise no_results(path)
            return [target]
        inside = path.relative_to(folder).as_posix()
        if views.is_view(inside) and path.exists() and runs_below(folder / "runs"):
            return [Target(folder, False, inside)]
    local = Target(path, False)
    parts = [local] if local.folders() else []
    if runs_below(path / "published"):
        parts.append(Target(path / "published", True))
    if required and not parts:
        raise no_results(path)
    return parts


def is_publication(folder: Path, *, itself: bool) -> bool:
    """Tell whether a folder is a publication: it has a list of checksums, or has lost it but looks like one.

    A folder without the list looks like one if it is called `published`, or has tables and runs side by side.
    """
    if (folder / files.SUMS).is_file():
        return True
    own_runs = any((folder / name).is_dir() for name in ("runs", "published"))  # then its tables are of these
    beside = (folder / views.FOLDERS[0]).is_dir() and not own_runs
    return itself and folder.is_dir() and (folder.name == "published" or beside)


def runs_below(folder: Path) -> list[Path]:
    """Return the folders of the runs below a folder, sorted; those of archives are left out."""
    found = sorted(record.parent for record in folder.rglob(records.RECORD)) if folder.is_dir() else []
    return [run for run in found if archive.archive_of(run) is None]


def no_results(path: Path) -> HarnessError:
    """Return the error for a path that has nothing to verify, by what is there instead."""
    if not path.exists():
        return HarnessError(
            f"there are no results to verify: no file or folder '{path}'", where=str(path), fix=_nearest(path)
        )
    if path.is_file() and (run := next((f for f in path.parents if (f / records.RECORD).is_file()), None)):
        problem = "this is a file of a run, and a run is verified with all its files"
        return HarnessError(problem, where=str(path), fix=errors.command("verify", str(run)))
    if path.is_file() or (path / views.FOLDERS[0]).is_dir() or any(path.glob("*.csv")):
        problem = "here are tables and no runs, and a table can be verified by the answers of its runs only"
        fix = "get the whole folder: in a results folder `runs/` lies beside `leaderboard/`, in a publication the tasks do"
        return HarnessError(problem, where=str(path), fix=fix)
    fix = f"run a task first: {errors.command('--task', 'cfa')}"
    return HarnessError("there are no results to verify", where=str(path), fix=fix)


def _nearest(path: Path) -> str:
    """Return what to do about a path that does not exist: a similar name, or the names in the nearest folder above it."""
    missing, above = path, path.parent
    while not above.is_dir() and above != above.parent:
        missing, above = above, above.parent
    names = sorted(entry.name for entry in above.iterdir() if not entry.name.startswith("."))
    if similar := did_you_mean(missing.name, names):
        return similar
    if any(is_publication(folder, itself=folder == above) for folder in (above, *above.parents)):
        return f"check the path; in '{above}': {', '.join(names[:SHOWN])}{', …' * (len(names) > SHOWN)}"
    return f"check the path, or run a task first: {errors.command('--task', 'cfa')}"
