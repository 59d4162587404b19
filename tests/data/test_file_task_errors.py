"""Data files that cannot be a task, each refused with its row and what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.data.file_task import file_task
from harness.errors import HarnessError
from tests.support.data_files import Row, asked, labelled, refusal, written


@pytest.mark.parametrize("name", ["mine.jsonl", "mine.csv", "mine.parquet"])
def test_a_missing_column_suggests_the_one_that_was_meant(tmp_path: Path, name: str) -> None:
    rows = [{"context": row["context"], "traget": row["target"]} for row in labelled()]
    error = refusal(tmp_path, rows, name)
    assert error.problem == "no column 'target'"
    assert error.fix == "did you mean 'traget'? the columns are context, traget; --columns traget=target"
    typo = [{"question": f"q{i}", "choices": "a|b", "anser": "ab"[i % 2]} for i in range(20)]
    assert refusal(tmp_path, typo, name).fix.startswith("did you mean 'anser'?")


def test_a_question_without_choices_and_unknown_columns_are_told_what_is_needed(tmp_path: Path) -> None:
    error = refusal(tmp_path, [{"question": f"q{i}", "answer": "a"} for i in range(20)])
    assert error.problem == "no column 'choices'"
    error = refusal(tmp_path, [{"x": 1}] * 20)
    assert "needed: question, choices, answer or context, target" in error.fix


def test_a_file_with_both_layouts_is_refused(tmp_path: Path) -> None:
    assert "both" in refusal(tmp_path, [row | {"context": "c", "target": "t"} for row in asked()]).problem


def test_a_column_that_is_missing_in_one_row_names_the_row(tmp_path: Path) -> None:
    error = refusal(tmp_path, [*labelled(), {"context": "late", "targt": "up"}])
    assert error.problem == "no column 'target'"
    assert error.where.endswith("mine.jsonl:31")


LAST: list[tuple[Row, str]] = [
    ({"answer": "d9"}, "the answer 'd9' is not among the choices"),
    ({"answer": "D"}, "the answer 'D' is not among the choices"),
    ({"answer": 1}, "the answer '1' is not among the choices"),
    ({"answer": ""}, "the answer is empty"),
    ({"answer": None}, "the answer is empty"),
    ({"answer": ["a"]}, "answer holds a list, not text"),
    ({"question": " "}, "the question is empty"),
    ({"choices": ["a"], "answer": "a"}, "fewer than two choices: 1"),
    ({"choices": "a", "answer": "a"}, "fewer than two choices: 1"),
    ({"choices": "", "answer": "a"}, "fewer than two choices: 0"),
    ({"choices": ["a", "A "], "answer": "a"}, "two of the choices are the same"),
    ({"choices": ["a", None], "answer": "a"}, "one of the choices is empty"),
    ({"choices": "[1, 2", "answer": "1"}, "choices is not a JSON list"),
    ({"choices": {"text": []}, "answer": "1"}, "neither a list nor text"),
    ({"choices": ["B", "A"], "answer": "A"}, "both an option and the letter of another"),
]


@pytest.mark.parametrize(("change", "said"), LAST)
def test_a_row_with_unfit_choices_or_answer_is_named(tmp_path: Path, change: Row, said: str) -> None:
    error = refusal(tmp_path, [*asked(), asked(31)[30] | change])
    assert said in error.problem
    assert error.where.endswith("mine.jsonl:31")


@pytest.mark.parametrize("name", ["mine.csv", "mine.parquet"])
def test_an_answer_that_is_not_among_the_choices_is_named_in_other_formats(tmp_path: Path, name: str) -> None:
    rows = [row | {"choices": "|".join(row["choices"])} for row in asked()]
    error = refusal(tmp_path, [*rows, rows[0] | {"answer": "a00"}], name)
    assert "'a00' is not among the choices" in error.problem
    assert error.where.endswith("mine.csv:32" if name == "mine.csv" else "row 31")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"target": ""}, "the target is empty"),
        ({"target": None}, "the target is empty"),
        ({"target": {"a": 1}}, "target holds a dict"),
        ({"context": ""}, "the context is empty"),
        ({"context": " Answer: "}, "nothing but 'Answer:'"),
    ],
)
def test_an_empty_context_or_target_is_named(tmp_path: Path, change: Row, said: str) -> None:
    error = refusal(tmp_path, [*labelled(), labelled()[0] | change])
    assert said in error.problem
    assert error.where.endswith(":31")


def test_duplicate_ids_are_named_with_both_lines(tmp_path: Path) -> None:
    rows = [row | {"id": f"r{i}"} for i, row in enumerate(labelled())]
    rows[20]["id"] = "r3"
    error = refusal(tmp_path, rows)
    assert error.problem == "two rows have the id 'r3'"
    assert error.where == f"{tmp_path / 'mine.jsonl'}:4 and {tmp_path / 'mine.jsonl'}:21"


@pytest.mark.parametrize("target", ["up", "7", "a long answer that is the same in every single row of the file"])
def test_one_class_only_is_refused_whatever_the_kind(tmp_path: Path, target: str) -> None:
    rows = [{"context": f"t{i}", "target": target} for i in range(30)]
    assert "one class only" in refusal(tmp_path, rows).problem


def test_one_class_only_is_refused_for_given_labels_and_for_equal_choices(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"context": f"t{i}", "target": "up"} for i in range(30)]
    assert "one class only" in refusal(tmp_path, rows, labels=("up", "down")).problem
    rows = [{"question": f"t{i}", "choices": ["yes", "no"], "answer": "A"} for i in range(30)]
    assert "one class only" in refusal(tmp_path, rows).problem


def test_too_few_rows_or_groups_to_split_are_refused(tmp_path: Path) -> None:
    assert "too few rows to split: 9" in refusal(tmp_path, asked(9)).problem
    same = [row | {"group": "one"} for row in asked()]
    assert "30 rows make 1 separate group," in refusal(tmp_path, same).problem


def test_damage_in_the_file_is_refused_before_anything_is_assumed(tmp_path: Path) -> None:
    path = written(tmp_path, labelled())
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(HarnessError, match="cut off") as caught:
        file_task(path)
    assert caught.value.where == f"{path}:30"
    with pytest.raises(HarnessError, match="no such data file"):
        file_task(tmp_path / "none.csv")
