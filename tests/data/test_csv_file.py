"""CSV as spreadsheets write it, and what is refused with its line."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.data import bounds
from harness.data.csv_file import csv_rows
from harness.data.readers import read_rows
from harness.errors import HarnessError


def written(folder: Path, content: str) -> Path:
    path = folder / "a.csv"
    path.write_bytes(content.encode())
    return path


def refusal(path: Path) -> HarnessError:
    with pytest.raises(HarnessError) as caught:
        read_rows(path)
    assert caught.value.fix
    assert str(path) in caught.value.where
    return caught.value


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
@pytest.mark.parametrize("line", ["sep={}", '"sep={}"', "SEP={}", "\ufeffsep={}", "sep={},,"])
def test_a_first_line_that_names_the_separator_is_obeyed(tmp_path: Path, line: str, mark: str) -> None:
    path = written(tmp_path, f"{line.format(mark)}\r\ncontext{mark}target\r\nrates rise{mark}up\r\n")
    (row,) = read_rows(path)
    assert row.cells == {"context": "rates rise", "target": "up"}
    assert (row.number, row.location) == (3, f"{path}:3")


@pytest.mark.parametrize("mark", [";", "\t", "|"])
def test_a_header_with_other_separators_and_no_comma_is_divided_by_them(tmp_path: Path, mark: str) -> None:
    (row,) = read_rows(written(tmp_path, f'\ufeff"context"{mark}target\n"1,200 of 2; 3"{mark}b\n'))
    assert row.cells == {"context": "1,200 of 2; 3", "target": "b"}


def test_every_row_that_cannot_be_read_is_refused_with_its_line_and_the_others_are_read(tmp_path: Path) -> None:
    faults: list[tuple[int, str]] = []
    text = 'context,target\na,b\na,b,c\n"x" y,b\nc,d\n"open\n"shut,b\ne,f\nonly\ng,h\n'
    rows = csv_rows(written(tmp_path, text), lambda error, line: faults.append((line, error.problem)))
    assert [row.number for row in rows] == [2, 5, 8, 10]
    assert [line for line, _ in faults] == [3, 4, 6, 9]
    assert "a quote is open up to line 7" in faults[2][1]


def test_empty_columns_without_a_name_at_the_right_are_ignored(tmp_path: Path) -> None:
    (row,) = read_rows(written(tmp_path, "context,target, ,\na,b,, \n"))
    assert row.cells == {"context": "a", "target": "b"}


def test_a_value_below_no_name_is_refused_at_its_line(tmp_path: Path) -> None:
    error = refusal(written(tmp_path, "context,target,,\na,b,,\npay 1,200,up,\n"))
    assert "'up' stands in column 3, which has no name" in error.problem
    assert error.where.endswith(":3")


def test_an_index_without_a_name_at_the_left_is_an_extra_column(tmp_path: Path) -> None:
    (row,) = read_rows(written(tmp_path, ",context,target,,\n17,a,b,,\n"))
    assert row.cells == {"": "17", "context": "a", "target": "b"}


def test_empty_fields_beyond_the_header_and_rows_of_empty_fields_are_ignored(tmp_path: Path) -> None:
    rows = read_rows(written(tmp_path, "context,target\na,b,,\n,,,\n,\nc,d\n,,\n"))
    assert [(row.number, row.cells["context"]) for row in rows] == [(2, "a"), (5, "c")]


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    assert "two columns are named 'target'" in refusal(written(tmp_path, "context,target, target\na,b,c\n")).problem


def test_codes_keep_their_zeros_and_cells_their_text(tmp_path: Path) -> None:
    (row,) = read_rows(written(tmp_path, "id,context,target\n007,1.10,1e3\n"))
    assert row.cells == {"id": "007", "context": "1.10", "target": "1e3"}


def test_lines_that_end_as_on_old_machines_are_counted(tmp_path: Path) -> None:
    path = written(tmp_path, "context,target\ra,b\r\rc,d\r")
    assert [row.number for row in read_rows(path)] == [2, 4]


def test_a_wrong_byte_far_into_a_file_is_named_with_its_line_and_offset(tmp_path: Path) -> None:
    head = "context,target\n" + "\u00e9" * 700_001 + ",b\n"
    path = tmp_path / "a.csv"
    path.write_bytes(head.encode() + b"caf\xe9,b\n")
    error = refusal(path)
    assert error.problem == f"the file is not UTF-8: byte 0xe9 at offset {len(head.encode()) + 3}"
    assert error.where == f"{path}:3"
    path.write_bytes(head.encode() + "caf\u00e9".encode()[:-1])
    assert refusal(path).where == f"{path}:3"


def test_a_cell_and_a_line_beyond_the_limit_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "MAX_CELL", 1000)
    monkeypatch.setattr(bounds, "MAX_LINE", 5000)
    path = written(tmp_path, "context,target\na,b\n" + "x" * 1001 + ",b\n")
    error = refusal(path)
    assert "more than 1,000 characters" in error.problem
    assert error.where == f"{path}:3"
    assert "longer than 5,000" in refusal(written(tmp_path, "context,target\n" + "x," * 2501)).problem
    assert csv.field_size_limit() > 100_000


cells = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\0"), max_size=8)


@settings(max_examples=100, deadline=None)
@given(
    rows=st.lists(st.tuples(cells, cells), min_size=1, max_size=5),
    mark=st.sampled_from(",;\t|"),
    trailing=st.integers(0, 3),
)
def test_what_a_spreadsheet_writes_is_what_is_read(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]], mark: str, trailing: int
) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=mark)
    text.write(f"sep={mark}\r\n")
    writer.writerows([*row, *[""] * trailing] for row in [("context", "target"), *rows])
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    path.write_bytes(text.getvalue().encode())
    expected = [{"context": a, "target": b} for a, b in rows if a.strip() or b.strip()]
    if expected:
        assert [row.cells for row in csv_rows(path)] == expected
    else:
        assert "empty" in refusal(path).problem


def test_an_invisible_character_in_a_name_is_no_part_of_it(tmp_path: Path) -> None:
    (row,) = read_rows(written(tmp_path, '"\ufeffcontext",target\u200b\na,b\n'))
    assert row.cells == {"context": "a", "target": "b"}
    assert (
        "two columns are named 'target'" in refusal(written(tmp_path, "context,target,target\u200b\na,b,c\n")).problem
    )


def test_json_in_a_csv_file_and_a_quote_that_never_closes_are_told_as_such(tmp_path: Path) -> None:
    assert refusal(written(tmp_path, '[{"context": "a", "target": "b"}]\n')).problem == "this is JSON and not CSV"
    error = refusal(path := written(tmp_path, 'context,target\na,b\n"c,d\ne,f\n'))
    assert error.problem.startswith("a quote opens in this line and does not close")
    assert error.where == f"{path}:3"
    assert "not CSV" in refusal(written(tmp_path, 'context,"tar" get\na,b\n')).problem
