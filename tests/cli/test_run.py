"""`run`: each task is analyzed once, and the terminal shows the plan's runs while the files show all of the folder."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from harness.analysis import results
from tests.support.cli_runner import Desk, without_torch


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Desk:
    without_torch(monkeypatch)
    return Desk(tmp_path, capsys)


@pytest.fixture
def sizes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of runs in each analysis, in the order of the analyses."""
    counts: list[int] = []

    def counted(task: str, runs: Any, *rest: Any) -> results.TaskResults:
        made = analyze(task, runs, *rest)
        counts.append(len(made.runs))
        return made

    analyze = results.analyze
    monkeypatch.setattr("harness.analysis.results.analyze", counted)
    monkeypatch.setattr("harness.cli.commands.run.analyze", counted)
    return counts


def rows(desk: Desk) -> list[str]:
    with (desk.results / "leaderboard" / "toy.csv").open(newline="") as file:
        return [row["method"] for row in csv.DictReader(file) if row["metric"] == "acc"]


def test_terminal_and_files_show_one_analysis_if_the_plan_covers_the_folder(desk: Desk, sizes: list[int]) -> None:
    assert desk.train() == 0
    assert sizes == [3]
    assert rows(desk) == ["base", "lora", "full"]


def test_files_show_every_run_of_the_folder_and_the_terminal_those_of_the_plan(desk: Desk, sizes: list[int]) -> None:
    assert desk.train() == 0
    sizes.clear()
    flags = ("--method", "base,lora,full", "--rank", "4", "--no-memory")
    assert desk.run("--task", str(desk.task), "--model", str(desk.model), *flags) == 0
    assert sizes == [3, 4]
    assert rows(desk) == ["base", "lora", "lora", "full"]
    assert "lora r4" in desk.out
    assert "lora r2" not in desk.out
