"""Does a results folder still prove its numbers? A run against itself, and a publication against all its runs.

The checks are in `harness.verify.check`, by concern; `harness.verify.checks.catalogue` lists them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.data.loading import Splits
from harness.errors import HarnessError
from harness.record import Record
from harness.schema import Example, Task
from harness.store import records as store
from harness.verify.check import Check as Check
from harness.verify.check import same
from harness.verify.checks import arithmetic, cost, files, identity, probes, provenance, seeds, views
from harness.verify.checks import data as data_checks

KNOWN_TASK = identity.KNOWN


def verify(
    folder: Path, task: Task, *, examples: Sequence[Example] | None = None, probed: probes.Known | None = None
) -> list[Check]:
    """Check one run's folder against itself and the task.

    Args:
        folder: the run's folder, `.../<task>/<model>/<method>/s<seed>-<id>`.
        task: the task it claims; its parser and metrics are used.
        examples: the test examples (or more of them) to hold the gold answers against, where they are at hand.
        probed: the tasks of the run's probes by name, each with what is asked of it where that is at hand.

    Returns:
        The checks in the order made. What cannot be read ends the list with a check that failed; a run that did not
        finish has no answers to check.
    """
    strict = files.strict(folder)
    try:
        record = store.read_record(folder)
    except HarnessError as error:
        return [strict, Check(files.RECORD, False, error.problem)]
    checks = [strict, Check(files.RECORD, True), *identity.of_run(folder, record, task), *cost.of_run(record)]
    if record.status != "ok":
        return [*checks, *arithmetic.of_unfinished(record)]
    try:
        answers = store.read_answers(folder)
        digest = store.answers_sha256(folder)
    except (HarnessError, OSError) as error:
        return [*checks, Check(files.ANSWERS, False, getattr(error, "problem", str(error)))]
    checks += [Check(files.ANSWERS, True), same(files.CHECKSUM, record.answers_sha256, digest)]
    return [
        *checks,
        *arithmetic.of_answers(record, answers, task),
        *arithmetic.of_gold(record, answers, task, examples),
        *probes.of_run(folder, record, probed or {}),
    ]


def publication(
    root: Path, runs: Sequence[store.Run], tasks: Sequence[tuple[Task, Splits | None]], rebuild: views.Rebuild
) -> list[Check]:
    """Check what only all runs of a publication together can show; `verify` looks at each by itself.

    Args:
        root: the published folder.
        runs: the runs in it that can be read.
        tasks: their tasks with all examples, None where the data is not here.
        rebuild: writes the views of runs below a folder.
    """
    return [
        *files.of_publication(root),
        *identity.of_all(runs),
        *together([run.record for run in runs], tasks),
        *provenance.of_history(root),
        *views.of_publication(root, runs, rebuild),
    ]


def together(records: Sequence[Record], tasks: Sequence[tuple[Task, Splits | None]]) -> list[Check]:
    """Check records that are published together, or are about to be; arguments as `publication`."""
    found = [check for record in records for check in provenance.of_record(record)]
    for task, splits in tasks:
        own = [record for record in records if record.spec.task == task.name]
        found += [provenance.of_task(task), *data_checks.of_task(task, own, splits)]
    return [*_once(found), *seeds.of_all(records)]


def _once(found: Sequence[Check]) -> list[Check]:
    """Leave out of checks of one name those that hold, but for one where all do; faults that are the same, once."""
    failed = {check.name for check in found if not check.ok}
    return list(dict.fromkeys(check for check in found if not check.ok or check.name not in failed))
