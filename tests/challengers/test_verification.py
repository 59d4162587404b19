"""Answers of challengers are fitted again: by the checks of a publication, and by a replay."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.adapters import replay, replay_training
from harness.runs import worker
from harness.runs.job import Job
from harness.store import records
from harness.verify.checks.answers import challengers
from tests.challengers.test_runs import Ear, planned


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """The job of a finished run of the word counter."""
    (job,) = [job for job in planned(tmp_path, "words").jobs() if job.spec.challenger]
    worker.run(job, Ear())
    return job


def faults(job: Job) -> list[str]:
    task = job.source.task()
    runs = [records.Run(job.folder, records.read_record(job.folder))]
    return [check.detail for check in challengers.task_checks(task, runs, job.source.splits(task)) if not check.ok]


def test_an_honest_run_is_the_same_when_it_is_fitted_again(job: Job) -> None:
    assert faults(job) == []


def test_a_challenger_made_weaker_is_reported(job: Job) -> None:
    first, *others = records.read_answers(job.folder)
    records.write_answers(job.folder, [replace(first, loglik=first.loglik[::-1]), *others])
    (fault,) = faults(job)
    assert "another answer to 1 question" in fault
    assert first.id in fault


def test_no_data_and_no_challengers_need_no_check(job: Job) -> None:
    task = job.source.task()
    runs = [records.Run(job.folder, records.read_record(job.folder))]
    assert challengers.task_checks(task, runs, None) == []
    assert challengers.task_checks(task, [], job.source.splits(task)) == []


def test_a_replay_gives_the_stored_answers_to_the_drawn_questions(job: Job) -> None:
    stored = records.read_answers(job.folder)
    again = replay.ask(job, job.folder, [0, 3])
    assert list(again.answers) == [stored[0], stored[3]]
    assert replay_training.first_steps(job.model_folder, replay.prepare(job), job.spec) == replay_training.Steps()
