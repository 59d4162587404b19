"""The lines of progress: signs of life, a smooth loss, and what is left of the whole."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.cli.terminal.progress import Watch
from harness.runs.forecast.duration import Duration
from harness.runs.job import Job, Outcome, Progress
from harness.runs.plan import Plan


def test_a_long_run_gives_a_sign_of_life_when_piped(
    planned: Plan, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr("harness.cli.terminal.progress.time.monotonic", lambda: clock[0])
    job: Job = planned.jobs()[1]
    with Watch(planned) as watch:
        watch.on_start(job)
        for second in range(200):
            clock[0] = float(second)
            watch.on_progress(job, Progress("train", second, 200, 0.5, 200.0 - second))
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert "train 61/200 · mean loss 0.50" in lines[0]


def test_the_loss_of_a_progress_line_is_a_mean_over_batches(
    planned: Plan, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr("harness.cli.terminal.progress.time.monotonic", lambda: clock[0])
    job: Job = planned.jobs()[1]
    with Watch(planned) as watch:
        watch.on_start(job)
        for step in range(1, 62):
            clock[0] = float(step)
            watch.on_progress(job, Progress("train", step, 200, 3.0 if step < 61 else 8.0))
    assert "mean loss 4.00" in capsys.readouterr().err


@pytest.fixture
def timed(planned: Plan) -> Plan:
    """Return a plan whose measured speed makes the base model's run 3 s and that of LoRA 103 s long."""
    durations = dict(zip((spec.id for spec in planned.specs), (Duration(0.0, 3.0), Duration(100.0, 3.0)), strict=True))
    timed = replace(planned, options=replace(planned.options, jobs=1))
    vars(timed)["durations"] = durations
    return timed


def test_what_is_left_of_the_whole_follows_the_expected_durations_and_what_the_runs_take(
    timed: Plan, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr("harness.cli.terminal.progress.time.monotonic", lambda: clock[0])
    base, lora = timed.jobs()
    with Watch(timed) as watch:
        watch.on_start(base)
        assert watch._seconds_left() == pytest.approx(106)
        clock[0] = 36.0  # twelve times as long as expected: other work on the machine
        watch.on_end(Outcome(base, "ok", record=None))
        factor = (36 + 10) / (3 + 10)
        assert watch._seconds_left() == pytest.approx(factor * 103)
        watch.on_start(lora)
        watch.on_progress(lora, Progress("train", 10, 100, 0.5, 200.0))
        factor = (36 + 200 + 10) / (3 + 100 + 10)
        assert watch._seconds_left() == pytest.approx(200 + factor * 3)
        clock[0] = 300.0
        watch.on_end(Outcome(lora, "failed", "killed"))
        assert watch._seconds_left() == 0
    lines = capsys.readouterr().err.splitlines()
    assert [line.strip() for line in lines if "left" in line] == ["1/2 · about 6 min left"]


def test_runs_finished_before_are_named(planned: Plan, capsys: pytest.CaptureFixture[str]) -> None:
    with Watch(replace(planned, done=frozenset({planned.specs[0].id}))):
        pass
    assert "finished before" in capsys.readouterr().err
