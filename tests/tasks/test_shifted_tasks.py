"""The shifted twins of the project's tasks: made again byte for byte, new in every word and number, and only asked."""

from __future__ import annotations

import importlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.cli.app import main
from harness.data import loading, profile, registry
from harness.data.probes import shifted
from harness.schema import Task

FOLDER = Path(__file__).parents[2] / "tasks" / "data"
TASKS = ("cfa", "sec_qa", "claims")
GROUPS = {"cfa": 165, "sec_qa": 144, "claims": 203}
every_task = pytest.mark.parametrize("name", TASKS)


def rows(folder: str, split: str = "test") -> list[dict[str, Any]]:
    return [json.loads(line) for line in (FOLDER / folder / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()]


def both(name: str) -> tuple[Task, Task]:
    return registry.task(name), registry.task(shifted(name))


@every_task
def test_the_maker_writes_the_shipped_file_again_byte_for_byte(name: str, tmp_path: Path) -> None:
    importlib.import_module(f"tasks.data.{name}_shifted.make").write(tmp_path)
    assert (tmp_path / "test.jsonl").read_bytes() == (FOLDER / shifted(name) / "test.jsonl").read_bytes()


@every_task
def test_it_has_a_test_alone_with_groups_kept(name: str) -> None:
    splits = loading.load_splits(both(name)[1])
    assert not splits.train
    assert not splits.validation
    assert 200 <= len(splits.test) <= 300
    assert len({example.group or example.id for example in splits.test}) == GROUPS[name]


@every_task
def test_no_question_is_nearly_one_of_the_task_itself(name: str) -> None:
    usual, twin = both(name)
    splits = loading.load_splits(usual)
    before = [replace(e, choices=()) for e in (*splits.train, *splits.validation, *splits.test)]
    after = [replace(e, choices=()) for e in loading.load_splits(twin).test]  # the options of a concept stay by design
    assert profile.near_duplicates(before, after)[0] == []


@every_task
def test_no_set_of_numbers_and_no_name_is_one_of_the_task_itself(name: str) -> None:
    before = [row for split in ("train", "validation", "test") for row in rows(name, split)]
    after = rows(shifted(name))
    for key in {"numbers", "stem", "filer"} & before[0].keys():
        seen = {json.dumps(sorted(row[key]) if key == "numbers" else row[key]) for row in before if row[key]}
        assert not [
            row["id"]
            for row in after
            if row[key] and json.dumps(sorted(row[key]) if key == "numbers" else row[key]) in seen
        ]


def test_concepts_and_their_right_options_are_those_of_cfa() -> None:
    known = {(row["concept"], row["answer"]) for split in ("train", "test") for row in rows("cfa", split)}
    asked = [row for row in rows("cfa_shifted") if row["kind"] == "recall"]
    assert len(asked) == 80
    assert [row["id"] for row in asked if (row["concept"], row["answer"]) not in known] == []


def test_the_judgement_of_cfa_shifted_is_by_rules_and_actions_that_cfa_does_not_have() -> None:
    taught = {row[key] for row in rows("cfa", "train") for key in ("concept", "answer") if row["kind"] == "judgement"}
    asked = [row for row in rows("cfa_shifted") if row["kind"] == "judgement"]
    assert len(asked) == 72
    assert not {row[key] for row in asked for key in ("concept", "answer")} & taught


@pytest.mark.parametrize(
    ("name", "text", "parsed"),
    [
        ("claims", "pay in part; £1,240.00; clause 4", "pay in part; 1240.00; clause 4"),
        ("claims", "pay; GBP 90; clause 2", "pay; 90.00; clause 2"),
        ("claims", "clause 2", None),
    ],
)
def test_an_amount_may_carry_the_currency_of_the_shifted_text(name: str, text: str, parsed: str | None) -> None:
    twin = both(name)[1]
    assert twin.parse is not None
    assert twin.parse(text, loading.load_splits(twin).test[0]) == parsed


@pytest.mark.parametrize("text", ["{}", "€{}", "£{}", "EUR {}", "{} euros"])
def test_an_amount_may_be_given_in_the_accounts_currency(text: str) -> None:
    twin = both("sec_qa")[1]
    example = next(e for e in loading.load_splits(twin).test if e.slices["answer"] in ("millions", "thousands"))
    assert twin.parse is not None
    assert twin.parse(text.format(example.target), example) == example.target.replace(",", "")


def test_the_list_and_the_check_of_a_test_alone_work(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "cfa_shifted"]) == 0
    out = capsys.readouterr().out
    assert "the first test prompt" in out
    assert "train " not in out
    assert "9 of 9 hold" in out
    assert main(["list"]) == 0
    assert "test 213" in capsys.readouterr().out


def test_what_trains_refuses_a_test_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "--task", "cfa_shifted", "--method", "base,lora", "--no-memory"]) == 2
    said = capsys.readouterr().err
    assert "no training split" in said
    assert "--probe cfa_shifted" in said
    assert main(["plan", "--task", "cfa_shifted", "--method", "base", "--no-memory"]) == 0
