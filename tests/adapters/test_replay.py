"""Real runs of a toy model asked again: honest ones are equal to the last digit, and planted faults are found."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.cli.commands import verify_replay
from harness.record import Answer
from harness.runs import plan, worker
from harness.runs.options import Options
from harness.store import records, training_files
from tests.support import logged_steps
from tests.support.sample_inputs import write_task

pytest.importorskip("torch")

ROWS = ("base", "calibrated", "pmi", "fewshot", "lora", "qlora", "full")
Fault = Callable[[Path], object]


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


def folder_of(runs: Path, row: str = "lora-r4", seed: int = 0) -> Path:
    (path,) = runs.glob(f"*/*/{row}/s{seed}-*")
    return path


def replayed(path: Path, options: Options, capsys: pytest.CaptureFixture[str], count: int = 6) -> tuple[int, str]:
    capsys.readouterr()
    code = verify_replay.replay(path, count, options, model=options.model)
    return code, capsys.readouterr().out


def rewrite(folder: Path, edit: Callable[[Answer], Answer], **changes: Any) -> None:
    """Edit every answer of a run, with its checksum in the record, and change fields of the record."""
    record = records.read_record(folder)
    digest = records.write_answers(folder, [edit(answer) for answer in records.read_answers(folder)])
    records.write_record(folder, replace(record, answers_sha256=digest, **changes))


def respecify(folder: Path, **changes: Any) -> None:
    record = records.read_record(folder)
    records.write_record(folder, replace(record, spec=replace(record.spec, **changes)))


def elsewhere(folder: Path) -> None:
    """Let a run come from another machine."""
    record = records.read_record(folder)
    records.write_record(folder, replace(record, environment=replace(record.environment, machine="Another processor")))


def test_every_honest_run_is_equal_to_the_last_digit(
    finished: Path, options: Options, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out = replayed(finished, options, capsys)
    assert code == 0, out
    assert "11 of 11 runs replayed, 0 with a fault; greatest difference 0 nats, 66 of 66 answers equal" in out
    assert out.count("3 first steps taken again") == 6


def test_honest_runs_of_another_machine_pass(
    runs: Path, options: Options, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in runs.glob("*/*/*/s*"):
        elsewhere(path)
    assert replayed(runs, options, capsys)[0] == 0


def swapped_adapter(runs: Path) -> None:
    source, target = folder_of(runs, seed=1), folder_of(runs, seed=0)
    shutil.copytree(source / records.ADAPTER, target / records.ADAPTER, dirs_exist_ok=True)
    record = records.read_record(target)
    records.write_record(target, replace(record, adapter_sha256=training_files.weights_sha256(target)))


def exchanged_seeds(runs: Path) -> None:
    """Exchange everything of two seeds except the specs."""
    first, second = folder_of(runs, seed=0), folder_of(runs, seed=1)
    a, b = records.read_record(first), records.read_record(second)
    shutil.move(first, runs / "aside")
    shutil.move(second, first)
    shutil.move(runs / "aside", second)
    records.write_record(first, replace(b, spec=a.spec))
    records.write_record(second, replace(a, spec=b.spec))


def turned_right(runs: Path) -> None:
    def turn(answer: Answer) -> Answer:
        best = answer.choices.index(answer.target)
        loglik = [*answer.loglik]
        top = loglik.index(max(loglik))
        loglik[best], loglik[top] = loglik[top], loglik[best]
        return replace(answer, text=answer.target, parsed=answer.target, loglik=tuple(loglik))

    rewrite(folder_of(runs), turn)


def sharpened(runs: Path) -> None:
    rewrite(folder_of(runs), lambda a: replace(a, loglik=tuple(1.5 * value for value in a.loglik)))


def other_alpha(runs: Path) -> None:
    respecify(folder_of(runs), alpha=records.read_record(folder_of(runs)).spec.alpha * 2)


def other_rate(runs: Path) -> None:
    """State another rate, with logged rates to match."""
    folder = folder_of(runs)
    respecify(folder, learning_rate=records.read_record(folder).spec.learning_rate * 3)
    logged_steps.change(folder, lambda rows: [row.update(learning_rate=row["learning_rate"] * 3) for row in rows])


def other_batch(runs: Path) -> None:
    respecify(folder_of(runs), batch_size=4)


def other_dtype(runs: Path) -> None:
    respecify(folder_of(runs), dtype="fp32")


FAULTS: dict[str, Fault] = {
    "a swapped adapter": swapped_adapter,
    "exchanged seeds": exchanged_seeds,
    "answers turned right": turned_right,
    "sharpened likelihoods": sharpened,
    "another alpha": other_alpha,
    "another rate with steps to match": other_rate,
    "another batch size": other_batch,
    "another dtype": other_dtype,
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found(runs: Path, options: Options, capsys: pytest.CaptureFixture[str], fault: str) -> None:
    FAULTS[fault](runs)
    code, out = replayed(folder_of(runs).parent, options, capsys, count=12)
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


def test_another_base_model_is_not_replayed(runs: Path, options: Options, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert verify_replay.replay(folder_of(runs), 4, options, model="tiny") == 0
    assert "not replayed: the model here is" in capsys.readouterr().out
