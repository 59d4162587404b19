"""The plan's time: from finished runs of this machine, or from steps that are timed beforehand."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from harness import environment
from harness.runs import plan
from harness.runs.forecast import history, preflight
from harness.runs.forecast.preflight import Findings, Preflight
from harness.runs.forecast.speed import Speed
from harness.runs.options import Options
from harness.store import records
from tests.support.plans import finish, only
from tests.support.records import make_record, make_spec
from tests.support.tiny_models import toy_folder, toy_spec


def test_the_time_is_estimated_from_runs_of_this_machine_or_not_at_all(asked: Options) -> None:
    made = only(asked)
    assert made.seconds is None
    finish(asked, made)
    longer = only(replace(asked, epochs=2 * made.specs[-1].epochs, methods=("full",)))
    # load 1 s, twice the training of 20 s, evaluation 4 s: see records.make_cost
    assert longer.seconds == pytest.approx(45)
    assert only(asked).seconds == 0


def test_runs_of_another_machine_say_nothing_about_the_time_here(tmp_path: Path) -> None:
    records.write_record(records.run_dir(tmp_path, make_spec()), make_record())
    assert history.seconds([make_spec(seed=1)], tmp_path, threads=1) is None


def test_a_quick_run_has_a_quarter_of_the_examples_and_numbers_that_are_named_stay(asked: Options) -> None:
    whole = only(asked).splits
    quick = only(replace(asked, quick=True))
    assert len(quick.splits.train) == math.ceil(len(whole.train) / 4)
    assert len(quick.splits.test) == math.ceil(len(whole.test) / 4)
    plain = replace(asked, train_examples=len(quick.splits.train), test_examples=len(quick.splits.test))
    assert [spec.id for spec in quick.specs] == [spec.id for spec in only(plain).specs]
    assert {job.source.test_limit for job in quick.jobs()} == {len(quick.splits.test)}
    assert len(only(replace(asked, quick=True, test_examples=9)).splits.test) == 9


def test_a_first_plan_has_a_time_by_the_measured_speed(asked: Options) -> None:
    speed = Speed(training=100.0, reading=1000.0, loading=0.5, tokens=4000, characters=16000)

    def look(question: Preflight) -> Findings:
        assert question.threads == environment.threads_per_run(1)
        return Findings(weights=1000, speed=speed)

    asked = replace(asked, memory=True, jobs=1)
    (made,) = plan.make(asked, look=look)
    seconds = {spec.name: made.durations[spec.id] for spec in made.specs}
    epochs = next(spec.epochs for spec in made.specs if spec.epochs)
    assert seconds["base"].training == speed.loading
    assert seconds["lora-r2"].training == pytest.approx(speed.loading + epochs * 40)
    assert seconds["lora-r2"].training < seconds["qlora-r2"].training < seconds["full"].training
    assert seconds["lora-r2"].rest < seconds["base"].rest < seconds["calibrated"].rest  # validation is read, too
    assert seconds["base"].rest < seconds["fewshot"].rest
    assert made.seconds == pytest.approx(sum(one.total for one in seconds.values()))
    finish(asked, made)
    (again,) = plan.make(asked, look=look)
    assert not again.seconds


def test_several_runs_at_a_time_start_with_the_longest_and_no_long_one_comes_last(asked: Options) -> None:
    findings = Findings(weights=1000, speed=Speed(100.0, 1000.0, 0.5, tokens=4000, characters=16000))
    several = replace(asked, memory=True, challengers=("commonest",), seeds=(0, 1), ranks=(2,))
    (made,) = plan.make(replace(several, jobs=2), look=lambda question: findings)
    names = [job.spec.name for job in made.jobs()]
    assert names[:7] == ["base", *["full", "qlora-r2", "lora-r2"] * 2]
    assert set(names[7:]) == {"calibrated", "fewshot", "commonest"}
    assert {job.spec for job in made.jobs()} == set(made.todo)
    for other in (replace(several, jobs=1), replace(several, jobs=2, memory=False)):
        (made,) = plan.make(other, look=lambda question: findings)
        assert [job.spec for job in made.jobs()] == list(made.todo)


def test_of_ranks_with_one_expected_duration_the_highest_starts_first(asked: Options) -> None:
    findings = Findings(weights=1000, speed=Speed(100.0, 1000.0, 0.5, tokens=4000, characters=16000))
    options = replace(asked, memory=True, methods=("base", "lora"), ranks=(2, 4, 8), jobs=2)
    (made,) = plan.make(options, look=lambda question: findings)
    trained = [job.spec.rank for job in made.jobs() if job.spec.epochs]
    assert trained == [8, 4, 2] * (len(trained) // 3)


def test_the_speed_is_that_of_real_steps_and_none_if_they_cannot_be_done(tmp_path: Path) -> None:
    folder = toy_folder(tmp_path / "model")
    runs = (toy_spec(method="base", micro_batch=0, epochs=0.0), toy_spec(method="lora", rank=2, alpha=8.0))
    texts = (("Is it right?", "yes"), ("Is it wrong then?", "no")) * 4
    seen = preflight.look(Preflight(folder, runs, texts)).speed
    assert seen is not None
    assert 0 < seen.training < seen.reading
    assert seen.characters == sum(len(prompt) + len(target) for prompt, target in texts)
    assert preflight.look(Preflight(folder, runs[:1], texts)).speed is None
    assert preflight.look(Preflight(folder, runs, texts, sampled=True)).speed is None
