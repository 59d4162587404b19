"""Parquet files: types become the cells that JSONL would have, and sizes are known before anything is in memory."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from harness.data import bounds
from harness.data.file_task import file_task
from harness.data.loading import load_splits
from harness.data.parquet_file import parquet_rows
from harness.errors import HarnessError

CLASSES = {"names": ["cut", "kept", "raised"], "_type": "ClassLabel"}
TEXT = {"dtype": "string", "_type": "Value"}


def written(folder: Path, columns: Mapping[str, Any], features: Mapping[str, Any] | None = None) -> Path:
    table = pa.table(dict(columns))
    if features is not None:
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    parquet.write_table(table, folder / "a.parquet")
    return folder / "a.parquet"


def cells(path: Path, name: str = "v") -> list[Any]:
    return [row.cells[name] for row in parquet_rows(path)]


def refusal(path: Path) -> HarnessError:
    with pytest.raises(HarnessError) as caught:
        parquet_rows(path)
    assert caught.value.fix
    assert str(path) in caught.value.where
    return caught.value


def texts(count: int) -> list[str]:
    return [f"The dividend of fund {i}." for i in range(count)]


def test_class_numbers_are_read_by_their_names(tmp_path: Path) -> None:
    features = {"context": TEXT, "target": CLASSES}
    path = written(tmp_path, {"context": texts(60), "target": [i % 3 for i in range(60)]}, features)
    task = file_task(path)
    assert "labels cut 20, kept 20, raised 20" in task.title
    assert [row.cells["target"] for row in parquet_rows(path, class_names=False)][:3] == [0, 1, 2]


def test_the_description_that_the_library_datasets_writes_is_understood(tmp_path: Path) -> None:
    import datasets

    features = datasets.Features(
        {"v": datasets.ClassLabel(names=CLASSES["names"]), "w": datasets.List(datasets.ClassLabel(names=["a", "b"]))}
    )
    table = pa.table({"v": [2, 0], "w": [[0, 1], []]}, schema=features.arrow_schema)
    parquet.write_table(table, tmp_path / "a.parquet")
    assert cells(tmp_path / "a.parquet") == ["raised", "cut"]
    assert cells(tmp_path / "a.parquet", "w") == [["a", "b"], []]


@pytest.mark.parametrize("names", [["1", "2", "3", "4", "5"], [f"topic {i}" for i in range(25)]])
def test_class_names_are_labels_even_if_they_are_digits_or_many(tmp_path: Path, names: list[str]) -> None:
    features = {"context": TEXT, "target": {"names": names, "_type": "ClassLabel"}}
    columns = {"context": texts(75), "target": [i % len(names) for i in range(75)]}
    task = file_task(written(tmp_path, columns, features))
    assert (task.scoring, task.metrics[0].name) == ("choices", "acc")
    assert load_splits(task).test[0].choices == tuple(sorted(names))


def test_letters_as_class_names_are_answers(tmp_path: Path) -> None:
    columns = {
        "question": texts(30),
        "choices": [["cut", "kept"]] * 30,
        "answer": pa.array([i % 2 for i in range(30)], pa.int8()),
    }
    path = written(tmp_path, columns, {"answer": {"names": ["A", "B"], "_type": "ClassLabel"}})
    assert {e.target for e in load_splits(file_task(path)).train} == {"cut", "kept"}


def test_a_class_number_without_a_name_is_refused_at_its_row_and_minus_one_is_empty(tmp_path: Path) -> None:
    error = refusal(written(tmp_path, {"v": [0, 2, 3]}, {"v": CLASSES}))
    assert "class number 3" in error.problem
    assert error.where.endswith("row 3")
    assert cells(written(tmp_path, {"v": [0, -1, None]}, {"v": CLASSES})) == ["cut", None, None]


def test_a_damaged_description_of_the_columns_is_refused(tmp_path: Path) -> None:
    table = pa.table({"v": [1]}).replace_schema_metadata({"huggingface": "{"})
    parquet.write_table(table, tmp_path / "a.parquet")
    assert "description of the columns" in refusal(tmp_path / "a.parquet").problem


def test_categories_are_read_by_their_values(tmp_path: Path) -> None:
    values = pa.array(["up", None, "down", "up"]).dictionary_encode()
    assert cells(written(tmp_path, {"v": values})) == ["up", None, "down", "up"]
    assert cells(written(tmp_path, {"v": pa.array([7, 7, 9]).dictionary_encode()})) == [7, 7, 9]


@pytest.mark.parametrize("kind", [pa.float16(), pa.float32()])
def test_narrow_floats_are_the_shortest_number(tmp_path: Path, kind: pa.DataType) -> None:
    numbers = [0.1, 2.5, -0.2, 1e-3, 12.0, None]
    scalar = numpy.float16 if kind == pa.float16() else numpy.float32
    array = pa.array([None if n is None else scalar(n) for n in numbers], kind)
    assert cells(written(tmp_path, {"v": array})) == numbers
    assert cells(written(tmp_path, {"v": pa.array([[0.1, 0.2]], pa.list_(pa.float32()))})) == [[0.1, 0.2]]


def test_decimals_dates_and_times_are_written_out(tmp_path: Path) -> None:
    day = datetime.date(2024, 2, 29)
    targets = {
        "1200.50": pa.array([Decimal("1200.50")] * 12, pa.decimal128(12, 2)),
        "0.00000001": pa.array([Decimal("1e-8")] * 12, pa.decimal128(12, 8)),
        "2024-02-29": pa.array([day] * 12),
        "2024-02-29 00:00:00": pa.array([datetime.datetime(2024, 2, 29)] * 12, pa.timestamp("ns")),
    }
    for text, column in targets.items():
        columns = {"context": texts(12), "target": pa.concat_arrays([column.slice(0, 11), column.slice(11)])}
        with pytest.raises(HarnessError) as caught:
            file_task(written(tmp_path, columns))
        assert caught.value.problem == f"one class only: every row has the answer {text!r}"


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    table = pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"])], names=["v", "v"])
    parquet.write_table(table, tmp_path / "a.parquet")
    assert "two columns are named 'v'" in refusal(tmp_path / "a.parquet").problem


def test_thirty_million_rows_in_a_small_file_are_refused_before_they_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    part = pa.table({"v": pa.array([0] * 3_000_000, pa.int8())})
    with parquet.ParquetWriter(path, part.schema) as writer:
        for _ in range(10):
            writer.write_table(part)
    error = refusal(path)
    assert "30,000,000 rows" in error.problem
    assert f"{bounds.max_rows():,}" in error.problem


def test_a_cell_beyond_the_limit_is_refused_even_if_it_is_repeated(tmp_path: Path) -> None:
    values = pa.DictionaryArray.from_arrays(pa.array([0] * 5 + [1] * 60, pa.int32()), ["short", "x" * 50_000_000])
    options = {"use_dictionary": True, "dictionary_pagesize_limit": 10**9, "compression": "zstd"}
    parquet.write_table(pa.table({"v": values}), tmp_path / "a.parquet", store_schema=False, **options)
    assert (tmp_path / "a.parquet").stat().st_size < 10**6
    error = refusal(tmp_path / "a.parquet")
    assert error.problem == "the cell 'v' holds 50,000,000 characters, and at most 20,000,000 are read"


@pytest.mark.parametrize("encoding", ["DELTA_BYTE_ARRAY", "DELTA_LENGTH_BYTE_ARRAY", "PLAIN"])
@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_texts_in_every_encoding_are_read_and_bounded(
    tmp_path: Path, encoding: str, version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    column = [f"the same beginning, {i % 70}" for i in range(100)]
    parquet.write_table(
        pa.table({"v": column}),
        tmp_path / "a.parquet",
        use_dictionary=False,
        column_encoding={"v": encoding},
        data_page_version=version,
    )
    assert cells(tmp_path / "a.parquet") == column
    monkeypatch.setattr(bounds, "MAX_CELL", 20)
    assert "at most 20 are read" in refusal(tmp_path / "a.parquet").problem


def test_text_in_lists_counts_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, {"v": [["x" * 600] * 3] * 10, "s": [{"t": "y" * 200}] * 10})
    assert len(parquet_rows(path)) == 10
    monkeypatch.setattr(bounds, "MAX_CELL", 500)
    assert "'v' holds 600" in refusal(path).problem
    monkeypatch.setattr(bounds, "MAX_CELL", 1000)
    monkeypatch.setattr(bounds, "MAX_ITEMS", 2)
    assert "lists 3 items" in refusal(path).problem
    monkeypatch.setattr(bounds, "MAX_ITEMS", 10)
    monkeypatch.setattr(bounds, "MAX_TEXT", 15_000)
    assert "more than 15,000 characters" in refusal(path).problem


def test_more_bytes_than_the_limit_once_unpacked_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, {"v": [f"{i:0100}" for i in range(1000)]})
    monkeypatch.setattr(bounds, "MAX_TEXT", 50_000)
    assert "once unpacked" in refusal(path).problem


def test_equal_texts_of_a_column_are_one_text_in_memory(tmp_path: Path) -> None:
    first, *others = cells(written(tmp_path, {"v": ["the same prospectus"] * 100}))
    assert all(other is first for other in others)


plain = st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
values = (
    st.lists(plain, min_size=1)
    | st.lists(st.none() | st.integers(-(2**62), 2**62), min_size=1)
    | st.lists(st.none() | st.booleans(), min_size=1)
    | st.lists(st.none() | st.floats(allow_nan=False), min_size=1)
    | st.lists(st.none() | st.lists(plain, max_size=3), min_size=1)
    | st.lists(st.fixed_dictionaries({"t": plain, "n": st.lists(st.integers(0, 9), max_size=2)}), min_size=1)
)


@settings(max_examples=60, deadline=None)
@given(values)
def test_what_is_written_is_what_is_read(tmp_path_factory: pytest.TempPathFactory, column: list[Any]) -> None:
    assert cells(written(tmp_path_factory.mktemp("parquet"), {"v": pa.array(column)})) == column


def digits(number: float) -> int:
    """Return how many digits the text of a number needs."""
    return len(Decimal(repr(number)).normalize().as_tuple().digits)


@settings(max_examples=100, deadline=None)
@example(999999995904.0)
@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_every_narrow_float_comes_back_from_its_text(tmp_path_factory: pytest.TempPathFactory, number: float) -> None:
    path = written(tmp_path_factory.mktemp("parquet"), {"v": pa.array([number], pa.float32())})
    (cell,) = cells(path)
    assert numpy.float32(str(cell)) == numpy.float32(number)
    assert digits(cell) <= digits(number)
