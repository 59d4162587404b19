"""Checks of a run's probes and of its validation answers. Each is checked as the record of a run of its own.

The checks have the same names as those of a run; their detail names the probe, or the validation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from harness.data import loading, probes
from harness.data.loading import Splits
from harness.data.split import sample
from harness.errors import HarnessError
from harness.record import ProbeResult, Record
from harness.schema import Example, Task
from harness.store import records
from harness.verify.check import Check, check, check_equal
from harness.verify.checks.answers import arithmetic
from harness.verify.checks.answers import data as data_checks
from harness.verify.checks.answers.data import SLACK
from harness.verify.checks.publication import files
from harness.verify.checks.record import identity

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


def validation_checks(folder: Path, record: Record, task: Task, examples: Sequence[Example] | None) -> list[Check]:
    """Return the checks of an untrained row's answers to validation questions; empty if it has none.

    Args:
        folder: the run's folder.
        record: its record.
        task: its task.
        examples: the task's validation questions, or more; None if not available.
    """
    result = record.validation
    if result is None:
        return []
    count = next((score.n for score in result.scores.values()), 0)
    asked = None if examples is None else _validation_questions(result, examples, task, record.spec.test_examples)
    part = replace(
        record,
        spec=replace(
            record.spec,
            data=result.data,
            scoring=result.scoring,
            probes=(),
            test_examples=count if asked is None else len(asked),
        ),
        scores=result.scores,
        parse_rate=result.parse_rate,
        chance=result.chance,
        answers_sha256=result.answers_sha256,
        cut_examples=result.cut_examples,
    )
    try:
        answers = records.read_answers(folder, records.VALIDATION)
        digest = records.answers_sha256(folder, records.VALIDATION)
    except (HarnessError, OSError) as error:
        return [Check(files.ANSWERS_READABLE, False, f"validation: {getattr(error, 'problem', error)}")]
    checks = [check_equal(files.ANSWERS_CHECKSUM, part.answers_sha256, digest)]
    checks += arithmetic.answer_checks(part, answers, task)
    if asked is not None:
        checks += arithmetic.gold_checks(part, answers, task, asked)
        checks.append(check_equal(data_checks.FINGERPRINT, part.spec.data, _fingerprint(task, asked)))
    return [c if c.ok else replace(c, detail=f"validation: {c.detail}") for c in checks]


def _validation_questions(
    result: ProbeResult, examples: Sequence[Example], task: Task, tested: int
) -> Sequence[Example]:
    """Return the questions of a validation: the first ones, of all or of those that a run's limit of test questions left.

    The spec has no such limit, only the number of test questions that it left; the fingerprint tells which limit it was.
    """
    count = next((score.n for score in result.scores.values()), 0)
    limits = dict.fromkeys((*range(count, count + SLACK), *range(tested, tested + SLACK)))
    first = examples[: result.limit]
    shorter = (sample(tuple(examples), limit)[: result.limit] for limit in limits if limit)
    return next((some for some in (first, *shorter) if _fingerprint(task, some) == result.data), first)


def _fingerprint(task: Task, examples: Sequence[Example]) -> str:
    return loading.fingerprint(task, Splits((), tuple(examples), ()))


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
