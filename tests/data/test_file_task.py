"""A data file becomes a task: what is assumed is said, what does not fit is refused with its row."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from harness.data.file_task import file_task
from harness.data.loading import load_splits
from harness.errors import HarnessError
from harness.metrics.scoring import chance, score_answers
from harness.record import Answer
from harness.schema import Example, Task
from tests.support.data_files import asked, labelled, refusal, written


def everything(task: Task) -> list[Example]:
    return [example for _, part in load_splits(task).items() for example in part]


def oracle(task: Task) -> float:
    answers = [Answer(e.id, e.group, e.target, e.target, e.target, e.choices) for e in load_splits(task).test]
    return score_answers(answers, task.metrics)[task.metrics[0].name].value


@pytest.mark.parametrize("name", ["mine.jsonl", "mine.csv", "mine.parquet"])
@pytest.mark.parametrize("form", ["list", "bars", "json", "letters"])
def test_choices_in_every_format_and_notation_make_the_same_task(tmp_path: Path, name: str, form: str) -> None:
    rows = asked()
    for i, row in enumerate(rows):
        if form == "bars" or (form == "list" and name.endswith(".csv")):
            row["choices"] = " | ".join(row["choices"])
        elif form == "json":
            row["choices"] = json.dumps(row["choices"])
        elif form == "letters":
            row |= dict(zip("ABC", row.pop("choices"), strict=True)) | {"D": "", "answer": "ABC"[i % 3]}
    task = file_task(written(tmp_path, rows, name))
    found = {e.question: e for e in everything(task)}
    assert len(found) == 30
    assert (found["Q4?"].choices, found["Q4?"].target, found["Q4?"].group) == (("a4", "b4", "c4"), "b4", "g2")
    assert (task.name, task.version, task.scoring) == ("mine", 1, "choices")
    assert [metric.name for metric in task.metrics] == ["acc_norm", "acc"]
    assert task.prompt(found["Q4?"]).endswith("Options:\n- a4\n- b4\n- c4\nAnswer:")
    assert "multiple choice" in task.title
    assert chance(task, load_splits(task).test) == pytest.approx(1 / 3)
    assert task.guess == "guessing"
    assert oracle(task) == 1.0


def test_a_context_beside_a_question_is_kept(tmp_path: Path) -> None:
    rows = [row | {"context": f"Filing {i // 2}"} for i, row in enumerate(asked())]
    task = file_task(written(tmp_path, rows))
    assert task.prompt(everything(task)[0]).startswith("Filing ")


def test_few_frequent_targets_are_labels(tmp_path: Path) -> None:
    task = file_task(written(tmp_path, labelled()))
    example = everything(task)[0]
    assert example.choices == ("down", "flat", "up")
    assert (task.scoring, [metric.name for metric in task.metrics]) == ("choices", ["acc", "macro_f1", "acc_norm"])
    assert task.title == "mine.jsonl: 30 rows; labels down 10, flat 10, up 10; split 60/10/30 by hash of the group"
    assert task.prompt(example) == f"{example.context}\n\nAnswer with one of: down, flat, up\nAnswer:"
    assert "Answer" not in example.context
    assert oracle(task) == 1.0


def test_many_labels_are_counted_in_the_title_and_not_listed(tmp_path: Path) -> None:
    rows = [{"context": f"t{i}", "target": f"topic {i % 12}"} for i in range(100)]
    assert "labels 12, 8 to 9 rows each" in file_task(written(tmp_path, rows)).title


def test_chance_of_labels_is_the_most_frequent_one(tmp_path: Path) -> None:
    rows = [{"context": f"t{i}", "target": "up" if i % 4 else "down"} for i in range(400)]
    task = file_task(written(tmp_path, rows))
    assert (chance(task, everything(task)), task.guess) == (0.75, "always giving the commonest label")


def test_targets_that_are_all_numbers_are_compared_as_numbers(tmp_path: Path) -> None:
    rows = [{"context": f"t{i}", "target": f"{i * 1000:,}.50"} for i in range(40)]
    task = file_task(written(tmp_path, rows))
    assert (task.scoring, task.metrics[0].name) == ("generate", "numeric")
    assert "every target is a number" in task.title
    assert task.parse
    example = next(e for e in everything(task) if e.target == "7,000.50")
    assert task.parse(" $7,000.50\nmore", example) == "$7,000.50"
    assert task.parse("about 7,000.50", example) is None
    assert task.metrics[0].score(Answer("", "", example.target, "", "7000.5")) == 1.0
    assert oracle(task) == 1.0


def test_other_targets_are_free_text_which_may_have_several_lines(tmp_path: Path) -> None:
    rows = [{"context": f"t{i}", "target": f"answer {i}\nsecond line"} for i in range(40)]
    task = file_task(written(tmp_path, rows))
    assert (task.scoring, task.metrics[0].name) == ("generate", "exact_match")
    assert "free text" in task.title
    assert task.parse
    example = everything(task)[0]
    assert task.parse(f" {example.target}\n", example) == example.target
    assert task.parse("  \n", example) is None


def test_labels_that_are_given_turn_numbers_into_classes(tmp_path: Path) -> None:
    rows = [{"context": f"t{i}", "target": i % 2} for i in range(40)]
    plain = file_task(written(tmp_path, rows))
    assert plain.metrics[0].name == "numeric"
    assert "(as classes with --labels 0,1)" in plain.title
    task = file_task(written(tmp_path, rows), labels=("0", "1", "2"))
    assert everything(task)[0].choices == ("0", "1", "2")
    assert "labels 0 20, 1 20, 2 0" in task.title


def test_labels_are_exchanged_on_request_and_counted(tmp_path: Path) -> None:
    rows = [{"context": f"t{i}", "target": "up" if i % 4 else "down"} for i in range(40)]
    task = file_task(written(tmp_path, rows), relabel={"up": "down", "down": "up"})
    assert Counter(e.target for e in everything(task)) == {"down": 30, "up": 10}
    assert "relabelled 30 up as down; relabelled 10 down as up" in task.title
    merged = file_task(written(tmp_path, labelled()), relabel={"flat": "down"})
    assert everything(merged)[0].choices == ("down", "up")


def test_a_relabelling_that_cannot_be_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path, labelled(), relabel={"dwn": "up"}).fix == "did you mean 'down'?"
    assert "empty" in refusal(tmp_path, labelled(), relabel={"down": " "}).problem
    assert "labels belong" in refusal(tmp_path, asked(), relabel={"a": "b"}).problem
    assert "labels belong" in refusal(tmp_path, asked(), labels=("a", "b")).problem


def test_given_labels_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    error = refusal(tmp_path, labelled(), labels=("down", "upp", "flat"))
    assert error.problem.splitlines()[1].endswith("and 2 more: the target 'up' is not among the labels")
    assert error.fix == "did you mean 'upp'?; or add --drop-bad"
    assert error.where.endswith("mine.jsonl:2")
    assert "fewer than two" in refusal(tmp_path, labelled(), labels=("down",)).problem
    assert "the same" in refusal(tmp_path, labelled(), labels=("down", "Down")).problem
    assert "the same" in refusal(tmp_path, [*labelled(), {"context": "x", "target": "UP"}]).problem


def test_the_split_column_is_respected(tmp_path: Path) -> None:
    names = ["train"] * 18 + ["Valid"] * 3 + ["test"] * 9
    rows = [row | {"split": name} for row, name in zip(labelled(), names, strict=True)]
    task = file_task(written(tmp_path, rows))
    splits = load_splits(task)
    assert [len(part) for _, part in splits.items()] == [18, 3, 9]
    assert splits.test[0].id == "row-22"
    assert task.title.endswith("split as the file says")


def test_validation_is_taken_from_train_where_the_file_names_none(tmp_path: Path) -> None:
    rows = [row | {"split": "test" if i >= 20 else "train"} for i, row in enumerate(asked())]
    splits = load_splits(file_task(written(tmp_path, rows)))
    assert [len(part) for _, part in splits.items()] == [18, 2, 10]
    assert {e.id for e in splits.test} == {f"row-{i}" for i in range(21, 31)}


def test_bad_split_columns_are_refused(tmp_path: Path) -> None:
    rows = [row | {"split": "train"} for row in labelled()]
    assert "no row has the split 'test'" in refusal(tmp_path, rows).problem
    assert refusal(tmp_path, [*rows, labelled()[0] | {"split": "tset"}]).fix.startswith("did you mean 'test'?")
    assert refusal(tmp_path, [*rows, labelled()[0]]).where.endswith(":31")
    one = [row | {"split": "train" if row["target"] == "up" else "test"} for row in labelled()]
    assert "one class only among the training rows" in refusal(tmp_path, one).problem


def test_a_group_or_text_that_the_file_puts_into_two_splits_is_refused(tmp_path: Path) -> None:
    rows = [row | {"split": "test" if i >= 21 else "train"} for i, row in enumerate(asked())]
    path = written(tmp_path, rows)
    with pytest.raises(HarnessError, match="share a group"):
        load_splits(file_task(path))


def test_equal_texts_without_a_group_make_one_group_in_one_split(tmp_path: Path) -> None:
    rows = [row for row in labelled() for _ in range(3)]
    splits = load_splits(file_task(written(tmp_path, rows)))
    assert sum(len(part) for _, part in splits.items()) == 90
    for _, part in splits.items():
        assert set(Counter(e.group for e in part).values()) == {3}
        assert set(Counter(e.context for e in part).values()) == {3}


def test_the_order_of_the_rows_does_not_move_them_between_splits(tmp_path: Path) -> None:
    forward = load_splits(file_task(written(tmp_path, asked())))
    backward = load_splits(file_task(written(tmp_path, asked()[::-1], "other.jsonl")))
    assert {e.question for e in forward.test} == {e.question for e in backward.test}


def test_a_changed_file_is_refused_after_the_task_was_made(tmp_path: Path) -> None:
    task = file_task(written(tmp_path, labelled()))
    written(tmp_path, labelled(33))
    with pytest.raises(HarnessError, match="the data has changed"):
        load_splits(task)


def test_nul_bytes_large_cells_and_odd_names_do_no_harm(tmp_path: Path) -> None:
    rows = [row | {"context": f"{i}\0" + "y" * 300_000, "id": f"id {i}"} for i, row in enumerate(labelled(12))]
    for name in ("my file (1).csv", "my file (1).jsonl"):
        task = file_task(written(tmp_path, rows, name))
        assert task.name == "my-file-1"
        assert len(everything(task)) == 12
