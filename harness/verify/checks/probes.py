"""Checks of a run's probes. Each probe is checked as the record of a run on its task.

The checks have the same names as those of a run; their detail names the probe.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from harness.data import loading, probes
from harness.data.loading import Splits
from harness.errors import HarnessError
from harness.record import Record
from harness.schema import Example, Task
from harness.store import records
from harness.verify.check import Check, check, check_equal
from harness.verify.checks import arithmetic, files, identity
from harness.verify.checks import data as data_checks

PROBE_LIST = "probes match the spec"

# Tasks by name, each with the examples that its probe asks, None if they are not available.
ProbeTasks = Mapping[str, tuple[Task, Sequence[Example] | None]]


def run_checks(folder: Path, record: Record, tasks: ProbeTasks) -> list[Check]:
    """Return the checks of every probe of a finished run.

    Args:
        folder: the run's folder.
        record: its record.
        tasks: the tasks of its probes.
    """
    recorded = sorted(f"{name}@{probe.data}" for name, probe in record.probes.items())
    results = [check_equal(PROBE_LIST, sorted(record.spec.probes), recorded)] if recorded or record.spec.probes else []
    for name in record.probes:
        checks = _probe_checks(folder, probes.as_run(record, name), name, tasks)
        results += [c if c.ok else replace(c, detail=f"probe {name}: {c.detail}") for c in checks]
    return results


def _probe_checks(folder: Path, record: Record, name: str, tasks: ProbeTasks) -> list[Check]:
    try:
        answers = records.read_answers(folder, records.probe_file(name))
        digest = records.answers_sha256(folder, records.probe_file(name))
    except (HarnessError, OSError) as error:
        return [Check(files.ANSWERS_READABLE, False, getattr(error, "problem", str(error)))]
    checks = [check_equal(files.ANSWERS_CHECKSUM, record.answers_sha256, digest)]
    if name not in tasks:
        return [*checks, check(identity.TASK_AVAILABLE, ["scores cannot be checked without the task"])]
    task, examples = tasks[name]
    checks += arithmetic.answer_checks(replace(record, spec=replace(record.spec, train_examples=0)), answers, task)
    if examples is None:
        return checks
    fingerprint = loading.fingerprint(task, Splits((), (), tuple(examples)))
    return [
        *checks,
        *arithmetic.gold_checks(record, answers, task, examples),
        check_equal(data_checks.FINGERPRINT, record.spec.data, fingerprint),
    ]
