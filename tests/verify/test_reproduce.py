"""A run trained again: the same is REPRODUCED, something else DIFFERS, and elsewhere it is NOT COMPARABLE, with why."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.record import Answer, Environment, Record
from harness.runs.job import Job, Reporter
from harness.store import records, withhold
from harness.verify import reproduce
from tests.support.cli_runner import Desk, without_torch
from tests.support.records import make_answers, make_environment, make_record


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Desk:
    """Finished runs of a worker that guesses, and the same worker to train them again."""
    without_torch(monkeypatch)
    monkeypatch.setattr("harness.cli.commands.verify_rerun.local.warm_up", lambda: None)
    made = Desk(tmp_path, capsys)
    assert made.train() == 0
    return made


def again(desk: Desk, name: str = "lora-r2", *words: str) -> int:
    task = ("--task", str(desk.task), "--model", str(desk.model))
    return desk.run("verify", str(desk.results), "--rerun", name, *task, *words)


def tampered(desk: Desk, **changes: Any) -> records.Run:
    """Change an answer of the run, and what is given of its record."""
    (run,) = [run for run in records.read_all(desk.results) if run.record.spec.method == "lora"]
    answers = list(run.answers())
    other = next(choice for choice in answers[0].choices if choice != answers[0].parsed)
    answers[0] = replace(answers[0], text=other, parsed=other)
    digest = records.write_answers(run.folder, answers)
    records.write_record(run.folder, replace(run.record, answers_sha256=digest, **changes))
    return run


def test_the_same_run_again_is_reproduced_and_leaves_nothing_behind(desk: Desk) -> None:
    before = sorted(path for path in desk.results.rglob("*") if path.name != records.LOCK)
    assert again(desk) == 0
    assert desk.out.startswith("REPRODUCED  toy lora r2 s0")
    assert "answers are equal, log-likelihoods to the last digit" in desk.out
    assert "every score and interval is equal" in desk.out
    assert sorted(path for path in desk.results.rglob("*") if path.name != records.LOCK) == before


def test_a_run_whose_answers_were_changed_differs_and_the_answers_are_named(desk: Desk) -> None:
    run = tampered(desk)
    assert again(desk, run.record.spec.id) == 1
    assert desk.out.startswith("DIFFERS  toy lora r2 s0")
    assert f"1 of {run.record.spec.test_examples} answers differ: {run.answers()[0].id}" in desk.out


def test_a_run_of_another_machine_that_comes_out_otherwise_is_not_comparable(desk: Desk) -> None:
    run = tampered(desk, environment=make_environment(machine="Another processor", commit="abcdef012345"))
    assert again(desk, str(run.folder)) == 1
    assert desk.out.startswith("NOT COMPARABLE")
    assert "machine: Another processor then, A processor, 2 cores, 24 GiB now" in desk.out
    assert "commit: abcdef012345 then" in desk.out


def test_a_run_of_other_data_or_another_model_is_not_comparable_and_is_not_trained(desk: Desk) -> None:
    desk.work = _refuse
    assert again(desk, "full", "--model", "tiny") == 1
    assert "NOT COMPARABLE" in desk.out
    assert "the model here is" in desk.out
    desk.task.write_text(desk.task.read_text().replace("Filing 7 ", "Filing 8 "))
    assert again(desk, "full") == 1
    assert "NOT COMPARABLE" in desk.out
    assert "has other examples or prompts" in desk.out
    assert desk.run("verify", str(desk.results), "--rerun", "full") == 1
    assert "the task 'toy' or its data is not here" in desk.out


def _refuse(job: Job, reporter: Reporter) -> None:
    raise AssertionError("nothing may be trained")


def test_a_run_that_dies_the_second_time_is_told(desk: Desk) -> None:
    desk.work = _refuse
    assert again(desk) == 1
    assert "failed: its process ended with exit code 1" in desk.out


def test_a_name_of_no_run_and_a_folder_without_runs_are_errors(desk: Desk) -> None:
    assert again(desk, "lora-r4") == 2
    assert "did you mean 'lora-r2'" in desk.err
    assert desk.run("verify", str(desk.folder / "nothing"), "--rerun", "full") == 2
    assert "no results to verify" in desk.err


# --- the verdict, by itself

OLD = make_answers(9, 3)


def pair(
    new: list[Answer], environment: Environment | None = None, **changes: Any
) -> tuple[tuple[Record, list[Answer]], tuple[Record, list[Answer]]]:
    return (make_record(), OLD), (make_record(environment=environment or make_environment(), **changes), new)


def test_equal_answers_elsewhere_are_reproduced_and_the_difference_is_told() -> None:
    found = reproduce.judge(*pair(OLD, make_environment(threads=8, packages={"torch": "2.14.0"})))
    assert found.verdict == "REPRODUCED"
    assert found.reasons == (
        "threads: 2 then, 8 now",
        "torch: 2.13.0 then, 2.14.0 now",
        "transformers: 5.23.0 then, none now",
    )


def test_log_likelihoods_that_moved_are_told() -> None:
    moved = [replace(answer, loglik=(*answer.loglik[:2], answer.loglik[2] - 0.25)) for answer in OLD]
    assert reproduce.judge(*pair(moved)).observations[0].endswith("log-likelihoods within 0.25")


def test_answers_that_are_missing_or_scores_that_moved_differ() -> None:
    assert reproduce.judge(*pair(OLD[:-1])).verdict == "DIFFERS"
    found = reproduce.judge(*pair(OLD, scores={}))
    assert (found.verdict, found.observations[1]) == ("DIFFERS", "accuracy: 0.75 then, missing now")


def test_a_second_run_that_did_not_finish_says_why() -> None:
    found = reproduce.judge(*pair([], status="oom", reason="too large", scores={}))
    assert (found.verdict, found.reasons) == ("DIFFERS", ("oom: too large",))


def test_answers_without_their_texts_are_compared_by_stand_ins() -> None:
    old, new = pair(OLD)
    assert reproduce.judge((old[0], withhold.stand_in_answers(OLD)), new).verdict == "REPRODUCED"
