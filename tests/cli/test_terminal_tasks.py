"""What the terminal shows of a task, and of two runs side by side."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.cli.terminal import output, tasks
from harness.data import loading
from harness.data.source import TaskSource
from tests.support.analyses import compare_runs
from tests.support.data_files import asked, written
from tests.support.finished_runs import make_runs
from tests.support.sample_inputs import write_task


def test_a_task_is_shown_with_its_sizes_and_a_prompt(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    task = TaskSource(str(write_task(tmp_path / "toy.jsonl"))).task()
    splits = loading.load_splits(task)
    tasks.task(task, splits, "abc")
    text = capsys.readouterr().out
    assert f"{len(splits.train)} examples" in text
    assert f"Answer: {splits.train[0].target}" in text
    assert re.search(r"guessing +\d\d\.\d % acc \(always giving the commonest answer of the test questions\)", text)


def test_a_task_that_names_no_chance_is_shown_with_that_of_its_options(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    task = TaskSource(str(written(tmp_path, asked()))).task()
    tasks.task(task, loading.load_splits(task), "abc")
    assert re.search(r"guessing +33\.3 % acc norm$", capsys.readouterr().out, re.MULTILINE)


def test_two_runs_are_shown_side_by_side_with_what_differs(capsys: pytest.CaptureFixture[str]) -> None:
    runs = {record.spec.name: (record, answers) for record, answers in make_runs()}
    output.comparison(compare_runs(runs["lora-r2"], runs["full"]), "compare lora-r2 full --output md")
    text = capsys.readouterr().out
    for words in ("differs in", "learning_rate", "difference", "train peak"):
        assert words in text
