"""Suites: several tasks by one name, and the list grouped by them, for people and for programs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.cli import app, settings
from harness.data import registry

FINLORA = {
    *("fpb", "fiqa", "tfns", "nwgi", "headline", "ner", "finer", "fnxl", "financebench", "financial_math"),
    *("xbrl_term", "xbrl_tag", "xbrl_value", "xbrl_formula", "xbrl_calculation"),
}


def test_each_shipped_task_is_in_one_of_three_groups() -> None:
    groups = {name: entry.value.suites[:1] for name, entry in registry.tasks().items() if entry.value}
    assert set(groups.values()) == {("finance",), ("insurance",), ("general",)}


def test_a_suite_stands_for_its_tasks_and_each_is_run_once() -> None:
    assert set(registry.expanded(["finlora"])) == FINLORA
    assert registry.expanded(["claims", "insurance"])[0] == "claims"
    assert len(registry.expanded(["claims", "insurance"])) == len(registry.expanded(["insurance"]))
    built_in = set(registry.expanded(["builtin"]))
    assert {"cfa", "claims", "sec_qa", "rating", "reserving"} <= built_in
    assert "cfa_shifted" not in built_in  # which cannot be trained on
    assert registry.expanded(["no_such"]) == ("no_such",)


def test_a_run_and_a_check_take_a_suite() -> None:
    options = settings.run_options(app.read("run", ["--task", "finlora,cfa"]))
    assert set(options.tasks) == {*FINLORA, "cfa"}


def test_the_list_is_grouped_and_names_the_flag_of_each_group(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert app.main(["new", "mine", "--tasks-dir", str(tmp_path)]) == 0
    capsys.readouterr()
    assert app.main(["list", "--tasks-dir", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    heads = [line for line in printed.splitlines() if line.startswith("— ")]
    assert [line.split()[1] for line in heads] == ["finance:", "insurance:", "general:", "yours:"]
    assert heads[-1] == "— yours: 1 task"
    assert any(line.endswith("all with --task insurance") for line in heads)
    assert "--task finlora" in printed
    assert "--task builtin" in printed


def test_the_list_is_a_document_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert app.main(["list", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    tasks = {task["name"]: task for task in document["tasks"]}
    assert tasks["claims"]["here"] is True
    assert tasks["claims"]["suites"] == ["insurance"]
    assert set(document["suites"]["finlora"]) == FINLORA
    assert {"lora", "full"} <= {method["name"] for method in document["methods"]}
