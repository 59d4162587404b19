"""A source says how a task's examples are obtained: by name or from a data file, with labels, gold answers and limits."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from harness.data.source import TaskSource
from harness.runs.options import Options
from tests.data.test_registry import put, refusal


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.csv"
    path.write_text("context,target\n" + "".join(f"text {i},{'ab'[i % 2]}\n" for i in range(40)))
    return path


def test_a_data_file_is_a_task_and_labels_reach_it(file: Path) -> None:
    source = TaskSource(str(file), labels=("a", "b", "c"), relabel=(("a", "b"), ("b", "a")))
    task = source.task()
    assert source.splits(task).test[0].choices == ("a", "b", "c")
    assert "relabelled 20 a as b; relabelled 20 b as a" in task.title
    assert TaskSource(str(file), relabel=(("a", "c"),)).task().name == "mine"


def test_a_data_file_never_takes_the_name_of_a_task(file: Path, tmp_path: Path) -> None:
    folder = put(tmp_path / "mine", "toy.py")
    toy = file.rename(tmp_path / "toy.csv")
    assert TaskSource(str(toy), (folder,)).task().name == "toy-file"


def test_a_decimal_comma_reaches_a_data_file_and_its_name(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("context,target\n" + "".join(f'text {i},"{i},5"\n' for i in range(40)))
    task = TaskSource(str(path), decimal_comma=True).task()
    assert (task.name, task.metrics[0].name) == ("mine-decimal-comma", "numeric")
    assert TaskSource(str(path)).task().name == "mine"
    folder = put(tmp_path / "tasks", "toy.py")
    assert TaskSource(str(path.rename(tmp_path / "toy.csv")), (folder,), decimal_comma=True).task().name == (
        "toy-file-decimal-comma"
    )
    assert refusal(TaskSource("toy", (folder,), decimal_comma=True).task).where == "task toy"


def test_labels_are_refused_for_a_task_that_is_no_data_file(tmp_path: Path) -> None:
    folder = put(tmp_path / "mine", "toy.py")
    for source in (
        TaskSource("toy", (folder,), labels=("a", "b")),
        TaskSource("toy", (folder,), relabel=(("a", "b"),)),
    ):
        assert refusal(source.task).where == "task toy"


@pytest.mark.parametrize("name", ["missing.jsonl", "folder/missing", "x/task.py"])
def test_what_looks_like_a_path_is_read_as_one(name: str) -> None:
    assert refusal(TaskSource(name).task).where == name


def test_the_limits_of_a_source_reach_its_splits_and_can_be_dropped() -> None:
    source = TaskSource("cfa", train_limit=20, test_limit=10)
    task = source.task()
    few, every = source.splits(task), source.unlimited().splits(task)
    assert (len(few.train), len(few.test)) == (20, 10)
    assert len(every.train) > 20
    assert len(every.test) > 10


def test_a_sibling_is_read_from_the_same_folders_without_labels_gold_or_limits(tmp_path: Path) -> None:
    source = TaskSource("mine.csv", (tmp_path,), tmp_path, ("a",), (("b", "a"),), "audited", 5, 6)
    assert source.sibling("other") == TaskSource("other", (tmp_path,), tmp_path)
    assert source.sibling("other", train_limit=5) == TaskSource("other", (tmp_path,), tmp_path, train_limit=5)


def test_the_options_of_a_run_make_the_source_of_each_task_and_it_travels_to_a_worker(tmp_path: Path) -> None:
    options = Options(tasks=("cfa",), data=tmp_path, labels=("a", "b"), train_examples=5, test_examples=6)
    source = options.source("cfa")
    assert source == TaskSource("cfa", data_dir=tmp_path, labels=("a", "b"), train_limit=5, test_limit=6)
    assert pickle.loads(pickle.dumps(source)) == source
