"""`verify`: check one run, a folder of runs, a leaderboard or a publication, and show every check that fails."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from harness import errors
from harness.cli import flags, parse, settings, targets
from harness.cli.arguments import Arguments, Flag
from harness.cli.lookup import Lookup
from harness.cli.targets import Target, runs_below
from harness.cli.terminal import archives, documents, output, silence, verification
from harness.errors import HarnessError
from harness.runs.options import Options
from harness.store import archive, records
from harness.verify import review, waivers
from harness.verify import run as checking
from harness.verify.check import Check
from harness.verify.check import check as make_check
from harness.verify.checks.answers import arithmetic, data
from harness.verify.checks.publication import contents, files, views
from harness.verify.checks.record import provenance
from harness.verify.review import Review
from harness.verify.waivers import Waiver

DONE, DIFFERS = 0, 1
BY_DATA = (data.FINGERPRINT, data.COUNTS, arithmetic.GOLD)  # differ if a data file is read with other flags
TOGETHER = ""  # the place of checks that look at all runs
FLAGS = (
    Flag(
        "path",
        "a run, a folder of runs or a table",
        parse.path,
        metavar="PATH",
        example="results/published",
        unset="all of the results",
        nargs="?",
    ),
    Flag("--report", "write the review there: review.md and review.html", parse.path, metavar="DIR", example="review"),
    Flag(
        "--waivers",
        "accepted findings",
        parse.path,
        metavar="FILE",
        example="waivers.toml",
        unset="waivers.toml beside `published`",
    ),
    Flag("--rerun", "train this run (a name, id or folder) again and compare", metavar="RUN", example="cfa/lora-r8"),
    Flag(
        "--replay",
        "ask the stored weights of every run so many of its questions again, or more, take its first steps again, and compare",
        parse.count,
        metavar="N",
        example="16",
    ),
    Flag(
        "--replay-seed",
        "draws the questions of --replay",
        metavar="WORD",
        example="7f3a",
        unset="by everything that is stored",
    ),
    Flag(
        "--replay-minutes",
        "for --replay: no further run is begun after these; the order is drawn by the seed",
        parse.number(above=0),
        metavar="N",
        example="10",
        unset="all runs",
    ),
    replace(flags.BASE_MODEL, help=f"for --rerun and --replay: {flags.BASE_MODEL.help}"),
    replace(flags.REMOTE_CODE, help=f"for --rerun and --replay: {flags.REMOTE_CODE.help}"),
    flags.TASK_FILE,
    *flags.SOURCES,
    flags.JSON,
    flags.RESULTS,
)


def main(arguments: Arguments) -> int:
    """Check what a path holds, or train one of its runs again."""
    path, options = arguments.path or arguments.results, settings.options(arguments)
    if (folder := archive.archive_of(path)) is not None and path.exists():
        return archived(path, folder, review_or_rerun=arguments.report is not None or arguments.rerun is not None)
    if arguments.rerun is not None:
        from harness.cli.commands import verify_rerun  # it needs the rooms that train; help does not

        return verify_rerun.rerun(path, arguments.rerun, options, model=arguments.model, work=arguments.work)
    code = verify(path, options, report=arguments.report, excuses=arguments.waivers, as_json=arguments.as_json)
    if arguments.replay is None:
        return code
    seed, minutes, model = arguments.replay_seed, arguments.replay_minutes, arguments.model
    from harness.cli.commands import verify_replay  # as above

    return max(code, verify_replay.replay(path, arguments.replay, options, seed=seed, minutes=minutes, model=model))


def archived(path: Path, folder: Path, *, review_or_rerun: bool = False) -> int:
    """Print which commit verifies an archive; nothing of it is recomputed.

    Raises:
        HarnessError: the archive is damaged, or a review or a rerun is wanted, which only that commit can make.
    """
    marker = archive.read(folder)
    if review_or_rerun:
        problem = f"results of version {marker.version} are reviewed and trained again at the commit that verifies them"
        raise HarnessError(problem, where=str(path), fix=f"git switch --detach {marker.commit}")
    archives.show(folder, marker)
    return DONE


def verify(
    path: Path, options: Options, *, report: Path | None = None, excuses: Path | None = None, as_json: bool = False
) -> int:
    """Check everything below `path`; return 1 if something differs and no waiver excuses it.

    Args:
        path: a run's folder, a folder of runs, a published folder, or a table, figure or page of one.
        options: which tasks and data are at hand.
        report: where to write the review, if anywhere.
        excuses: the file of waivers; None for `waivers.toml` beside the publication, if there is one.
        as_json: a document on stdout in place of text.

    Raises:
        HarnessError: there is nothing to verify, or nothing that can be, or the waivers are malformed.
    """
    old = archive.archives(path)
    parts = targets.of(path, required=not old)
    if report is not None and not parts:
        raise targets.no_results(path)
    for folder in old if not as_json else ():
        archives.show(folder, archive.read(folder))
    if report is not None and len(parts) > 1:
        fix = errors.command("verify", str(parts[-1].root), "--report", str(report))
        raise HarnessError("a review is of one folder, and here are two", where=str(path), fix=fix)
    lookup, code = Lookup(options, path), DONE
    entries: list[dict[str, Any]] = []
    for target in parts:
        verdict = _look(target, path, lookup, _excuses(target, excuses), entries if as_json else None)
        code = code if verdict.ok else DIFFERS
        if report is not None:
            written = review.write(report, verdict)
            if not as_json:
                output.closing(written)
    if as_json:
        documents.show({"passed": code == DONE, "folders": entries})
    elif len(parts) > 1:
        verification.overall(passed=code == DONE)
    return code


def _excuses(target: Target, path: Path | None) -> Sequence[Waiver]:
    path = path or (waivers.waiver_file(target.root) if target.publication else None)
    return waivers.read(path) if path else ()


@dataclass
class _Runs:
    """Runs verified one by one: checks by folder, readable runs, and tasks that are unknown, changed or without their data."""

    checks: dict[str, list[Check]] = field(default_factory=dict)
    readable: list[records.Run] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    blind: list[str] = field(default_factory=list)


def _look(
    target: Target, path: Path, lookup: Lookup, excuses: Sequence[Waiver], entries: list[dict[str, Any]] | None = None
) -> Review:
    """Make every check of a target, print the results or add them to `entries`, and return them as a review."""
    folders, runs = target.folders(), _Runs()
    with silence.stage(lambda: f"verifying: {len(runs.checks) + len(runs.unknown):,} of {len(folders):,} runs"):
        for folder in folders:
            _add(runs, folder, folder.relative_to(target.root).as_posix(), lookup)
    checks, unknown = runs.checks, runs.unknown
    with silence.stage("verifying: runs, tables and figures against each other"):
        if (target.publication and not target.only) or target.is_view:
            checks[TOGETHER] = _together(target, runs.readable, lookup, unknown)
        elif target.publication:
            checks[TOGETHER] = _of_part(target, lookup)
    verdict = review.judge(target.root, checks, excuses, complete=not target.only)
    if entries is None:
        own = not target.publication and not target.only
        tables = sorted((target.root / views.FOLDERS[0]).glob("*.csv")) if own else []
        gaps = verification.Gaps(unknown, runs.changed, lookup.absent, [] if target.publication else runs.blind)
        verification.show(verdict, checks, gaps, tables[:1])
    else:
        entries.append(documents.verification(verdict, checks, unknown, runs.blind))
    if unknown and not checks:
        problem = f"no run can be verified: {verification.reason(unknown[0], lookup.absent)}"
        raise HarnessError(problem, where=str(path), fix=output.FILE_FLAGS)
    return verdict


def _add(runs: _Runs, folder: Path, name: str, lookup: Lookup) -> None:
    """Verify the run of a folder and add what comes out."""
    try:
        record = records.read_record(folder)
    except HarnessError as problem:
        runs.checks[name] = [files.strict_json_check(folder), Check(files.RECORD_READABLE, False, problem.problem)]
        return
    runs.readable.append(records.Run(folder, record))
    task = lookup.task(record)
    if task is None:
        runs.unknown.append(record.spec.task)
        return
    examples, probed = lookup.examples(task.name, record.spec.split), lookup.probed(record)
    validation = lookup.examples(task.name, "validation")
    checks = checking.verify(folder, task, examples=examples, validation=validation, probed=probed)
    runs.checks[name] = checks
    if examples is None:
        runs.blind.append(task.name)
    if task.name in lookup.files and any(check.name in BY_DATA and not check.ok for check in checks):
        runs.changed.append(task.name)


def _together(target: Target, runs: Sequence[records.Run], lookup: Lookup, unknown: Sequence[str]) -> list[Check]:
    """Make the checks of all runs; if only a table is to be checked, those of that table."""
    from harness.report.write import write_outputs  # the help loads little

    rebuild = functools.partial(write_outputs, tasks=lookup.tasks, publication=target.publication)
    if target.is_view:
        runs = _readable(runs_below(target.runs))
        checks = files.publication_checks(target.root) if target.publication else []
        checks += views.publication_checks(target.root, runs, rebuild)
        checks = [check for check in checks if check.ok or check.path.startswith(target.only) or not check.path]
        of_table = _readable(target.folders()) if target.publication else []
        return [*checks, *checking.together(of_table, lookup.of(run.record for run in of_table))]
    checks = checking.publication(target.root, runs, lookup.of(run.record for run in runs), rebuild)
    unknown_tasks = [f"{name}: {output.FILE_FLAGS}" for name in sorted(set(unknown))]
    return [make_check(checking.TASK_AVAILABLE, unknown_tasks), *checks]


def _of_part(target: Target, lookup: Lookup) -> list[Check]:
    """Make the checks of a publication that concern a part of it, such as one run: its files, their history, its task.

    A run is compared with the others of its task, so all of these are read.
    """
    part = f"{target.only}/"
    about_files = [
        *files.publication_checks(target.root),
        *contents.publication_checks(target.root, _readable(target.folders())),
        *provenance.history_checks(target.root),
    ]
    inside = [check for check in about_files if check.ok or not check.path or check.path.startswith(part)]
    task = Path(target.only).parts[0]
    runs = _readable(runs_below(target.root / task))
    return [*inside, *checking.together(runs, lookup.of(run.record for run in runs))]


def _readable(folders: Sequence[Path]) -> list[records.Run]:
    runs = []
    for folder in folders:
        try:
            runs.append(records.Run(folder, records.read_record(folder)))
        except HarnessError:
            continue
    return runs
