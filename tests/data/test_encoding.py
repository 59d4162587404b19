"""Data files that are not UTF-8: the mark at their beginning is obeyed, `--encoding` names others, and nothing is guessed unseen."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.data import raw
from harness.data.readers import read_rows
from harness.errors import HarnessError

NOTES = ("Größere Schäden am Dach", "Überschwemmung im Keller", "Café brûlé, 20 € Selbstbehalt")


def table(encoding: str, name: str = "a.csv") -> bytes:
    rows = [{"context": note, "target": "gedeckt"} for note in NOTES]
    if name.endswith(".jsonl"):
        return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode(encoding)
    return ("context;target\r\n" + "".join(f"{note};gedeckt\r\n" for note in NOTES)).encode(encoding)


def written(folder: Path, content: bytes, name: str = "a.csv") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def refusal(path: Path, encoding: str = "") -> HarnessError:
    with pytest.raises(HarnessError) as caught:
        read_rows(path, encoding=encoding)
    return caught.value


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_a_file_is_read_by_its_mark(tmp_path: Path, name: str, encoding: str) -> None:
    rows = read_rows(written(tmp_path, table(encoding, name), name))
    assert [row.cells["context"] for row in rows] == list(NOTES)
    assert list(rows[0].cells) == ["context", "target"]


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
@pytest.mark.parametrize("encoding", ["cp1252", "utf-16-le", "utf-16-be", "utf-8-sig", "utf-16"])
def test_a_named_encoding_is_read(tmp_path: Path, name: str, encoding: str) -> None:
    rows = read_rows(written(tmp_path, table(encoding, name), name), encoding=encoding)
    assert [row.cells["context"] for row in rows] == list(NOTES)
    assert list(rows[0].cells) == ["context", "target"]


@pytest.mark.parametrize("encoding", ["cp1252", "cp850", "mac-roman"])
def test_the_error_names_byte_line_and_the_likely_encoding_with_the_word_as_it_would_be_read(
    tmp_path: Path, encoding: str
) -> None:
    text = "context;target\nburst pipe;yes\nGrößere Schäden;no\nÜber;no\n"
    error = refusal(path := written(tmp_path, text.encode(encoding)))
    byte = "ö".encode(encoding)[0]
    assert error.problem == f"the file is not UTF-8: byte 0x{byte:02x} at offset {text.index('ö')}"
    assert error.where == f"{path}:3"
    assert f"--encoding {encoding}, if 'Größere' in that line is right" in error.fix


def test_a_byte_that_the_named_encoding_lacks_is_named_with_its_line(tmp_path: Path) -> None:
    path = written(tmp_path, "context,target\nfür,ja\nx".encode("cp1252") + b"\x81,nein\n")
    error = refusal(path, "cp1252")
    assert error.problem == "the file is not CP1252: byte 0x81 at offset 23"
    assert error.where == f"{path}:3"


def test_the_line_of_a_half_character_in_a_wide_encoding_is_its_own(tmp_path: Path) -> None:
    path = written(tmp_path, "context,target\na,b\nc,".encode("utf-16-le") + b"\x00\xd8a\x00", "a.csv")
    error = refusal(path, "utf-16-le")
    assert error.where == f"{path}:3"
    assert "not UTF-16-LE" in error.problem


def test_utf8_is_never_read_as_another_encoding(tmp_path: Path) -> None:
    error = refusal(written(tmp_path, table("utf-8")), "cp1252")
    assert error.problem == "the file is UTF-8, and cp1252 would read 'Größere' as 'GrÃ¶ÃŸere'"
    assert read_rows(written(tmp_path, b"context,target\na,b\n"), encoding="cp1252")[0].cells["context"] == "a"


def test_a_mark_and_another_named_encoding_contradict(tmp_path: Path) -> None:
    assert "begins with the mark of UTF-16" in refusal(written(tmp_path, table("utf-16")), "cp1252").problem
    assert "begins with the mark of UTF-8" in refusal(written(tmp_path, table("utf-8-sig")), "utf-16").problem


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_wide_text_without_a_mark_is_recognised_and_not_read_unasked(tmp_path: Path, encoding: str, name: str) -> None:
    error = refusal(written(tmp_path, table(encoding, name), name))
    assert "every second byte is zero" in error.problem
    assert error.fix == f"--encoding {encoding}"


def test_names_of_encodings_are_those_of_python_and_only_those_of_files() -> None:
    assert raw.text_encoding("Windows-1252") == raw.text_encoding("CP1252") == "cp1252"
    for name in ("base64", "idna", "unicode_escape", "cp1525", "undefined"):
        with pytest.raises(LookupError):
            raw.text_encoding(name)


def test_a_parquet_file_has_no_encoding(tmp_path: Path) -> None:
    assert "--encoding" in refusal(written(tmp_path, b"PAR1", "a.parquet"), "cp1252").fix
