"""Rows of JSONL, CSV and Parquet files, each with its line.

JSONL and CSV are read here line by line, because an error has to name the line, and because every cell must keep the
text of the file (a type-guessing reader turns "007" into 7). Parquet, which has types, is read by `datasets`.
"""

from __future__ import annotations

import csv
import io
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import HarnessError, did_you_mean

SUFFIXES = (".jsonl", ".csv", ".parquet")


@dataclass(frozen=True)
class Row:
    """The cells of a row, its line (JSONL, CSV) or number (Parquet) from 1, and its location for error messages."""

    number: int
    location: str
    cells: Mapping[str, Any]


def read_rows(path: Path | str) -> list[Row]:
    """Return all rows of a data file; its extension tells the format.

    Raises:
        HarnessError: missing, a folder, an unknown extension, empty, or damaged, with the line.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if path.is_dir():
        fix = "name one .jsonl, .csv or .parquet file in it"
        raise HarnessError("this is a folder, not a data file", where=str(path), fix=fix)
    if suffix not in SUFFIXES:
        fix = "use .jsonl (one JSON object per line), .csv or .parquet"
        if suffix == ".py":
            fix = f"for a task in Python: --tasks-dir {path.parent} --task {path.stem}"
        raise HarnessError(f"unknown data file extension {path.suffix!r}", where=str(path), fix=fix)
    if not path.exists():
        siblings = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
        raise HarnessError(
            "no such data file", where=str(path), fix=did_you_mean(path.name, siblings) or "check the path"
        )
    if suffix == ".jsonl":
        return [Row(number, f"{path}:{number}", cells) for number, cells in numbered_jsonl(path)]
    raw = _bytes(path)
    return _csv_rows(path, raw) if suffix == ".csv" else _parquet_rows(path, raw)


def read_jsonl(path: Path | str) -> Iterator[dict[str, Any]]:
    """Yield one object per line; blank lines are skipped.

    Raises:
        HarnessError: with the line: no such file, empty, not UTF-8, cut off in the middle of a line, not JSON, not an
            object.
    """
    for _, row in numbered_jsonl(Path(path)):
        yield row


def numbered_jsonl(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (line number from 1, object); errors as `read_jsonl`."""
    empty, offset = True, 0
    try:
        with path.open("rb") as file:
            for number, raw in enumerate(file, start=1):
                line = decode(raw, path, line=number, offset=offset)
                offset += len(raw)
                line = line.removeprefix("\ufeff") if number == 1 else line
                if line.strip():
                    empty = False
                    yield number, _object(line, f"{path}:{number}")
    except OSError as error:
        raise _unreadable(path, error) from error
    if empty:
        raise HarnessError("the data file is empty", where=str(path), fix="write one JSON object per line")


def _object(line: str, where: str) -> dict[str, Any]:
    try:
        value = json.loads(line)
        if "\\ud" in line.lower():  # half of a character, escaped alone, is valid JSON that no tokenizer can encode
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError as error:
        fix = "write the character itself instead of its escape"
        raise HarnessError("the text holds one half of a surrogate pair", where=where, fix=fix) from error
    except (ValueError, RecursionError) as error:
        if not line.endswith("\n"):
            raise _cut_off(where) from error
        raise HarnessError(
            f"this line is not JSON: {error}", where=where, fix="write one JSON object per line"
        ) from error
    if not isinstance(value, dict):
        kind = {list: "list", str: "text", type(None): "null", bool: "true/false"}.get(type(value), "number")
        fix = 'write {"column": value, ...}'
        raise HarnessError(f"this line is not an object but a {kind}", where=where, fix=fix)
    return value


def decode(raw: bytes, path: Path, *, line: int = 1, offset: int = 0) -> str:
    """Return bytes as text.

    Args:
        raw: the bytes.
        path: their file, for the error.
        line: their first line, from 1.
        offset: of their first byte in the file, from 0.

    Raises:
        HarnessError: not UTF-8, with the line and the offset of the first wrong byte.
    """
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line += raw.count(b"\n", 0, error.start)
        raise HarnessError(
            f"the file is not UTF-8: byte 0x{raw[error.start]:02x} at offset {offset + error.start}",
            where=f"{path}:{line}",
            fix=f"convert it, e.g. iconv -f WINDOWS-1252 -t UTF-8 {path.name} > utf8-{path.name}",
        ) from error


def _bytes(path: Path) -> bytes:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from error
    if not raw.strip():
        raise HarnessError("the data file is empty", where=str(path), fix="give it a header and rows")
    return raw


def _unreadable(path: Path, error: OSError) -> HarnessError:
    problem = f"the data file cannot be read: {error.strerror}"
    return HarnessError(problem, where=str(path), fix="check the path and its permissions")


def _cut_off(where: str) -> HarnessError:
    problem = "the file ends in the middle of a line: it was cut off"
    return HarnessError(problem, where=where, fix="copy or download it again, or delete the last line")


def _csv_rows(path: Path, raw: bytes) -> list[Row]:
    text = decode(raw, path).removeprefix("\ufeff")
    records = _csv_records(path, text)
    if not records:
        raise HarnessError("the data file is empty", where=str(path), fix="give it a header and rows")
    header = _csv_header(path, records[0][1])
    rows = []
    for line, fields in records[1:]:
        if len(fields) != len(header):
            if line == records[-1][0] and len(fields) < len(header) and not text.endswith(("\n", "\r")):
                raise _cut_off(f"{path}:{line}")
            problem = f"this row has {len(fields)} fields, the header has {len(header)}"
            fix = 'put fields that hold a comma into double quotes, e.g. "1,200"'
            raise HarnessError(problem, where=f"{path}:{line}", fix=fix)
        rows.append(Row(line, f"{path}:{line}", dict(zip(header, fields, strict=True))))
    if not rows:
        raise HarnessError("the data file is empty: a header and no rows", where=str(path), fix="add rows")
    return rows


def _csv_records(path: Path, text: str) -> list[tuple[int, list[str]]]:
    """Return (first line, fields) of each record that is not blank."""
    limit = csv.field_size_limit(min(sys.maxsize, 2**31 - 1))  # the default of 128 KiB is less than a filing
    records, start = [], 1
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        for fields in reader:
            if fields:
                records.append((start, fields))
            start = reader.line_num + 1
    except csv.Error as error:
        if "unexpected end of data" in str(error):
            raise _cut_off(f"{path}:{start}") from error
        fix = 'inside quotes, write a quote twice: ""'
        raise HarnessError(f"this line is not CSV: {error}", where=f"{path}:{start}", fix=fix) from error
    finally:
        csv.field_size_limit(limit)
    return records


def _csv_header(path: Path, fields: list[str]) -> list[str]:
    header = [field.strip() for field in fields]
    if len(header) == 1 and any(mark in header[0] for mark in ";\t|"):
        fix = "export the file again with commas"
        raise HarnessError("the fields are not separated by commas", where=f"{path}:1", fix=fix)
    duplicate = next((name for name in header if header.count(name) > 1), None)
    if duplicate is not None:
        raise HarnessError(f"two columns are named {duplicate!r}", where=f"{path}:1", fix="rename one of them")
    return header


def _parquet_rows(path: Path, raw: bytes) -> list[Row]:
    magic = b"PAR1"
    if not raw.startswith(magic):
        raise HarnessError("this is not a Parquet file", where=str(path), fix="check the extension")
    if len(raw) < 12 or not raw.endswith(magic):
        raise HarnessError("the Parquet file is cut off", where=str(path), fix="copy or download it again")
    import datasets
    from pyarrow import parquet

    datasets.disable_progress_bars()
    datasets.logging.set_verbosity(datasets.logging.CRITICAL)  # the error below says the same
    with tempfile.TemporaryDirectory() as cache:  # a cache of its own: nothing is left behind, nothing stale is read
        try:
            empty = parquet.read_metadata(path).num_rows == 0  # `datasets` cannot read an empty file
            cells = (
                [] if empty else list(datasets.Dataset.from_parquet(str(path), cache_dir=cache, keep_in_memory=True))
            )
        except Exception as error:  # pyarrow's and datasets' errors share no base class
            problem = f"the Parquet file is damaged: {error.__cause__ or error}"
            raise HarnessError(problem, where=str(path), fix="write it again") from error
    if not cells:
        raise HarnessError("the data file is empty: columns and no rows", where=str(path), fix="add rows")
    return [Row(number, f"{path}, row {number}", row) for number, row in enumerate(cells, start=1)]
