"""The boards of real models: every command can be planned, a stopped board goes on, what is packed fits."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import time
from pathlib import Path
from typing import Any

import pytest

from harness.cli.app import main
from harness.data import loading
from harness.schema import Task
from harness.store import records as store
from tests.gpu import board
from tests.support.records import make_record, make_spec

SHARED = board.ROOT.parent / "shared" / "data"
SHIPPED = {"claims", "sec_qa", "reserving"}  # nothing else is asked either


@pytest.fixture
def read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stages of a board differ in methods and rates: the examples of a task are read for the first of them."""
    read, known = loading.load_splits, dict[str, loading.Splits]()

    def splits(task: Task, **settings: Any) -> loading.Splits:
        key = repr((task, sorted(settings.items())))
        if key not in known:
            known[key] = read(task, **settings)
        return known[key]

    monkeypatch.setattr(loading, "load_splits", splits)


@pytest.mark.usefixtures("read_once")
@pytest.mark.parametrize("entry", board.ENTRIES, ids=lambda entry: entry.task)
def test_every_board_can_be_planned(entry: board.Entry, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if entry.task not in SHIPPED and not SHARED.is_dir():
        pytest.skip("no copies of the data sets in ../shared/data")
    options = board.arguments(["--model", "tiny", "--data", str(SHARED), "--results", str(tmp_path)])
    for stage in board.STAGES:
        line = board.command("plan", entry, stage, 1, options)
        assert main([*line, "--no-memory"]) == 0, capsys.readouterr().err


def test_a_seed_of_everything_comes_before_further_seeds() -> None:
    options = board.arguments(["--seeds", "3"])
    seeds = [line[line.index("--seeds") + 1] for line in board.commands(board.ENTRIES[:1], options)]
    assert seeds == ["1"] * 5 + ["3"] * 4


def test_some_stages_of_a_board_are_computed_alone(capsys: pytest.CaptureFixture[str]) -> None:
    options = board.arguments(["--stages", "base,headline", "--seeds", "3"])
    methods = [line[line.index("--method") + 1] for line in board.commands(board.ENTRIES[:1], options)]
    assert methods == ["base,calibrated,fewshot", "lora,qlora,full", "lora,qlora,full"]
    with pytest.raises(SystemExit):
        board.arguments(["--stages", "head"])
    assert "no stage head; there are base,headline" in capsys.readouterr().err


def test_other_ranks_and_precisions_take_the_rate_that_was_tuned_for_their_method(tmp_path: Path) -> None:
    options = board.arguments(["--results", str(tmp_path)])
    entry, stage = board.ENTRIES[0], next(stage for stage in board.STAGES if stage.like == "lora")
    assert "--learning-rate" not in board.command("run", entry, stage, 1, options)
    for method, rate, rates in (("lora", 5e-3, ()), ("lora", 3e-3, (1e-4, 3e-3)), ("qlora", 2e-3, (1e-3, 2e-3))):
        spec = make_spec(task=entry.task, method=method, learning_rate=rate, tuned_over=rates)
        store.write_record(store.run_dir(tmp_path, spec), make_record(spec))
    line = board.command("run", entry, stage, 1, options)
    assert line[line.index("--learning-rate") + 1] == "0.003"


def test_a_task_without_a_board_is_refused() -> None:
    with pytest.raises(SystemExit, match="no board of fnxl"):
        board.entries(board.arguments(["--tasks", "tfns,fnxl"]))


def test_nothing_starts_after_the_deadline() -> None:
    assert board.perform(["list"], time.monotonic() + 1) is None


def contents(path: Path) -> list[str]:
    """Return the names of the files in an archive."""
    with tarfile.open(path) as archive:
        return archive.getnames()


def test_records_are_packed_before_weights_and_no_part_is_too_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(board, "PART", 10_000)
    monkeypatch.setattr(board, "PARTS", 2)
    run = tmp_path / "results" / "runs" / "cfa" / "lora"
    run.mkdir(parents=True)
    for name, size in (("adapter.safetensors", 9_000), ("record.json", 5_000), ("b.safetensors", 6_000)):
        (run / name).write_bytes(b"x" * size)
    rest = board.pack(tmp_path / "results", tmp_path)
    assert [contents(tmp_path / f"results.{part}.tar") for part in (1, 2)] == [
        ["runs/cfa/lora/record.json"],
        ["runs/cfa/lora/b.safetensors"],
    ]
    assert rest == [run / "adapter.safetensors"]


@pytest.mark.slow
def test_the_dry_run_makes_every_row_and_goes_on_after_a_stop(tmp_path: Path) -> None:
    line = [
        sys.executable,
        "-m",
        "tests.gpu.board",
        "--dry-run",
        "--results",
        str(tmp_path),
        "--out",
        str(tmp_path / "out"),
    ]
    first = subprocess.run([*line, "--minutes", "0.7"], cwd=board.ROOT, capture_output=True, text=True, check=False)
    assert "The time is over" in first.stdout, first.stdout + first.stderr
    second = subprocess.run(line, cwd=board.ROOT, capture_output=True, text=True, check=False)
    assert second.returncode == 0, second.stdout + second.stderr
    methods = {path.parents[1].name for path in (tmp_path / "runs").rglob("record.json")}
    assert {"base", "lora-r2", "lora-r8", "lora-r32", "qlora-r8", "full", "full-bf16"} <= methods
    assert list((tmp_path / "out").glob("results.*.tar"))
