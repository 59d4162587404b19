"""One run a card, several small ones on one, the largest first: with cards that are not there and workers on the CPU."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.cli.commands import run as command
from harness.data.source import TaskSource
from harness.errors import HarnessError
from harness.record import Placement, Record
from harness.runs import plan, runner, worker
from harness.runs.executors import cards
from harness.runs.executors.cards import CardProcesses, fits
from harness.runs.executors.inventory import Card
from harness.runs.forecast import gpu
from harness.runs.forecast.preflight import Findings, Preflight
from harness.runs.job import Job, Progress, Reporter
from harness.runs.local import Process
from harness.runs.options import Options
from harness.runs.plan import Plan
from harness.store import records
from harness.store.codec import encode
from tests.runs.test_checkpoints import without_times
from tests.runs.test_runner import Notes
from tests.support.cli_runner import Desk, without_torch
from tests.support.records import make_record, make_spec
from tests.support.sample_inputs import write_task

GIB = 2**30


def card(number: int, gib: float = 16.0, free: float | None = None) -> Card:
    memory = round(gib * GIB)
    return Card(number, f"GPU-{number}", "A card", memory, memory if free is None else round(free * GIB))


def job(root: Path, seed: int, gib: float, **changes: Any) -> Job:
    """A run with this predicted peak; it waits in training for as many runs as its batch size."""
    changes = {"batch_size": 1} | changes
    spec = make_spec(seed=seed, **changes)
    folder = records.run_dir(root, spec)
    return Job(spec, folder, TaskSource("toy"), Path("model"), predicted_peak_bytes=round(gib * GIB))


def look_around(job: Job, reporter: Reporter) -> None:
    """A worker that notes the card it may see, and is seen in training beside as many runs as it waits for."""
    (job.results / f"started-{job.spec.seed}").touch()
    left = 10  # looks after the others have come
    while left:
        reporter.tell(Progress("train", 1, 20))
        time.sleep(0.05)
        left -= len(list(job.results.glob("started-*"))) >= job.spec.batch_size
    records.write_record(job.folder, make_record(job.spec, reason=os.environ["CUDA_VISIBLE_DEVICES"]))


def go(work: Sequence[Job], devices: Sequence[Card], slots: int = 8) -> dict[int, Record]:
    result = runner.run(work, CardProcesses(look_around, devices, slots=slots), Notes())
    assert [outcome.status for outcome in result.outcomes] == ["ok"] * len(work)
    return {outcome.job.spec.seed: records.read_record(outcome.job.folder) for outcome in result.outcomes}


def test_each_run_sees_its_own_card_alone_and_its_record_names_it(tmp_path: Path) -> None:
    found = go([job(tmp_path, seed, 9, batch_size=2) for seed in range(3)], [card(0), card(1)])
    assert {found[0].reason, found[1].reason} == {"GPU-0", "GPU-1"}
    for record in found.values():
        assert record.placement
        assert record.placement == Placement(
            card=record.reason, number=int(record.reason[-1]), model="A card", neighbours=0.0
        )
    assert found[0].neighbours  # on the machine, beside the run of the other card


def test_small_runs_share_a_card_and_their_rows_are_marked(tmp_path: Path) -> None:
    found = go([job(tmp_path, seed, 3, batch_size=3) for seed in range(3)], [card(0)])
    assert {record.reason for record in found.values()} == {"GPU-0"}
    assert all(record.placement and record.placement.neighbours and record.neighbours for record in found.values())


def test_a_run_without_a_prediction_has_a_card_for_itself(tmp_path: Path) -> None:
    found = go([job(tmp_path, 0, 0), job(tmp_path, 1, 1)], [card(0)])
    assert [record.neighbours for record in found.values()] == [0.0, 0.0]


def test_a_challenger_without_the_model_sees_no_card(tmp_path: Path) -> None:
    found = go([job(tmp_path, 0, 0, challenger=1, method="words"), job(tmp_path, 1, 1)], [card(0)])
    assert (found[0].reason, found[0].placement) == ("", None)
    assert found[1].reason == "GPU-0"


def test_jobs_bound_the_runs_on_all_cards_together(tmp_path: Path) -> None:
    found = go([job(tmp_path, seed, 1) for seed in range(2)], [card(0), card(1)], slots=1)
    assert [record.neighbours for record in found.values()] == [0.0, 0.0]


def test_small_runs_pass_a_large_one_that_waits_and_it_starts_as_soon_as_its_like_has_ended(tmp_path: Path) -> None:
    notes = Notes()
    work = [job(tmp_path, 0, 9), job(tmp_path, 1, 8), job(tmp_path, 2, 2), job(tmp_path, 3, 2)]
    runner.run(work, CardProcesses(look_around, [card(0)], slots=8), notes)
    lines = [line for line in notes.lines if not line.startswith("progress")]
    assert lines[:2] == ["started 0", "started 2"]
    assert next(line for line in lines[lines.index("ok 0") :] if line.startswith("started")) == "started 1"


def test_runs_spread_over_empty_cards_before_they_share_one(tmp_path: Path) -> None:
    executor = CardProcesses(look_around, [card(0, 24), card(1, 16), card(2, 20)], slots=8)
    running: list[Process] = []
    try:
        for seed in range(4):
            work = job(tmp_path, seed, 2)
            records.prepare(work.folder)
            assert executor.takes(work, running)
            running.append(executor.start(work, running))
        assert [process.placement and process.placement.number for process in running] == [0, 2, 1, 0]
    finally:
        for process in running:
            process.kill()
            while process.exit_reason() is None:
                executor.wait([process], 1)


def test_shared_cards_keep_a_margin_for_each_run_and_the_memory_of_cuda_itself() -> None:
    usable = 16 * GIB * (1 - gpu.SPARE)
    each = (usable / 2 - gpu.CONTEXT) / (1 + cards.SHARED_MARGIN)
    assert fits(card(0), [round(each) - 1] * 2)
    assert not fits(card(0), [round(each) + 1] * 2)
    assert fits(card(0), [round(gpu.Card("", 16 * GIB, 0, 0).limit)])  # alone: as `plan --gpu` counts
    assert not fits(card(0), [round(gpu.Card("", 16 * GIB, 0, 0).limit) + 1])
    assert not fits(card(0, free=8), [9 * GIB])  # other programs use the rest


# the plan


def look(preflight: Preflight) -> Findings:
    assert preflight.card == "GPU-0"  # no other is opened to time a step
    sizes = {"base": 0, "lora": 4 * GIB, "qlora": 2 * GIB, "full": 12 * GIB}
    return Findings(1000, {spec.id: sizes.get(spec.method, 0) for spec in preflight.specs})


def planned(asked: Options, *devices: Card, **changes: Any) -> Plan:
    options = replace(asked, memory=True, cards=devices, ranks=(2,), challengers=("words",), **changes)
    return plan.make(options, look=look)[0]


def test_runs_start_by_their_predicted_peaks_largest_first(asked: Options) -> None:
    names = [job.spec.method for job in planned(asked, card(0), seeds=(0, 1)).jobs()]
    assert names[:6] == ["full", "full", "lora", "lora", "qlora", "qlora"]
    assert {*names[6:]} >= {"base", "words"}


def test_by_default_there_is_a_run_a_card_at_least_and_as_many_as_cores_feed(
    asked: Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.environment.memory_bytes", lambda: 512 * GIB)
    monkeypatch.setattr("harness.environment.cores", lambda: 1)
    assert planned(asked, card(0), card(1)).options.jobs == 2
    monkeypatch.setattr("harness.environment.cores", lambda: 64)
    assert planned(asked, card(0), card(1)).options.jobs == 8
    assert planned(asked, card(0), card(1), jobs=3).options.jobs == 3


def test_a_run_that_fits_no_card_is_refused_before_anything_starts(asked: Options) -> None:
    with pytest.raises(HarnessError) as error:
        planned(asked, card(0, 8), card(1, 12))
    assert "full is predicted to take 12.0 GiB" in error.value.problem.replace(" s0", "")
    assert "card 1 (A card), has room for" in error.value.problem
    assert "--devices" in error.value.where
    assert planned(asked, card(0, 8), card(1, 16))


def test_the_micro_batch_is_that_of_the_smallest_card(asked: Options, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    def on_cuda(load: Any, batch_size: int, method: Any, memory: int) -> int:
        seen.append(memory)
        return 1

    monkeypatch.setattr("harness.environment.cuda_present", lambda: True)
    monkeypatch.setattr("harness.runs.defaults.forecast.on_cuda", on_cuda)
    planned(asked, card(0, 40), card(1, 16), device="cuda")
    assert set(seen) == {16 * GIB}


# the command


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Desk:
    without_torch(monkeypatch)
    return Desk(tmp_path, capsys)


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("--devices", "0-7"), "no CUDA device was found"),
        (("--devices", "7-0"), "'7-0' is neither a card's number, nor a range of numbers that rises"),
        (("--devices", "0,,1"), "'' is neither a card's number"),
        (("--devices", "first"), "'first' is neither a card's number"),
        (("--devices", "all,1"), "all and 1 further card are named together"),
        (("--devices", "0", "--device", "cpu"), "cards are named, and the runs shall use the CPU"),
    ],
)
def test_devices_that_cannot_be_are_refused_before_anything_starts(
    desk: Desk, words: tuple[str, ...], problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.environment.cuda_present", lambda: False)
    assert desk.train(*words) == 2
    assert problem in desk.err
    assert not desk.results.exists()


@pytest.mark.parametrize(
    ("word", "problem"), [("0-2", "there is no card 2"), ("1,0,1", "card 1 (A card) is named twice")]
)
def test_a_card_that_is_not_there_or_named_twice_is_refused(
    desk: Desk, word: str, problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.runs.executors.inventory.read", lambda: (card(0), card(1)))
    assert desk.train("--devices", word) == 2
    assert problem in desk.err


def test_the_command_runs_on_the_cards_and_says_so(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.runs.executors.inventory.read", lambda: (card(0), card(1)))
    monkeypatch.setattr("harness.environment.cuda_present", lambda: True)
    assert desk.train("--devices", "0-1", "--jobs", "2") == 0, desk.err
    found = [run.record for run in records.read_all(desk.results)]
    assert len(found) == 3
    assert {record.placement and record.placement.card for record in found} <= {"GPU-0", "GPU-1"}
    assert "cards 0, 1 (A card)" in desk.out
    (recipe,) = (desk.results / "recipes").glob("*.yaml")
    assert "devices: [0, 1]" in recipe.read_text()


# the results


def left(folder: Path) -> dict[str, Any]:
    """What runs leave: files by their hashes, and each field of each record without times and placement."""
    skip = {records.RECORD, records.STEPS, records.LOG}
    files = [path for path in folder.rglob("*") if path.is_file() and path.name not in skip]
    found: dict[str, Any] = {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}
    for run in records.read_all(folder):
        found |= {f"{run.record.spec.id} {key}": value for key, value in _untimed(run.record).items()}
    return found


def _untimed(record: Record) -> dict[str, Any]:
    environment = replace(record.environment, commit="")  # git may take too long on a busy machine
    record = replace(record, environment=environment)
    return dict(without_times(encode(replace(record, placement=None, neighbours=None))))


@pytest.mark.slow
def test_runs_on_shared_cards_leave_the_same_bytes_as_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    from tests.support.tiny_models import toy_folder

    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # the threads of a run are the cores over the runs at a time
    options = Options(
        tasks=(str(write_task(tmp_path / "toy.jsonl")),),
        model=str(toy_folder(tmp_path / "toymodel")),
        methods=("base", "lora", "qlora", "full"),
        ranks=(2,),
        epochs=1.0,
        batch_size=8,
        dtype="fp32",
        device="cpu",
        results=tmp_path / "single",
        jobs=1,
    )
    shared = replace(options, results=tmp_path / "shared", jobs=4, cards=(card(0), card(1, 4)))
    for each in (options, shared):
        (made,) = plan.make(each)
        outcomes, _ = command.execute(made, worker.run)
        assert {outcome.status for outcome in outcomes} == {"ok"}
    assert left(shared.results) == left(options.results)
    placed = [run.record.placement for run in records.read_all(shared.results)]
    assert {placement and placement.card for placement in placed} == {"GPU-0", "GPU-1"}
