"""`verify`: look at one run, a folder of runs, a leaderboard or a publication, and say what does not hold."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness import errors
from harness.cli.lookup import Lookup
from harness.cli.terminal import output
from harness.errors import HarnessError
from harness.report.write import write_outputs
from harness.runs.options import Options
from harness.store import records
from harness.verify import review, waivers
from harness.verify import run as checking
from harness.verify.check import Check, check
from harness.verify.checks import files, views
from harness.verify.review import Review
from harness.verify.waivers import Waiver

DONE, DIFFERS = 0, 1
TOGETHER = ""  # the place of checks that look at all runs


@dataclass(frozen=True)
class Target:
    """A results folder to look at, and where only a part of it is meant (a run, a table), that part."""

    root: Path
    publication: bool
    only: str = ""

    @property
    def runs(self) -> Path:
        """The folder whose runs count."""
        return self.root / "runs" if self.is_local_view else self.root

    @property
    def is_view(self) -> bool:
        """Whether only a table, a figure or the page is meant."""
        return views.is_view(self.only)

    @property
    def is_local_view(self) -> bool:
        """Whether that table is one of a results folder that was not published."""
        return self.is_view and not self.publication

    def folders(self) -> list[Path]:
        """The folders of the runs to look at one by one; of a task's table its task's."""
        if self.only and not self.is_view:
            return _runs_below(self.root / self.only)
        task = Path(self.only).name.split(".")[0] if self.only.startswith(views.FOLDERS[0]) else ""
        found = _runs_below(self.runs)
        if not self.publication and not self.is_view:
            found = [folder for folder in found if not folder.is_relative_to(self.root / "published")]
        return [folder for folder in found if folder.relative_to(self.runs).parts[:1] == (task,)] or found


def verify(path: Path, options: Options, *, report: Path | None = None, excuses: Path | None = None) -> int:
    """Look at everything that `path` holds; 1 where something differs that no waiver excuses.

    Args:
        path: a run's folder, a folder of runs, a published folder, or a table, figure or page of one.
        options: which tasks and data are at hand.
        report: where to write the review, if anywhere.
        excuses: the file of waivers; None for `waivers.toml` beside the publication, if there is one.

    Raises:
        HarnessError: there is nothing to verify, or nothing that can be, or the waivers are malformed.
    """
    found = targets(path)
    if report is not None and len(found) > 1:
        fix = errors.command("verify", str(found[-1].root), "--report", str(report))
        raise HarnessError("a review is of one folder, and here are two", where=str(path), fix=fix)
    lookup, code = Lookup(options), DONE
    for target in found:
        judged = _look(target, path, lookup, _excuses(target, excuses))
        code = code if judged.ok else DIFFERS
        if report is not None:
            output.written(review.write(report, judged))
    return code


def targets(path: Path) -> list[Target]:
    """Find out what a path means.

    Raises:
        HarnessError: there is no run in it.
    """
    for place in (path, *path.parents):
        if _is_publication(place, itself=place == path):
            if not _runs_below(place):
                raise _nothing(path)
            return [Target(place, True, "" if path == place else path.relative_to(place).as_posix())]
        inside = path.relative_to(place).as_posix()
        if views.is_view(inside) and path.exists() and _runs_below(place / "runs"):
            return [Target(place, False, inside)]
    local = Target(path, False)
    found = [local] if local.folders() else []
    if _runs_below(path / "published"):
        found.append(Target(path / "published", True))
    if not found:
        raise _nothing(path)
    return found


def _is_publication(folder: Path, *, itself: bool) -> bool:
    """A folder with a list of checksums; that lost its list, one called `published`, or tables and runs side by side."""
    if (folder / files.SUMS).is_file():
        return True
    beside = (folder / views.FOLDERS[0]).is_dir() and not (folder / "runs").is_dir()
    return itself and folder.is_dir() and (folder.name == "published" or beside)


def _runs_below(folder: Path) -> list[Path]:
    return sorted(found.parent for found in folder.rglob(records.RECORD)) if folder.is_dir() else []


def _nothing(path: Path) -> HarnessError:
    fix = f"run a task first: {errors.command('--task', 'cfa')}"
    return HarnessError("there are no results to verify", where=str(path), fix=fix)


def _excuses(target: Target, path: Path | None) -> Sequence[Waiver]:
    path = path or (waivers.find(target.root) if target.publication else None)
    return waivers.read(path) if path else ()


def _look(target: Target, path: Path, lookup: Lookup, excuses: Sequence[Waiver]) -> Review:
    """Make every check of a target, print what came of it, and return it as a review."""
    found, runs, unknown, unlike = _one_by_one(target, lookup)
    if (target.publication and not target.only) or target.is_view:
        found[TOGETHER] = _together(target, runs, lookup, unknown)
    judged = review.judge(target.root, found, excuses, whole=not target.only)
    for place in found:
        shown = place or f"{target.root.name}: all {len(found) - 1} runs together"
        output.checks(shown if place != "." else str(path), found[place], _waived(judged, place))
    output.verified(len(found) - (TOGETHER in found), unknown, unlike)
    if unknown and not found:
        raise HarnessError(f"the task '{unknown[0]}' is not known here", where=str(path), fix=output.FILE_FLAGS)
    return judged


def _waived(judged: Review, place: str) -> Mapping[Check, Waiver]:
    return {f.check: f.waiver for f in judged.findings if f.waiver and f.place in (f.check.where, place)}


def _one_by_one(
    target: Target, lookup: Lookup
) -> tuple[dict[str, list[Check]], list[records.Run], list[str], list[str]]:
    """Verify each run: the checks by place, the runs that can be read, the unknown tasks, the data files that differ."""
    found: dict[str, list[Check]] = {}
    runs, unknown, unlike = [], [], []
    for folder in target.folders():
        place = folder.relative_to(target.root).as_posix()
        try:
            record = records.read_record(folder)
        except HarnessError as problem:
            found[place] = [files.strict(folder), Check(files.RECORD, False, problem.problem)]
            continue
        runs.append(records.Run(folder, record))
        task = lookup.task(record)
        if task is None:
            unknown.append(record.spec.task)
            continue
        examples, probed = lookup.examples(task.name, record.spec.split), lookup.probed(record)
        found[place] = checking.verify(folder, task, examples=examples, probed=probed)
        if task.name in lookup.files and not all(one.ok for one in found[place]):
            unlike.append(task.name)
    return found, runs, unknown, unlike


def _together(target: Target, runs: Sequence[records.Run], lookup: Lookup, unknown: Sequence[str]) -> list[Check]:
    """Make the checks of all runs; where a table alone is meant, those of that table."""
    rebuild = functools.partial(write_outputs, tasks=lookup.known, publication=target.publication)
    if target.is_view:
        runs = _readable(_runs_below(target.runs))
        made = files.of_publication(target.root) if target.publication else []
        made += views.of_publication(target.root, runs, rebuild)
        return [one for one in made if one.ok or one.where.startswith(target.only) or not one.where]
    checks = checking.publication(target.root, runs, lookup.of(run.record for run in runs), rebuild)
    return [check(checking.KNOWN_TASK, [f"{name}: {output.FILE_FLAGS}" for name in sorted(set(unknown))]), *checks]


def _readable(folders: Sequence[Path]) -> list[records.Run]:
    runs = []
    for folder in folders:
        try:
            runs.append(records.Run(folder, records.read_record(folder)))
        except HarnessError:
            continue
    return runs
