"""The shared cases of data files: each is read as its README says, or refused at its line."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from harness.data.file_task import file_task
from harness.data.loading import load_splits
from harness.errors import HarnessError
from harness.record import Answer
from harness.schema import Example, Task
from tests.support.shared_cases import case


def file_of(name: str) -> Path:
    (path,) = (path for path in case(name).iterdir() if path.name != "README")
    return path


def targets(task: Task) -> Counter[str]:
    return Counter(e.target for e in examples(task))


def examples(task: Task) -> list[Example]:
    return [example for _, part in load_splits(task).items() for example in part]


def refused(name: str) -> HarnessError:
    with pytest.raises(HarnessError) as caught:
        file_task(file_of(name))
    assert caught.value.fix
    return caught.value


@pytest.mark.parametrize("name", ["csv-sep-line", "csv-trailing-empty-columns", "parquet-class-names"])
def test_a_file_of_three_directions_is_read(name: str) -> None:
    task = file_task(file_of(name))
    assert targets(task) == {"down": 40, "flat": 40, "up": 40}
    assert task.scoring == "choices"


def test_codes_with_leading_zeros_are_four_labels() -> None:
    task = file_task(file_of("codes-with-leading-zeros"))
    assert targets(task) == {"007": 30, "0071": 30, "0700": 30, "70": 30}
    assert (task.scoring, task.metrics[0].name) == ("choices", "acc")
    assert task.metrics[0].score(Answer("", "", "007", "7", "7")) == 0.0
    assert "begins with a zero" in task.title


def test_a_name_twice_is_refused_at_the_first_line() -> None:
    error = refused("json-name-twice")
    assert "'target' twice" in error.problem
    assert error.where.endswith("dupkey.jsonl:1")


def test_two_unicode_forms_of_a_label_are_one() -> None:
    task = file_task(file_of("labels-equal-but-for-unicode-form"))
    assert targets(task) == {"gleich": 40, "h\u00f6her": 40, "tiefer": 40}
    assert "joined (U+0308 COMBINING DIAERESIS" in task.title


def test_an_answer_that_names_the_gap_is_refused_at_its_row() -> None:
    error = refused("letter-columns-with-a-gap")
    assert "'C' names a column that is not there" in error.problem
    assert error.where.endswith("gap.csv:4")


def test_the_one_cell_that_is_no_number_is_named() -> None:
    assert (
        "line 52 ('n/a') keeps 119 of 120 targets from being numbers"
        in file_task(file_of("one-cell-that-is-no-number")).title
    )


def test_a_narrow_float_is_the_shortest_number() -> None:
    task = file_task(file_of("parquet-float32"))
    assert {"0.1", "0.2", "0.3"} <= targets(task).keys()
    assert max(map(len, targets(task))) <= 4
    assert task.metrics[0].name == "numeric"


def test_a_running_number_is_no_option() -> None:
    task = file_task(file_of("stray-letter-column"))
    assert {e.choices for e in examples(task)} == {("first", "second", "third")}
    assert "not in N" in task.title


def test_swiss_amounts_are_numbers() -> None:
    task = file_task(file_of("swiss-numbers"))
    assert task.metrics[0].name == "numeric"
    example = next(e for e in examples(task) if e.target == "12'000")
    assert task.metrics[0].score(Answer("", "", example.target, "", "12,000")) == 1.0
