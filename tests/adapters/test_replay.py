"""Real runs of a toy model asked again: honest ones are equal to the last digit, and planted faults are found."""

from __future__ import annotations

import functools
import multiprocessing
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from harness.adapters import replay_training
from harness.cli.commands import replay_processes, verify_replay
from harness.errors import HarnessError
from harness.record import RunSpec
from harness.runs import plan, worker
from harness.runs.inputs import Inputs
from harness.runs.options import Options
from harness.store import records
from harness.verify.replay import Outcome
from tests.support.replay_faults import (
    FAULTS,
    ROWS_OF,
    Fault,
    elsewhere,
    folder_of,
    nearly,
    other_commit,
    other_decay,
    recost,
    respecify,
    rewrite,
    slower_rate,
)
from tests.support.sample_inputs import write_task

pytest.importorskip("torch")

ROWS = ("base", "calibrated", "pmi", "fewshot", "lora", "qlora", "full")


@pytest.fixture(scope="module", autouse=True)
def steps_of_specs() -> Iterator[None]:
    """The first steps of a spec are taken again once in this module: a planted fault changes files, or the spec itself."""
    take, known = replay_training.first_steps, dict[str, replay_training.Steps]()

    def first_steps(folder: Path, data: Inputs, spec: RunSpec) -> replay_training.Steps:
        key = repr((folder, spec))
        if key not in known:
            known[key] = take(folder, data, spec)
        return known[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(replay_training, "first_steps", first_steps)
        yield


class Quiet:
    def tell(self, event: object) -> None:
        pass

    def should_stop(self) -> bool:
        return False


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> Options:
    from tests.support.tiny_models import toy_folder

    folder = tmp_path_factory.mktemp("replay")
    return Options(
        tasks=(str(write_task(folder / "toy.jsonl")),),
        model=str(toy_folder(folder / "toymodel")),
        results=folder / "results",
        methods=ROWS,
        ranks=(4,),
        seeds=(0, 1),
        epochs=2.0,
        batch_size=8,
        dtype="bf16",
        device="cpu",
        memory=False,
        save_full=True,
    )


@pytest.fixture(scope="module")
def finished(options: Options) -> Path:
    """Real runs of every row, of two seeds those that train."""
    for job in plan.make(options)[0].jobs():
        records.prepare(job.folder)
        worker.run(replace(job, threads=1), Quiet())
    assert {run.record.status for run in records.read_all(options.results)} == {"ok"}
    return options.results / "runs"


@pytest.fixture
def runs(finished: Path, tmp_path: Path) -> Path:
    """A copy of the runs, to plant a fault in."""
    return Path(shutil.copytree(finished, tmp_path / "runs"))


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Toy runs are repeated faster than a process imports torch."""
    monkeypatch.setattr(replay_processes, "width", lambda records: 1)


def replayed(path: Path, options: Options, capsys: pytest.CaptureFixture[str], count: int = 6) -> tuple[int, str]:
    capsys.readouterr()
    code = verify_replay.replay(path, count, options, model=options.model)
    return code, capsys.readouterr().out


def test_runs_side_by_side_have_the_outcomes_of_one_after_the_other(
    finished: Path, options: Options, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = folder_of(finished).parent
    alone = replayed(path, options, capsys)
    monkeypatch.setattr(replay_processes, "width", lambda records: 2)
    assert replayed(path, options, capsys) == alone
    assert alone[0] == 0
    assert not multiprocessing.active_children()


def test_every_honest_run_is_equal_to_the_last_digit(
    finished: Path, options: Options, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out = replayed(finished, options, capsys)
    assert code == 0, out
    assert "11 of 11 runs replayed, 0 not, 0 with a fault; greatest difference 0 nats" in out
    done, asked = map(int, re.search(r"(\d+) of (\d+) answers equal", out).groups())  # type: ignore[union-attr]
    assert done == asked >= 66
    assert out.count("3 first steps taken again") == 6


def test_honest_runs_of_another_machine_pass(
    runs: Path, options: Options, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in runs.glob("*/*/*/s*"):
        elsewhere(path)
    assert replayed(runs, options, capsys)[0] == 0


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found(runs: Path, options: Options, capsys: pytest.CaptureFixture[str], fault: str) -> None:
    FAULTS[fault](runs)
    code, out = replayed(folder_of(runs, ROWS_OF.get(fault, "lora-r4")).parent, options, capsys, count=12)
    assert code == 1, out
    assert "differs: " in out


@pytest.mark.parametrize("fault", ["a swapped adapter", "exchanged seeds", "sharpened likelihoods", "another batch size", "another dtype"])  # fmt: skip
def test_a_planted_fault_of_another_machine_is_found(
    runs: Path, options: Options, capsys: pytest.CaptureFixture[str], fault: str
) -> None:
    FAULTS[fault](runs)
    for path in folder_of(runs).parent.iterdir():
        elsewhere(path)
    assert replayed(folder_of(runs).parent, options, capsys, count=12)[0] == 1


def test_full_weights_of_another_seed_are_found(
    runs: Path, options: Options, capsys: pytest.CaptureFixture[str]
) -> None:
    source, target = folder_of(runs, "full", 1), folder_of(runs, "full", 0)
    shutil.copytree(source / records.MODEL, target / records.MODEL, dirs_exist_ok=True)
    code, out = replayed(target, options, capsys)
    assert code == 1
    assert "the weights give other" in out or "another answer" in out


@pytest.mark.parametrize(("row", "words"), [("lora-r4", "its adapter is not stored"), ("full", "its weights are not stored; full stores them with --save-full")])  # fmt: skip
def test_a_run_without_stored_weights_is_not_replayed_and_its_first_steps_are(
    runs: Path, options: Options, capsys: pytest.CaptureFixture[str], row: str, words: str
) -> None:
    folder = folder_of(runs, row)
    for name in (records.ADAPTER, records.MODEL):
        shutil.rmtree(folder / name, ignore_errors=True)
    code, out = replayed(folder, options, capsys)
    assert code == 0
    assert f"not replayed: {words}; 3 first steps taken again" in out
    assert "0 of 1 runs replayed" in out


def test_an_adapter_of_another_shape_is_a_fault(
    runs: Path, options: Options, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = folder_of(runs)
    respecify(folder, rank=2)
    code, out = replayed(folder, options, capsys)
    assert code == 1
    assert "the stored adapter has other weights than the run trains" in out


def test_a_config_that_was_stored_with_an_adapter_decides_nothing(
    runs: Path, options: Options, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = folder_of(runs)
    (folder / records.ADAPTER / "adapter_config.json").write_text('{"peft_type": "NONE", "auto_mapping": {}}')
    assert replayed(folder, options, capsys)[0] == 0


def test_runs_whose_turn_does_not_come_are_named_and_the_seed_draws_the_order(
    finished: Path, options: Options, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify_replay, "_replay_run", lambda work, count, seed: Outcome(count, count, 0.0, 0, ()))
    orders = []
    for seed in ("a", "b"):
        clock = iter(range(0, 10_000, 40))  # seconds: the second run would begin after 80
        monkeypatch.setattr(verify_replay, "time", SimpleNamespace(monotonic=functools.partial(next, clock)))
        capsys.readouterr()
        assert verify_replay.replay(finished, 4, options, seed=seed, minutes=1, model=options.model) == 0
        lines = [line for line in capsys.readouterr().out.splitlines() if line[0] in "✓–"]
        assert [line[0] for line in lines[:3]] == ["✓", "–", "–"]
        assert "not replayed: its turn did not come within 1 min" in lines[1]
        orders.append([line[2:].split("(")[0] for line in lines])
    assert sorted(orders[0]) == sorted(orders[1])
    assert orders[0] != orders[1]


def test_another_base_model_is_not_replayed(runs: Path, options: Options, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    with pytest.raises(
        HarnessError, match="NOTHING REPLAYED: of none of 1 runs"
    ):  # no success in which nothing was done
        verify_replay.replay(folder_of(runs), 4, options, model="tiny")
    assert "not replayed: the model here is" in capsys.readouterr().out


def test_a_challenger_that_reads_no_model_is_replayed_without_one(
    options: Options, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    made = replace(options, methods=("base",), challengers=("commonest",), results=tmp_path / "results")
    for job in plan.make(made)[0].jobs():
        records.prepare(job.folder)
        worker.run(replace(job, threads=1), Quiet())
    capsys.readouterr()
    assert verify_replay.replay(made.results / "runs", 4, made, model=str(tmp_path / "gone")) == 0
    out = capsys.readouterr().out
    assert "1 of 2 runs replayed, 1 not, 0 with a fault" in out
    assert "commonest" in next(line for line in out.splitlines() if line.startswith("✓"))


@pytest.fixture(scope="module")
def of_another_commit(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of some of the runs, as if another commit had made them."""
    runs = Path(shutil.copytree(finished, tmp_path_factory.mktemp("commit") / "runs"))
    other_commit(runs)
    for row in ("calibrated", "pmi", "fewshot", "qlora-r4"):
        shutil.rmtree(folder_of(runs, row).parent)
    return runs


def test_equal_runs_of_another_commit_pass(
    of_another_commit: Path, options: Options, capsys: pytest.CaptureFixture[str]
) -> None:
    assert replayed(of_another_commit, options, capsys, count=4)[0] == 0


@pytest.mark.parametrize("fault", [nearly, slower_rate, other_decay])
def test_if_other_runs_are_equal_to_the_last_digit_a_small_change_is_found(
    of_another_commit: Path, options: Options, capsys: pytest.CaptureFixture[str], fault: Fault, tmp_path: Path
) -> None:
    runs = Path(shutil.copytree(of_another_commit, tmp_path / "runs"))
    fault(runs)
    code, out = replayed(runs, options, capsys, count=4)
    assert code == 1
    assert "its environment do not" in out


@pytest.mark.slow
def test_written_answers_and_their_tokens_are_those_of_the_weights(
    tmp_path: Path, options: Options, capsys: pytest.CaptureFixture[str]
) -> None:
    written = replace(options, results=tmp_path, methods=("base", "lora"), seeds=(0,), scoring="generate")
    for job in plan.make(written)[0].jobs():
        records.prepare(job.folder)
        worker.run(replace(job, threads=1), Quiet())
    runs = tmp_path / "runs"
    assert replayed(runs, options, capsys)[0] == 0

    def more_tokens(runs: Path) -> None:
        folder = folder_of(runs, "base")
        cost = records.read_record(folder).cost
        assert cost is not None
        recost(folder, "evaluate", tokens=cost.phases["evaluate"].tokens + 50)

    def other_texts(runs: Path) -> None:
        rewrite(folder_of(runs), lambda a: replace(a, text=f"{a.target}!", parsed=a.target))

    for plant, words in ((more_tokens, "prompts and answers of the test have"), (other_texts, "another answer to")):
        copy = Path(shutil.copytree(runs, tmp_path / plant.__name__))
        plant(copy)
        code, out = replayed(copy, options, capsys)
        assert code == 1
        assert words in out
