"""Columns of options: an unbroken run of letters, and each letter names its own column."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.data.file_task import file_task
from harness.data.loading import load_splits
from harness.schema import Example
from tests.support.data_files import refusal, written

FORMATS = ["mine.jsonl", "mine.csv", "mine.parquet"]


def quiz(letters: str, answers: str, **more: Any) -> list[dict[str, Any]]:
    return [
        {"question": f"Which fund is number {i}?"}
        | more
        | {letter: f"fund {letter}{i}" for letter in letters}
        | {"answer": answers[i % len(answers)]}
        for i in range(30)
    ]


def examples(path: Path) -> list[Example]:
    return [example for _, part in load_splits(file_task(path)).items() for example in part]


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("stray", ["N", "Q", "X", "Z"])
def test_a_letter_after_a_gap_is_no_option(tmp_path: Path, name: str, stray: str) -> None:
    path = written(tmp_path, quiz("ABCD", "ABCD", **{stray: 7}), name)
    assert {len(e.choices) for e in examples(path)} == {4}
    assert f"options in the columns A, B, C, D, and not in {stray} after a gap" in file_task(path).title


@pytest.mark.parametrize("name", FORMATS)
def test_an_answer_that_names_the_gap_is_refused_at_its_row(tmp_path: Path, name: str) -> None:
    error = refusal(tmp_path, quiz("ABE", "ABD"), name)
    assert "the answer 'D' names a column that is not there" in error.problem
    assert error.where.endswith({"mine.jsonl": ":3", "mine.csv": ":4", "mine.parquet": "row 3"}[name])


@pytest.mark.parametrize("name", FORMATS)
def test_an_answer_beyond_the_gap_means_its_own_column(tmp_path: Path, name: str) -> None:
    path = written(tmp_path, quiz("ABDE", "ABE", Z="note"), name)
    assert {e.target[5] for e in examples(path)} == {"A", "B", "E"}
    assert {len(e.choices) for e in examples(path)} == {4}
    assert "options in the columns A, B, D, E, and not in Z after a gap" in file_task(path).title


def test_options_of_rows_that_leave_the_last_out_are_fewer(tmp_path: Path) -> None:
    rows = quiz("ABCD", "AB")
    for row in rows[::2]:
        del row["D"]
    assert {len(e.choices) for e in examples(written(tmp_path, rows))} == {3, 4}
    rows[1]["C"] = ""
    assert "one of the choices is empty" in refusal(tmp_path, rows).problem


@pytest.mark.parametrize("name", FORMATS)
def test_letters_beyond_the_options_are_refused(tmp_path: Path, name: str) -> None:
    assert (
        "names a column that is not there: the options are in A, B"
        in refusal(tmp_path, quiz("AB", "ABC"), name).problem
    )


def test_infinity_is_no_cell(tmp_path: Path) -> None:
    rows = [{"context": f"c{i}", "target": 0.5 if i else float("inf")} for i in range(30)]
    error = refusal(tmp_path, rows)
    assert "target holds inf, not a finite number" in error.problem


@pytest.mark.parametrize("line", ['{"a": 1, "a": 1}', '{"a": {"b": 1, "b": 2}}', '{"a": [{"b": 1, "c": 2, "b": 3}]}'])
def test_a_name_twice_is_refused_at_its_line_at_every_depth(tmp_path: Path, line: str) -> None:
    from harness.data.readers import read_rows
    from harness.errors import HarnessError

    path = tmp_path / "a.jsonl"
    path.write_text('{"a": 1}\n' + line + "\n")
    with pytest.raises(HarnessError, match="twice") as caught:
        read_rows(path)
    assert caught.value.where == f"{path}:2"
