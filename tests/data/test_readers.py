"""Reading files row by row: every kind of damage is named with its line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.data.readers import Row, read_jsonl, read_rows
from harness.errors import HarnessError

GOOD = '{"context": "a", "target": "b"}\n'


def written(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def refusal(path: Path) -> HarnessError:
    with pytest.raises(HarnessError) as caught:
        read_rows(path)
    assert caught.value.fix
    return caught.value


def test_rows_keep_their_line_numbers_across_blank_lines(tmp_path: Path) -> None:
    path = written(tmp_path, "a.jsonl", "\ufeff" + GOOD + "\n  \r\n" + GOOD.strip())
    assert [(row.number, row.location) for row in read_rows(path)] == [(1, f"{path}:1"), (4, f"{path}:4")]
    assert list(read_jsonl(path)) == [{"context": "a", "target": "b"}] * 2


def test_a_missing_file_suggests_its_neighbour(tmp_path: Path) -> None:
    written(tmp_path, "claims.jsonl", GOOD)
    assert refusal(tmp_path / "claim.jsonl").fix == "did you mean 'claims.jsonl'?"
    with pytest.raises(HarnessError, match="cannot be read"):
        list(read_jsonl(tmp_path / "none.jsonl"))


def test_a_folder_is_refused(tmp_path: Path) -> None:
    assert "folder" in refusal(tmp_path).problem


@pytest.mark.parametrize("name", ["a.json", "a.xlsx", "a", "a.jsonl.gz"])
def test_an_unknown_extension_is_refused(tmp_path: Path, name: str) -> None:
    error = refusal(written(tmp_path, name, GOOD))
    assert "extension" in error.problem
    assert ".jsonl" in error.fix


def test_a_python_file_points_to_tasks_dir(tmp_path: Path) -> None:
    assert refusal(tmp_path / "mine.py").fix.endswith(f"--tasks-dir {tmp_path} --task mine")


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.parquet"])
@pytest.mark.parametrize("content", ["", "\n\n \n"])
def test_an_empty_file_is_refused(tmp_path: Path, name: str, content: str) -> None:
    assert "empty" in refusal(written(tmp_path, name, content)).problem


def test_a_csv_of_a_header_only_is_refused_as_empty(tmp_path: Path) -> None:
    assert "empty" in refusal(written(tmp_path, "a.csv", "context,target\n")).problem


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv"])
def test_bytes_that_are_not_utf8_are_named_with_line_and_offset(tmp_path: Path, name: str) -> None:
    first = GOOD if name == "a.jsonl" else "context,target\n"
    second = '{"context": "caf' if name == "a.jsonl" else "caf"
    error = refusal(written(tmp_path, name, first.encode() + second.encode() + b"\xe9\n"))
    assert error.problem == f"the file is not UTF-8: byte 0xe9 at offset {len(first + second)}"
    assert error.where == f"{tmp_path / name}:2"


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("a.jsonl", GOOD + '{"context": "x", "tar', 2),
        ("a.csv", "context,target\na,b\nc", 3),
        ("a.csv", 'context,target\na,b\n"two\nlines', 3),
    ],
)
def test_a_file_that_ends_in_the_middle_of_a_line_is_called_cut_off(
    tmp_path: Path, name: str, content: str, line: int
) -> None:
    error = refusal(written(tmp_path, name, content))
    assert "cut off" in error.problem
    assert error.where == f"{tmp_path / name}:{line}"


def test_every_truncation_of_a_jsonl_row_is_an_error_or_the_whole_row(tmp_path: Path) -> None:
    line = json.dumps({"context": "Zurück: 1,234.5 é", "target": "b"}, ensure_ascii=False).encode()
    for length in range(1, len(line) + 1):
        path = written(tmp_path, "a.jsonl", GOOD.encode() + line[:length])
        if length == len(line):
            assert len(read_rows(path)) == 2
        else:
            assert refusal(path).where == f"{path}:2"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{'context': 1}", "not JSON"),
        ("[1, 2]", "a list"),
        ('"x"', "a text"),
        ("null", "a null"),
        ("true", "a true/false"),
        ("3.5", "a number"),
        ("[" * 100_000, "not JSON"),
        ('{"context": "\\ud83d"}', "half of a surrogate pair"),
    ],
)
def test_a_line_that_is_no_object_is_refused(tmp_path: Path, line: str, said: str) -> None:
    error = refusal(written(tmp_path, "a.jsonl", GOOD + line + "\n" + GOOD))
    assert said in error.problem
    assert error.where.endswith(":2")


def test_csv_rows_with_too_many_or_too_few_fields_are_refused(tmp_path: Path) -> None:
    error = refusal(written(tmp_path, "a.csv", "context,target\na,b\npay 1,200,yes\nc,d\n"))
    assert (error.problem, error.where[-2:]) == ("this row has 3 fields, the header has 2", ":3")
    assert "has 1 fields" in refusal(written(tmp_path, "a.csv", "context,target\na\nc,d\n")).problem


def test_csv_with_bad_quotes_or_equal_columns_is_refused(tmp_path: Path) -> None:
    assert "not CSV" in refusal(written(tmp_path, "a.csv", 'context,target\n"a"b,c\n')).problem
    assert "two columns" in refusal(written(tmp_path, "a.csv", "target,target\na,b\n")).problem


def test_csv_cells_stay_text_and_may_hold_lines_quotes_nul_and_a_megabyte(tmp_path: Path) -> None:
    long = "x" * 1_000_000
    path = written(
        tmp_path, "a.csv", f'\ufeffid,context,target\r\n007,"two\r\nlines, ""quoted""",\0\r\n8,{long},1e3\r\n'
    )
    first, second = read_rows(path)
    assert first.cells == {"id": "007", "context": 'two\r\nlines, "quoted"', "target": "\0"}
    assert (second.cells["context"], second.cells["target"], second.number) == (long, "1e3", 4)


def test_parquet_is_read_with_types_and_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = {"question": ["a\0", "b"], "choices": [["x", "y"], ["y", "z", "w"]], "n": [1, 2]}
    pq.write_table(pa.table(table), tmp_path / "a.parquet")
    (tmp_path / "temp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temp"))
    rows = read_rows(tmp_path / "a.parquet")
    assert rows[1].cells == {"question": "b", "choices": ["y", "z", "w"], "n": 2}
    assert rows[1].location == f"{tmp_path / 'a.parquet'}, row 2"
    assert list((tmp_path / "temp").iterdir()) == []
    assert capfd.readouterr().err == ""


def test_damaged_parquet_is_refused(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"a": ["x" * 50]}), tmp_path / "a.parquet")
    whole = (tmp_path / "a.parquet").read_bytes()
    assert "cut off" in refusal(written(tmp_path, "b.parquet", whole[:-20])).problem
    assert "not a Parquet" in refusal(written(tmp_path, "b.parquet", GOOD)).problem
    middle = whole[:4] + b"\xff" * (len(whole) - 12) + whole[-8:]
    assert "damaged" in refusal(written(tmp_path, "b.parquet", middle)).problem
    pq.write_table(pa.table({"a": pa.array([], pa.string())}), tmp_path / "c.parquet")
    assert "empty" in refusal(tmp_path / "c.parquet").problem


cells = st.dictionaries(st.text(max_size=5), st.none() | st.text() | st.integers() | st.lists(st.text()), max_size=4)


@settings(max_examples=50, deadline=None)
@given(rows=st.lists(cells, min_size=1, max_size=5), trailing=st.booleans())
def test_what_json_writes_is_what_is_read(
    tmp_path_factory: pytest.TempPathFactory, rows: list[Any], trailing: bool
) -> None:
    path = tmp_path_factory.mktemp("jsonl") / "a.jsonl"
    path.write_bytes(("\n".join(map(json.dumps, rows)) + "\n" * trailing).encode())
    assert [row.cells for row in read_rows(path)] == rows


@settings(max_examples=100, deadline=None)
@given(raw=st.binary(max_size=200), suffix=st.sampled_from([".jsonl", ".csv", ".parquet"]))
def test_any_bytes_are_read_or_refused_but_never_crash(
    tmp_path_factory: pytest.TempPathFactory, raw: bytes, suffix: str
) -> None:
    path = tmp_path_factory.mktemp("fuzz") / f"a{suffix}"
    path.write_bytes(raw)
    found: list[Row] | HarnessError
    try:
        found = read_rows(path)
    except HarnessError as error:
        found = error
    assert str(path) in found.where if isinstance(found, HarnessError) else found
