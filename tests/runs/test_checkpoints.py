"""A run that was interrupted goes on from its checkpoint and ends with the bytes of one that was not."""

from __future__ import annotations

import errno
import hashlib
import os
import random
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

import pytest

from harness.data import registry
from harness.record import Record
from harness.runs import checkpoints, local, plan, worker
from harness.runs.job import Event, Job, Note, Reporter
from harness.runs.options import Options
from harness.store import checkpoint_files, records
from harness.store.codec import encode
from harness.verify.checks.artifacts import training
from harness.verify.checks.record import pace
from tests.support.sample_inputs import write_task

pytest.importorskip("torch")

from harness.training import federated, flower

MakeJob = Callable[..., Job]
METHODS = ("lora", "qlora", "full", "fedlora")
STEPS = 10
OFTEN = 1e-9  # minutes: a checkpoint after each step
MEASURED = {"seconds", "started", "load", "train_tokens_per_second", "resident_bytes", "neighbours", "checkpoints"}


class Listener:
    """A reporter that collects notes, and asks to stop when asked for the nth time whether to stop."""

    def __init__(self, patience: int = 10**9) -> None:
        self.notes: list[str] = []
        self.patience = patience

    def tell(self, event: Event) -> None:
        if isinstance(event, Note):
            self.notes.append(event.text)

    def should_stop(self) -> bool:
        self.patience -= 1
        return self.patience <= 0


@pytest.fixture
def make_job(tmp_path: Path, model: Path) -> MakeJob:
    task = write_task(tmp_path / "toy.jsonl")

    def make(method: str, name: str = "results", epochs: float = 2.0) -> Job:
        options = Options(
            tasks=(str(task),),
            model=str(model),
            results=tmp_path / name,
            methods=(method,),
            challengers=(),
            ranks=(4,),
            epochs=epochs,
            batch_size=8,
            dropout=0.1,
            rounds=3,
            dtype="fp32",
            device="cpu",
            memory=False,
            save_full=True,
        )
        (planned,) = plan.make(options)
        (job,) = planned.jobs()
        return replace(job, threads=1, checkpoint_minutes=OFTEN)

    return make


def attempt(job: Job, patience: int = 10**9) -> tuple[Record, list[str]]:
    records.prepare(job.folder)
    listener = Listener(patience)
    worker.run(job, listener)
    return records.read_record(job.folder), listener.notes


def left(folder: Path) -> dict[str, Any]:
    """What a run leaves: files by their hashes, and each step and each field of the record without measured times."""
    paths = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
    skip = {records.RECORD, records.STEPS, records.LOG, records.LOCK, records.WORKING}
    files = {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in paths.items() if name not in skip}
    steps = {f"step {step['step']}": without_times(step) for step in records.read_steps(folder)}
    return {**files, **steps, **without_times(encode(records.read_record(folder)))}


def assert_same(first: Path, second: Path | dict[str, Any]) -> None:
    a, b = left(first), second if isinstance(second, dict) else left(second)
    assert a.keys() == b.keys()
    assert {name: (value, b[name]) for name, value in a.items() if value != b[name]} == {}


def without_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_times(item) for name, item in value.items() if name not in MEASURED | {"steps_sha256"}}
    return [without_times(item) for item in value] if isinstance(value, list) else value


@pytest.fixture(autouse=True)
def flower_is_not_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rounds are done directly: the package is large, and `tests/training/test_flower.py` shows that both are the same."""
    monkeypatch.setattr(registry, "missing", lambda method: [])
    monkeypatch.setattr(flower, "serve", federated.serve)


def work_without_flower(job: Job, reporter: Reporter) -> None:
    flower.serve = federated.serve
    worker.run(job, reporter)


@pytest.mark.parametrize("method", METHODS)
def test_a_run_that_was_stopped_twice_ends_with_the_bytes_of_one_that_was_not(make_job: MakeJob, method: str) -> None:
    whole, job = make_job(method, "whole"), make_job(method)
    attempt(replace(whole, checkpoint_minutes=0.0))
    first, _ = attempt(job, patience=4)
    assert first.status == "interrupted"
    second, notes = attempt(job, patience=5)
    assert second.status == "interrupted"
    assert "goes on from its checkpoint after step 3" in notes[0]
    record, _ = attempt(job)
    assert record.status == "ok", record.reason
    assert_same(job.folder, whole.folder)
    assert record.checkpoints is not None
    assert record.checkpoints.resumptions == (3, 7)
    assert record.started == first.started
    checks = [*pace.run_checks(record), *training.run_checks(job.folder, record)]
    assert [check for check in checks if not check.ok] == []
    assert records.read_record(whole.folder).checkpoints is None


def kill_at(job: Job, steps: int) -> bool:
    """Start the run in a process and kill it as soon as it has logged so many steps; whether it was still alive."""
    records.prepare(job.folder)
    process = local.LocalProcesses(work_without_flower).start(job)
    try:
        while process.exit_reason() is None and len(records.read_steps(job.folder)) < steps:
            time.sleep(0.01)
        return process.exit_reason() is None
    finally:
        process.kill()
        wait([process.sentinel])


def finish(job: Job) -> Record:
    records.prepare(job.folder)
    process = local.LocalProcesses(work_without_flower).start(job)
    wait([process.sentinel])
    return records.read_record(job.folder)


@pytest.mark.parametrize("method", ["lora"])
def test_a_killed_run_goes_on_from_its_last_checkpoint(make_job: MakeJob, method: str) -> None:
    whole, job = make_job(method, "whole"), make_job(method)
    attempt(replace(whole, checkpoint_minutes=0.0))
    assert kill_at(job, 3)
    record, _ = attempt(job)  # in this process, which is another
    assert record.status == "ok", record.reason
    assert_same(job.folder, whole.folder)
    assert record.checkpoints is not None
    assert record.checkpoints.resumptions[0] >= 2


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_ten_kills_at_random_moments_change_no_byte(make_job: MakeJob, method: str) -> None:
    whole, job = make_job(method, "whole", epochs=4.0), make_job(method, epochs=4.0)
    assert finish(replace(whole, checkpoint_minutes=0.0)).status == "ok"
    expected, chance, kills = left(whole.folder), random.Random(method), 0
    total = len(records.read_steps(whole.folder))
    job = replace(job, checkpoint_minutes=0.002)
    while kills < 10:
        logged = len(records.read_steps(job.folder))
        kills += kill_at(job, chance.randint(logged, total))
        if (job.folder / records.RECORD).exists():  # it ended before the kill
            assert_same(job.folder, expected)
            shutil.rmtree(job.folder)
    assert finish(job).status == "ok"
    assert_same(job.folder, expected)


def test_a_finished_run_has_no_checkpoint_and_one_that_was_stopped_has(make_job: MakeJob) -> None:
    job = make_job("lora")
    attempt(job, patience=3)
    assert checkpoint_files.exists(job.folder)
    record, notes = attempt(job)
    assert record.status == "ok"
    assert len(notes) == 1
    assert not (job.folder / checkpoint_files.FOLDER).exists()


def test_steps_behind_the_last_checkpoint_are_done_again_and_counted(make_job: MakeJob) -> None:
    job = make_job("lora")
    attempt(job, patience=3)
    with records.open_steps(job.folder) as log:
        for number in (3, 4):
            records.append_step(log, {"step": number, "seconds": 2.0})
    record, notes = attempt(job)
    assert "2 steps behind it are done again" in notes[0]
    assert record.checkpoints is not None
    assert (record.checkpoints.lost_steps, record.checkpoints.lost_seconds) == (2, 4.0)
    assert [step["step"] for step in records.read_steps(job.folder)] == list(range(1, STEPS + 1))


def test_a_test_that_was_interrupted_begins_again_and_no_step_is_trained_again(
    make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, job = make_job("lora", "whole"), make_job("lora")
    attempt(replace(whole, checkpoint_minutes=0.0))
    record, _ = attempt(job, patience=STEPS + 2)
    assert record.status == "interrupted"
    monkeypatch.setattr("harness.training.loop.train_step", lambda *_, **__: pytest.fail("a step was trained again"))
    record, _ = attempt(job)
    assert record.status == "ok", record.reason
    assert_same(job.folder, whole.folder)


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ("spec", "settings"),
        ("code", "code"),
        ("python", "version of Python"),
        ("packages", "versions of packages"),
        ("device", "processor or GPU"),
        ("threads", "number of threads"),
    ],
)
def test_a_checkpoint_of_something_else_is_dropped_with_a_sentence(make_job: MakeJob, field: str, words: str) -> None:
    job = make_job("lora")
    attempt(job, patience=3)
    card = checkpoint_files.read_card(job.folder)
    assert card is not None
    card["key"][field] = "other"
    checkpoint_files.write_card(job.folder, card)
    record, notes = attempt(job)
    assert notes[0] == f"the checkpoint is not used, and the run starts anew: it is of other {words}"
    assert record.status == "ok"
    assert record.checkpoints is not None
    assert record.checkpoints.resumptions == ()
    assert len(records.read_steps(job.folder)) == STEPS


@pytest.mark.parametrize("damage", ["state", "card", "missing"])
def test_a_damaged_checkpoint_is_dropped_with_a_sentence(make_job: MakeJob, damage: str) -> None:
    job = make_job("lora")
    attempt(job, patience=3)
    place = job.folder / checkpoint_files.FOLDER
    (state,) = place.glob("state-*.pt")
    if damage == "state":
        content = bytearray(state.read_bytes())
        content[len(content) // 2] ^= 1
        state.write_bytes(content)
    elif damage == "card":
        (place / checkpoint_files.CARD).write_text('{"key": ')
    else:
        state.unlink()
    record, notes = attempt(job)
    assert notes[0].startswith("the checkpoint is not used, and the run starts anew: ")
    assert record.status == "ok"


def test_without_checkpoints_none_is_written_and_an_earlier_one_is_not_used(make_job: MakeJob) -> None:
    job = make_job("lora")
    attempt(job, patience=3)
    job = replace(job, checkpoint_minutes=0.0)
    record, notes = attempt(job, patience=4)
    assert record.status == "interrupted"
    assert notes == []
    assert not checkpoint_files.exists(job.folder)


def test_a_full_disk_costs_the_checkpoint_and_not_the_run(make_job: MakeJob, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("harness.store.checkpoint_files.write", full)
    job = make_job("lora")
    record, notes = attempt(job)
    assert record.status == "ok"
    assert record.checkpoints is None
    assert "no checkpoint could be written" in notes[0]


def test_a_stop_does_not_wait_for_a_checkpoint_that_takes_long(
    make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "DISK", 1.0)  # bytes a second
    job = replace(make_job("lora"), checkpoint_minutes=10.0)
    _, notes = attempt(job, patience=3)
    assert notes[0].startswith("no checkpoint at this stop: it would take about")
    assert not checkpoint_files.exists(job.folder)


def test_the_choice_of_weights_survives_an_interruption(make_job: MakeJob) -> None:
    whole, job = (
        replace(make_job("lora", name), spec=replace(make_job("lora", name).spec, validations=4))
        for name in ("whole", "results")
    )
    attempt(replace(whole, checkpoint_minutes=0.0))
    attempt(job, patience=7)
    record, _ = attempt(job)
    assert record.selection is not None
    assert record.selection.steps == (2, 5, 8, 10)
    assert_same(job.folder, whole.folder)
