"""`--decimal-comma` from the flag to `verify`: another task, that is read the same way without being told."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.cli.commands.check import fingerprint
from harness.data import bounds
from harness.runs.options import Options
from harness.store import records
from tests.support.cli_runner import Desk, without_torch


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Desk:
    without_torch(monkeypatch)
    return Desk(tmp_path, capsys)


@pytest.fixture
def rents(tmp_path: Path) -> Path:
    path = tmp_path / "rents.csv"
    path.write_text("sep=;\ncontext;target\n" + "".join(f"Rent of flat {i}?;{i + 1}.{i:03},50\n" for i in range(60)))
    return path


def train(desk: Desk, file: Path, *words: str) -> int:
    model = ("--model", str(desk.model), "--method", "lora", "--rank", "2", "--no-memory")
    return desk.run("--task", str(file), *model, *words)


def test_runs_with_and_without_it_are_of_two_tasks_and_verify_knows_both(desk: Desk, rents: Path) -> None:
    assert train(desk, rents, "--decimal-comma") == 0
    assert "every target is a number, compared as numbers; with a decimal comma" in " ".join(desk.out.split())
    assert train(desk, rents) == 0
    assert "--decimal-comma compares them as numbers" in " ".join(desk.out.split())
    runs = records.read_all(desk.results)
    assert {run.record.spec.task for run in runs} == {"rents", "rents-decimal-comma"}
    assert len({run.record.spec.id for run in runs}) == len({run.record.spec.data for run in runs}) == 2
    for words in ((), ("--decimal-comma",)):
        assert desk.run("verify", str(desk.results), "--task", str(rents), *words) == 0, desk.out
        assert "2 runs" in desk.out
    rents.write_text(rents.read_text().replace(",50", ",60"))
    assert desk.run("verify", str(desk.results), "--task", str(rents)) == 1


def test_verify_does_not_know_the_task_once_a_cell_has_another_notation(desk: Desk, rents: Path) -> None:
    assert train(desk, rents, "--decimal-comma") == 0
    rents.write_text(rents.read_text().replace("7.006,50", "7,006.50"))
    assert desk.run("verify", str(desk.results), "--task", str(rents)) == 2
    assert "'rents-decimal-comma' is not known here" in desk.err


def test_a_cell_of_another_notation_stops_the_run_before_it_starts(desk: Desk, rents: Path) -> None:
    rents.write_text(rents.read_text().replace("7.006,50", "7,006.50"))
    assert train(desk, rents, "--decimal-comma") == 2
    assert "'7,006.50' is no number with a decimal comma" in desk.err
    assert f"{rents}:9" in desk.err


def test_it_is_for_data_files_only(desk: Desk) -> None:
    assert desk.run("plan", "--task", "cfa", "--decimal-comma") == 2
    assert "a decimal comma can be set for a data file only" in desk.err


def test_another_process_reads_the_same_data(rents: Path) -> None:
    plain, comma = (Options(tasks=(), decimal_comma=comma).source(str(rents)) for comma in (False, True))
    assert fingerprint(plain) != fingerprint(comma)


def test_reading_a_long_file_shows_its_progress(desk: Desk, rents: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "STEP", 25)
    assert train(desk, rents) == 0
    assert "reading rents.csv: 25 rows\nreading rents.csv: 50 rows\n" in desk.err
