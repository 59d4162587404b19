"""Verifies that a results folder proves its numbers: a run by itself, and a publication with all its runs.

The checks are in `harness.verify.check`, by concern; `harness.verify.checks.catalogue` lists them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.data.loading import Splits
from harness.errors import HarnessError
from harness.schema import Example, Task
from harness.store import records as store
from harness.verify.check import Check as Check
from harness.verify.check import check_equal
from harness.verify.checks.answers import arithmetic, probes
from harness.verify.checks.answers import catalogue as answer_checks
from harness.verify.checks.artifacts import catalogue as artifact_checks
from harness.verify.checks.publication import catalogue as publication_checks
from harness.verify.checks.publication import contents, files, views
from harness.verify.checks.record import catalogue as record_checks
from harness.verify.checks.record import identity, provenance

TASK_AVAILABLE = identity.TASK_AVAILABLE


def verify(
    folder: Path,
    task: Task,
    *,
    examples: Sequence[Example] | None = None,
    validation: Sequence[Example] | None = None,
    probed: probes.ProbeTasks | None = None,
) -> list[Check]:
    """Return the checks of one run's folder against its record and its task.

    Args:
        folder: the run's folder, `.../<task>/<model>/<method>/s<seed>-<id>`.
        task: the task named by the record; its parser and metrics are used.
        examples: the test examples, or more, to compare gold answers with; None if not available.
        validation: the validation examples, for the answers by which untrained rows are selected; None if not available.
        probed: the tasks of the run's probes by name, each with its examples if available.

    Returns:
        The checks in order. If a file is unreadable the list ends with that failed check. A run that did not finish has
        no answers to check.
    """
    strict = files.strict_json_check(folder)
    try:
        record = store.read_record(folder)
    except HarnessError as error:
        return [strict, Check(files.RECORD_READABLE, False, error.problem)]
    checks = [
        strict,
        Check(files.RECORD_READABLE, True),
        *record_checks.run_checks(folder, record, task),
        *contents.run_checks(folder, record),
    ]
    if record.status != "ok":
        return [*checks, *arithmetic.unfinished_run_checks(record)]
    try:
        answers = store.read_answers(folder)
        digest = store.answers_sha256(folder)
    except (HarnessError, OSError) as error:
        return [*checks, Check(files.ANSWERS_READABLE, False, getattr(error, "problem", str(error)))]
    checks += [Check(files.ANSWERS_READABLE, True), check_equal(files.ANSWERS_CHECKSUM, record.answers_sha256, digest)]
    return [
        *checks,
        *answer_checks.run_checks(
            folder, record, answers, task, examples=examples, validation=validation, probed=probed or {}
        ),
        *artifact_checks.run_checks(folder, record),
    ]


def publication(
    root: Path, runs: Sequence[store.Run], tasks: Sequence[tuple[Task, Splits | None]], rebuild: views.Rebuild
) -> list[Check]:
    """Return the checks of all runs of a publication together; `verify` checks each by itself.

    Args:
        root: the published folder.
        runs: its readable runs.
        tasks: their tasks with all examples, None if the data is not available.
        rebuild: a function that writes the views of runs below a folder.
    """
    return [
        *identity.publication_checks(runs),
        *publication_checks.publication_checks(root, runs),
        *together(runs, tasks),
        *provenance.history_checks(root),
        *views.publication_checks(root, runs, rebuild),
    ]


def together(runs: Sequence[store.Run], tasks: Sequence[tuple[Task, Splits | None]]) -> list[Check]:
    """Return the checks of runs that are, or will be, published together; arguments as in `publication`."""
    records = [run.record for run in runs]
    checks = [check for record in records for check in provenance.record_checks(record)]
    for task, splits in tasks:
        task_runs = [run for run in runs if run.record.spec.task == task.name]
        checks += [provenance.task_check(task), *answer_checks.task_checks(task, task_runs, splits)]
    return [
        *_distinct(checks),
        *record_checks.publication_checks(records),
        *answer_checks.publication_checks([run for run in runs if not run.record.spec.challenger]),
        *artifact_checks.publication_checks(runs),
    ]


def _distinct(checks: Sequence[Check]) -> list[Check]:
    """Return each failed check once, and one check for each name of which all hold."""
    failed = {check.name for check in checks if not check.ok}
    return list(dict.fromkeys(check for check in checks if not check.ok or check.name not in failed))
