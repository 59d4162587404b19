"""`--json`: what list, plan, check and verify print for people, as a document for programs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.cli.app import main
from tests.support.cli_runner import Desk, without_torch
from tests.support.sample_inputs import write_task


def printed(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> Any:
    assert main([*words, "--json"]) == code
    return json.loads(capsys.readouterr().out)


def test_a_check_is_a_document_with_every_task(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    task = str(write_task(tmp_path / "toy.jsonl"))
    document = printed(capsys, "check", task)
    assert document["passed"] is True
    (entry,) = document["tasks"]
    assert entry["task"] == "toy"
    assert entry["examples"]["train"] > 0
    assert all(check["ok"] for check in entry["checks"])


def test_plan_and_verify_are_documents(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    without_torch(monkeypatch)
    desk = Desk(tmp_path, capsys)
    assert desk.train() == 0
    words = ["--task", str(desk.task), "--results", str(desk.results)]
    more = ["--model", str(desk.model), "--method", "base,lora,full", "--rank", "2", "--challengers", "none"]
    document = printed(capsys, "plan", *words, *more, "--no-memory")
    (entry,) = document["tasks"]
    assert [run["state"] for run in entry["runs"]] == ["done"] * 3
    assert {run["method"] for run in entry["runs"]} == {"base", "lora", "full"}
    document = printed(capsys, "verify", str(desk.results), *words)
    (folder,) = document["folders"]
    assert document["passed"] is folder["passed"] is True
    assert len([name for name in folder["runs"] if name]) == 3


def test_a_forecast_is_a_document_with_its_cost(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    task = str(write_task(tmp_path / "toy.jsonl"))
    words = ["--task", task, "--model", "meta-llama/Llama-3.2-1B", "--method", "base", "--results", str(tmp_path)]
    document = printed(capsys, "plan", *words, "--gpu", "24", "--price", "2USD")
    ((run,),) = [entry["runs"] for entry in document["tasks"]]
    assert run["fits"] is True
    assert run["cost"] > 0
    assert run["currency"] == "USD"
