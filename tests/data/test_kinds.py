"""The kind of a file's answers: what decided it is in the title, and no single cell decides without a word."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.data.file_task import file_task
from harness.data.loading import fingerprint, load_splits
from harness.record import Answer
from harness.schema import Task
from tests.support.data_files import refusal, written

FORMATS = ["mine.jsonl", "mine.csv", "mine.parquet"]


def premiums(targets: list[Any]) -> list[dict[str, Any]]:
    return [{"context": f"Policy {i} costs how much?", "target": target} for i, target in enumerate(targets)]


def task_of(folder: Path, targets: list[Any], name: str = "mine.jsonl", **options: Any) -> Task:
    return file_task(written(folder, premiums(targets), name), **options)


@pytest.mark.parametrize("name", FORMATS)
def test_codes_with_leading_zeros_are_text_in_every_format(tmp_path: Path, name: str) -> None:
    few = task_of(tmp_path, [("0042", "042", "42")[i % 3] for i in range(30)], name)
    assert few.scoring == "choices"
    assert "labels 0042 10, 042 10, 42 10; codes and no numbers, as 0042 in" in few.title
    many = task_of(tmp_path, [f"{i:05}" for i in range(40)], name)
    assert many.metrics[0].name == "exact_match"
    assert many.metrics[0].score(Answer("", "", "00007", "7", "7")) == 0.0


@pytest.mark.parametrize("code", ["01.10", "007.5", "00"])
def test_a_code_with_points_is_a_code(tmp_path: Path, code: str) -> None:
    assert f"as {code} in line 1 begins with a zero" in task_of(tmp_path, [code, *map(str, range(2, 40))]).title


@pytest.mark.parametrize("target", ["0", "0.5", "-0.05", "0 %", "0e3"])
def test_a_zero_before_a_point_is_no_code(tmp_path: Path, target: str) -> None:
    assert task_of(tmp_path, [target, *map(str, range(2, 40))]).metrics[0].name == "numeric"


@pytest.mark.parametrize(("name", "place"), zip(FORMATS, ["line 18", "line 19", "row 18"], strict=True))
def test_the_one_cell_that_is_no_number_is_named_in_every_format(tmp_path: Path, name: str, place: str) -> None:
    targets = [str(i * 3) for i in range(60)]
    targets[17] = "unknown"
    task = task_of(tmp_path, targets, name)
    assert f"{place} ('unknown') keeps 59 of 60 targets from being numbers" in task.title
    assert task.metrics[0].name == "exact_match"


def test_it_is_named_among_few_numbers_too_and_three_stand_for_many(tmp_path: Path) -> None:
    targets = [str(i % 3) for i in range(60)]
    targets[5] = "n/a"
    title = task_of(tmp_path, targets * 2).title
    assert "labels 0 40, 1 40, 2 38, n/a 2; line 6 ('n/a'), line 66 ('n/a') keep 118 of 120 targets" in title
    targets[6:10] = ["-", "?", "none", "tbd"]
    title = task_of(tmp_path, targets).title
    assert "line 6 ('n/a'), line 7 ('-'), line 8 ('?') and 2 more keep 55 of 60 targets from being numbers" in title


def test_texts_with_a_few_numbers_among_them_need_no_word(tmp_path: Path) -> None:
    task = task_of(tmp_path, [str(i) if i % 3 == 0 else f"clause {i}" for i in range(60)])
    assert "from being numbers" not in task.title


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("form", ["{:,}", "{:,}.50"])
@pytest.mark.parametrize("mark", ["'", "’", "\u202f"])
def test_amounts_grouped_in_other_ways_are_numbers(tmp_path: Path, name: str, form: str, mark: str) -> None:
    task = task_of(tmp_path, [form.format(i * 1000).replace(",", mark) for i in range(1, 41)], name)
    assert task.metrics[0].name == "numeric"


def test_amounts_in_lakhs_are_numbers(tmp_path: Path) -> None:
    task = task_of(tmp_path, [f"₹ {i},50,000" for i in range(1, 41)])
    assert task.metrics[0].name == "numeric"
    assert task.metrics[0].score(Answer("", "", "₹ 3,50,000", "", "350,000")) == 1.0


GERMAN = [f"{i}.{i:03},{i % 10}0" for i in range(1, 41)]


@pytest.mark.parametrize("name", FORMATS)
def test_a_decimal_comma_is_noticed_and_read_on_request(tmp_path: Path, name: str) -> None:
    plain = task_of(tmp_path, GERMAN, name)
    assert "--decimal-comma compares them as numbers" in plain.title
    task = task_of(tmp_path, GERMAN, name, decimal_comma=True)
    assert (task.name, task.metrics[0].name) == ("mine-decimal-comma", "numeric")
    assert "with a decimal comma" in task.title
    splits = load_splits(task)
    assert fingerprint(task, splits) != fingerprint(plain, load_splits(plain))
    example = next(e for _, part in splits.items() for e in part if e.target == "7.007,70")
    assert task.parse
    parsed = task.parse("7.007,7 EUR\nmore", example)
    assert parsed == "7007.7"
    assert task.metrics[0].score(Answer("", "", example.target, "", parsed)) == 1.0
    assert task.parse("7,007.70", example) is None
    assert task.metrics[0].score(Answer("", "", example.target, "", task.parse("7.007", example))) == 0.0


def test_a_cell_without_a_decimal_comma_is_refused_at_its_row(tmp_path: Path) -> None:
    error = refusal(tmp_path, premiums([*GERMAN, "1,234.50"]), decimal_comma=True)
    assert "'1,234.50' is no number with a decimal comma" in error.problem
    assert error.where.endswith(":41")
    assert "line 41 ('n/a') keeps" in task_of(tmp_path, [*GERMAN, "n/a"]).title
    assert (
        "belongs to targets that are numbers"
        in refusal(tmp_path, premiums(["up", "down"] * 20), labels=("up", "down"), decimal_comma=True).problem
    )


def test_a_point_that_may_stand_for_thousands_is_mentioned(tmp_path: Path) -> None:
    title = task_of(tmp_path, [f"{i}.500" for i in range(1, 41)]).title
    assert "1.500 is read with a decimal point (as thousands with --decimal-comma)" in title
    assert "decimal point" not in task_of(tmp_path, [f"{i}.500" for i in range(40)] + ["0.25"]).title
    assert "decimal point" not in task_of(tmp_path, [f"1,{i:03}.500" for i in range(40)]).title


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text("0123456789.,' -na/", min_size=1, max_size=7), min_size=12, max_size=40, unique=True))
def test_targets_are_numbers_only_if_each_is_one_and_none_a_code(
    tmp_path_factory: pytest.TempPathFactory, targets: list[str]
) -> None:
    from harness.metrics import parse_number

    texts = [text.strip() for text in targets if text.strip()]
    if len(set(texts)) < 12:
        return
    task = task_of(tmp_path_factory.mktemp("kinds"), texts)
    all_numbers = all(parse_number(text) is not None for text in texts)
    digits = [text.lstrip("+-").split(".")[0] for text in texts]
    codes = [head for head in digits if head.isdigit() and head[0] == "0" and len(head) > 1]
    assert (task.metrics[0].name == "numeric") == (all_numbers and not codes)
