"""The limits of reading: regular files only, so many rows, so much text; and the progress of a long file."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest

from harness import environment
from harness.data import bounds
from harness.data.loading import hash_folder, resolve
from harness.data.published import Load, read_cells
from harness.data.readers import read_jsonl, read_rows
from harness.errors import HarnessError
from harness.schema import Source


def refusal(path: Path) -> HarnessError:
    with pytest.raises(HarnessError) as caught:
        read_rows(path)
    assert caught.value.fix
    assert str(path) in caught.value.where
    return caught.value


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.parquet"])
def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    assert refusal(tmp_path / name).problem == "this is a pipe, not a data file"
    with pytest.raises(HarnessError, match="pipe"):
        list(read_jsonl(tmp_path / name))
    with pytest.raises(HarnessError, match="pipe"):
        resolve(Source(str(tmp_path / name), sha256="0" * 64))


def test_a_pipe_in_a_folder_of_data_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "train.jsonl")
    with pytest.raises(HarnessError, match="pipe"):
        hash_folder(tmp_path)
    load = Load({"test": ("*.jsonl",)}, lambda cells, id: "unused", read=lambda path: [{"text": path.read_text()}])
    with pytest.raises(HarnessError, match="pipe"):
        load(tmp_path, "test")
    assert load.sizes(tmp_path) == {}


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.parquet"])
def test_a_device_behind_a_link_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).symlink_to("/dev/zero")
    assert refusal(tmp_path / name).problem == "this is a device, not a data file"


def test_a_socket_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # the name of a socket may have 108 characters
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("a.csv")
        with pytest.raises(HarnessError, match=r"cannot be read|a socket"):
            read_rows("a.csv")


def test_a_link_to_a_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("context,target\na,b\n")
    (tmp_path / "a.csv").symlink_to("data")
    assert len(read_rows(tmp_path / "a.csv")) == 1


def written(folder: Path, name: str, rows: int) -> Path:
    path = folder / name
    if name.endswith(".csv"):
        path.write_text("context,target\n" + "some text,up\n" * rows)
    elif name.endswith(".jsonl"):
        path.write_text('{"context": "some text", "target": "up"}\n' * rows)
    else:
        import pyarrow as pa
        from pyarrow import parquet

        parquet.write_table(pa.table({"context": ["some text"] * rows, "target": ["up"] * rows}), path)
    return path


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.parquet"])
def test_a_row_more_than_the_limit_is_refused(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "MAX_ROWS", 50)
    assert len(read_rows(written(tmp_path, name, 50))) == 50
    assert "at most 50 are read" in refusal(written(tmp_path, name, 51)).problem


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.parquet"])
def test_more_text_than_the_limit_is_refused(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, name, 50)
    monkeypatch.setattr(bounds, "MAX_TEXT", 520)
    assert "characters, the most that are read" in refusal(path).problem


def test_a_small_machine_reads_less(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "memory_bytes", lambda: 2**30)
    assert bounds.max_rows() < bounds.MAX_ROWS
    assert bounds.max_text() < bounds.MAX_TEXT
    monkeypatch.setattr(environment, "memory_bytes", lambda: 2**40)
    assert (bounds.max_rows(), bounds.max_text()) == (bounds.MAX_ROWS, bounds.MAX_TEXT)


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv"])
def test_a_cell_of_fifty_million_characters_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    cell = "x" * 50_000_000
    path.write_text(f"context,target\n{cell},up\n" if name == "a.csv" else f'{{"context": "{cell}", "target": "up"}}\n')
    error = refusal(path)
    assert "20,000,000" in error.problem
    assert error.where == f"{path}:{2 if name == 'a.csv' else 1}"


def test_a_line_without_an_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "MAX_LINE", 100)
    (tmp_path / "a.jsonl").write_text('{"context": "a"}\n' + " " * 100)
    error = refusal(tmp_path / "a.jsonl")
    assert "longer than 100 characters" in error.problem
    assert error.where.endswith(":2")


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.parquet"])
def test_the_progress_of_a_long_file_is_reported(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    reports: list[tuple[Path, int]] = []
    monkeypatch.setattr(bounds, "_watchers", [])
    monkeypatch.setattr(bounds, "STEP", 1000)
    bounds.watch(lambda path, rows: reports.append((path, rows // 1000)))
    path = written(tmp_path, name, 3500)
    read_rows(path)
    assert reports == [(path, 1), (path, 2), (path, 3)]


def test_a_published_json_file_is_bounded_and_has_each_name_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps([{"q": "a"}]))
    assert list(read_cells(path)) == [{"q": "a"}]
    path.write_text('[{"q": "a", "q": "b"}]')
    with pytest.raises(HarnessError, match="'q' twice"):
        list(read_cells(path))
    monkeypatch.setattr(bounds, "MAX_TEXT", 10)
    with pytest.raises(HarnessError, match="longer than 10 bytes"):
        list(read_cells(path))
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(HarnessError, match="pipe"):
        list(read_cells(path))
