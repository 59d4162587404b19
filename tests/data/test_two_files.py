"""Training and test in files of their own: one task, with the checks for leakage between the files."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.data.file_task import file_task
from harness.data.loading import load_splits
from harness.errors import HarnessError
from harness.schema import Task
from tests.support.data_files import labelled, written


def rows(first: int, count: int, **more: object) -> list[dict[str, object]]:
    return [row | {"context": f"case {first + i}"} | more for i, row in enumerate(labelled(count))]


def two(folder: Path, train: list[dict[str, object]], test: list[dict[str, object]], **settings: object) -> Task:
    path, other = written(folder, train, "train.csv"), written(folder, test, "test.jsonl")
    return file_task(path, further={"test": other}, **settings)  # type: ignore[arg-type]


def refused(folder: Path, train: list[dict[str, object]], test: list[dict[str, object]]) -> HarnessError:
    with pytest.raises(HarnessError) as caught:
        two(folder, train, test)
    return caught.value


def test_the_second_file_is_the_test_and_a_seventh_of_the_first_is_validation(tmp_path: Path) -> None:
    task = two(tmp_path, rows(0, 42), rows(100, 12))
    splits = load_splits(task)
    assert [len(part) for _, part in splits.items()] == [36, 6, 12]
    assert {e.context for e in splits.test} == {f"case {100 + i}" for i in range(12)}
    assert task.name == "train"
    assert task.title.startswith("train.csv: 42 rows, test.jsonl: 12 rows; labels")


def test_a_third_file_is_validation(tmp_path: Path) -> None:
    other = written(tmp_path, rows(200, 9), "third.csv")
    train, test = written(tmp_path, rows(0, 30), "train.csv"), written(tmp_path, rows(100, 12), "test.csv")
    splits = load_splits(file_task(train, further={"validation": other, "test": test}))
    assert [len(part) for _, part in splits.items()] == [30, 9, 12]


def test_texts_and_groups_of_the_test_in_training_are_listed_with_their_lines_and_can_be_left_out(
    tmp_path: Path,
) -> None:
    train, test = rows(0, 42), rows(100, 12)
    train = [row | {"group": f"policy {i}"} for i, row in enumerate(train)]
    test = [row | {"group": f"other {i}"} for i, row in enumerate(test)]
    train[3] = train[3] | {"group": "other 5"}
    train[7] = train[7] | {"context": "CASE  104"}
    train[8] = train[8] | {"target": ""}
    lines = refused(tmp_path, train, test).problem.splitlines()
    assert lines[0] == "train.csv and test.jsonl have 3 faults"
    assert "train.csv, line 5: train and test share a group: the test would measure memory" in lines
    assert "train.csv, line 9: train and test share a question: the test would measure memory" in lines
    assert "train.csv, line 10: the target is empty" in lines
    splits = load_splits(task := two(tmp_path, train, test, drop_bad=True))
    assert len(splits.train) + len(splits.validation) == 39
    assert len(splits.test) == 12
    assert "3 rows left out" in task.title


def test_rows_of_one_file_that_leak_are_listed_alike(tmp_path: Path) -> None:
    table = [row | {"split": "test" if i >= 30 else "train"} for i, row in enumerate(rows(0, 42))]
    table[0] = table[0] | {"context": "case 35"}
    with pytest.raises(HarnessError, match="train and test share a question") as caught:
        file_task(path := written(tmp_path, table, "a.csv"))
    assert caught.value.where == f"{path}:2 and {path}:37"
    assert len(load_splits(file_task(path, drop_bad=True)).test) == 12


def test_ids_that_both_files_have_are_one_fault_and_never_leave_rows_of_the_test_out(tmp_path: Path) -> None:
    train = [row | {"id": f"{i}"} for i, row in enumerate(rows(0, 42))]
    test = [row | {"id": f"{i}"} for i, row in enumerate(rows(100, 12))]
    error = refused(tmp_path, train, test)
    assert error.problem == "12 ids are in more than one file, such as '0'"
    assert "--columns id=ignore" in error.fix
    with pytest.raises(HarnessError, match="12 ids"):
        two(tmp_path, train, test, drop_bad=True)
    assert len(load_splits(two(tmp_path, train, test, columns={"id": "ignore"})).test) == 12


def test_a_column_split_that_contradicts_the_file_is_refused(tmp_path: Path) -> None:
    error = refused(tmp_path, rows(0, 42, split="test"), rows(100, 12))
    assert "the split of this row is 'test', and its file is that of 'train'" in error.problem
    assert "--columns split=ignore" in error.fix
    named = [row | {"split": "dev" if i < 6 else "train"} for i, row in enumerate(rows(0, 42))]
    assert len(load_splits(two(tmp_path, named, rows(100, 12))).validation) == 6


def test_files_of_different_layouts_are_refused(tmp_path: Path) -> None:
    asked: list[dict[str, object]] = [
        {"question": f"q {i}", "choices": "a|b", "answer": "ab"[i % 2]} for i in range(12)
    ]
    assert "train.csv and test.jsonl have different layouts" in refused(tmp_path, rows(0, 42), asked).problem


def test_a_fault_of_the_second_file_names_it(tmp_path: Path) -> None:
    test = rows(100, 12)
    test[2] = test[2] | {"target": ""}
    error = refused(tmp_path, rows(0, 42), test)
    assert error.where == f"{tmp_path / 'test.jsonl'}:3"
