"""From Python: `run` takes the flags as names, and tables of results and answers are data frames."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import harness
from harness.errors import HarnessError
from tests.support.cli_runner import Desk, without_torch

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Desk:
    without_torch(monkeypatch)
    desk = Desk(tmp_path, capsys)
    assert desk.train() == 0
    return desk


def test_results_are_a_table_of_rows_and_metrics(desk: Desk) -> None:
    table = harness.load_results(desk.results)
    assert list(table["method"].drop_duplicates()) == ["base", "lora", "full"]
    headline = table[table["metric"] == "acc"]
    values = dict(zip(headline["method"], headline["value"], strict=True))
    assert values["lora"] == 1.0
    assert values["base"] < 1.0
    assert {"low", "high", "train_peak_bytes", "alpha", "epochs"} <= set(table.columns)
    assert len(harness.load_results(desk.results, "toy")) == len(table)


def test_answers_are_a_table_whose_mean_score_is_the_result(desk: Desk) -> None:
    answers = harness.load_answers(str(desk.results))
    results = harness.load_results(desk.results)
    for method, part in answers.groupby("method"):
        value = results[(results["method"] == method) & (results["metric"] == "acc")]["value"].iloc[0]
        assert part["score"].mean() == pytest.approx(value)


def test_a_folder_without_results_and_a_setting_that_is_none_are_named(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="there are no results"):
        harness.load_results(tmp_path)
    with pytest.raises(HarnessError, match=r"no flag has the name 'tsak'(?s:.*)did you mean 'task'"):
        harness.run(tsak="cfa")


@pytest.mark.slow
def test_a_script_that_runs_methods_gets_their_table(tmp_path: Path) -> None:
    script = tmp_path / "study.py"
    script.write_text(
        "import harness\n"
        "table = harness.run(task='cfa', method=['base', 'lora'], rank=[4], train_examples=20, test_examples=20,\n"
        "                    challengers='none', epochs=1, results='results')\n"
        "assert list(table['method'].drop_duplicates()) == ['base', 'lora'], table\n"
    )
    command = [sys.executable, str(script)]
    subprocess.run(command, check=True, cwd=tmp_path, env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"})
