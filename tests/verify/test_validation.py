"""The validation answers of an untrained row are checked against the questions that a limited run asks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.data import loading, registry
from harness.data.loading import Splits
from harness.data.split import sample
from harness.metrics.scoring import chance, parse_rate, score_answers
from harness.record import ProbeResult, Record
from harness.schema import Example, Task
from harness.store import records
from harness.verify.checks.answers import arithmetic, probes
from harness.verify.checks.record import rows
from tests.support import publication
from tests.support.records import make_record


@pytest.fixture
def task(tmp_path: Path) -> Task:
    """A small task with options."""
    return registry.task("pick", [publication.write_tasks(tmp_path / "tasks")])


def _validated(folder: Path, task: Task, asked: tuple[Example, ...], limit: int) -> Record:
    """Return a record with validation answers to these questions, written into a folder."""
    spec = publication.spec_of(task, loading.load_splits(task), "base", 0, 0)
    answers = publication.make_answers(asked, spec, 0.5)
    result = ProbeResult(
        data=loading.fingerprint(task, Splits((), asked, ())),
        scoring=task.scoring,
        scores=score_answers(answers, task.metrics),
        parse_rate=parse_rate(answers),
        chance=chance(task, asked),
        answers_sha256=records.write_answers(folder, answers, records.VALIDATION),
        cut_examples=0,
        limit=limit,
    )
    return replace(make_record(spec), validation=result)


@pytest.mark.parametrize("limit", [300, 4])
def test_the_validation_of_a_run_with_fewer_test_questions_raises_no_alarm(
    tmp_path: Path, task: Task, limit: int
) -> None:
    examples = loading.load_splits(task).validation
    record = _validated(tmp_path, task, sample(examples, 4), limit)
    assert [check for check in probes.validation_checks(tmp_path, record, task, examples) if not check.ok] == []


def test_validation_answers_that_are_left_out_are_reported(tmp_path: Path, task: Task) -> None:
    examples = loading.load_splits(task).validation
    record = _validated(tmp_path, task, examples, 300)
    answers = records.read_answers(tmp_path, records.VALIDATION)[:3]
    assert record.validation
    digest = records.write_answers(tmp_path, answers, records.VALIDATION)
    part = replace(record.validation, scores=score_answers(answers, task.metrics), answers_sha256=digest)
    checks = probes.validation_checks(tmp_path, replace(record, validation=part), task, examples)
    assert arithmetic.ANSWER_COUNT in {check.name for check in checks if not check.ok}


def test_a_challenger_beside_a_base_row_has_no_validation_questions_to_answer(tmp_path: Path, task: Task) -> None:
    base = _validated(tmp_path, task, loading.load_splits(task).validation, 300)
    others = {
        method: replace(base.spec, method=method, challenger=version) for method, version in (("words", 1), ("pmi", 0))
    }
    for method, alarms in (("words", 0), ("pmi", 1)):
        records_of_both = [base, make_record(others[method])]
        faults = [
            check
            for check in rows.publication_checks(records_of_both)
            if check.name == rows.VALIDATION and not check.ok
        ]
        assert len(faults) == alarms
