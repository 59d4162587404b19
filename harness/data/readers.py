"""Rows of JSONL, CSV and Parquet files, each with its line.

JSONL is read here line by line, CSV in `csv_file`, Parquet in `parquet_file`. Only regular files are read, and only as
much as `bounds` allows.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from io import TextIOWrapper
from pathlib import Path
from typing import Any

from harness.data import bounds
from harness.data.csv_file import csv_rows
from harness.data.intake.faults import Refuse, at_once
from harness.data.parquet_file import parquet_rows
from harness.data.raw import Row as Row
from harness.data.raw import cut_off, open_text, refuse_encoding, unreadable
from harness.errors import HarnessError, did_you_mean

SUFFIXES = (".jsonl", ".csv", ".parquet")


class _NameTwice(ValueError):
    """A name that an object has twice."""

    def __str__(self) -> str:
        return f"an object has the name {self.args[0]!r} twice"


def read_rows(path: Path | str, *, class_names: bool = True, refuse: Refuse = at_once, encoding: str = "") -> list[Row]:
    """Return all rows of a data file; its extension tells the format.

    Args:
        path: the file.
        class_names: whether class numbers of a Parquet file become the names in its metadata.
        refuse: takes the error of a row of JSONL or CSV that cannot be read, and its line; the next row follows.
        encoding: of the text of JSONL and CSV; empty for that of its mark, or UTF-8.

    Raises:
        HarnessError: missing, no regular file, an unknown extension, empty, too large, or damaged, with the line.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if path.is_dir():
        fix = "name one .jsonl, .csv or .parquet file in it; the test may be a second one: --test-data FILE"
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
    if suffix == ".csv":
        return csv_rows(path, refuse, encoding)
    if suffix == ".parquet":
        if encoding:
            problem = f"a Parquet file has no encoding of its own, and {encoding} is named"
            raise HarnessError(problem, where=str(path), fix="leave --encoding out")
        return parquet_rows(path, class_names=class_names)
    return [Row(number, f"{path}:{number}", cells) for number, cells in numbered_jsonl(path, refuse, encoding)]


def read_jsonl(path: Path | str) -> Iterator[dict[str, Any]]:
    """Yield one object per line; blank lines are skipped.

    Raises:
        HarnessError: with the line: no such file, empty, not UTF-8, cut off in the middle of a line, not JSON, not an
            object, a name twice, or too large.
    """
    for _, row in numbered_jsonl(Path(path), encoding="utf-8"):
        yield row


def numbered_jsonl(path: Path, refuse: Refuse = at_once, encoding: str = "") -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (line number from 1, object); errors as `read_jsonl`, those of a line as `refuse` takes them."""
    empty = True
    try:
        with open_text(path, encoding, newline="\n") as text:
            for number, where, line in _lines(path, text):
                empty = False
                try:
                    cells = _object(line, where)
                except HarnessError as error:
                    if not line.endswith("\n"):
                        raise  # the file was cut off, or may have been
                    refuse(error, number)
                    continue
                yield number, cells
    except UnicodeDecodeError:
        refuse_encoding(path, encoding)
        raise
    except OSError as error:
        raise unreadable(path, error) from error
    if empty:
        raise HarnessError("the data file is empty", where=str(path), fix="write one JSON object per line")


def _lines(path: Path, text: TextIOWrapper) -> Iterator[tuple[int, str, str]]:
    """Yield (number from 1, place, line) of the lines that are not blank; too long a line or too much text is an error."""
    number, tally = 0, bounds.Tally(path)
    while line := text.readline(bounds.MAX_LINE):
        number += 1
        where = f"{path}:{number}"
        if len(line) == bounds.MAX_LINE and not line.endswith("\n"):
            problem = f"this line is longer than {bounds.MAX_LINE:,} characters, the most that are read"
            raise HarnessError(problem, where=where, fix="write one JSON object per line")
        line = line.removeprefix("\ufeff") if number == 1 else line
        if line.strip():
            tally.add(where, len(line))
            yield number, where, line


def load_json(text: str) -> Any:
    """Return the value of a JSON text.

    Raises:
        ValueError: not JSON, or an object has a name twice.
    """
    return json.loads(text, object_pairs_hook=_members)


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        (name, _), *_ = Counter(name for name, _ in pairs).most_common(1)
        raise _NameTwice(name)
    return members


def _object(line: str, where: str) -> dict[str, Any]:
    try:
        value = load_json(line)
        if "\\ud" in line.lower():  # half of a character, escaped alone, is valid JSON that no tokenizer can encode
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError as error:
        fix = "write the character itself instead of its escape"
        raise HarnessError("the text holds one half of a surrogate pair", where=where, fix=fix) from error
    except _NameTwice as error:
        raise HarnessError(
            f"this object has the name {error.args[0]!r} twice", where=where, fix="rename one of them"
        ) from None
    except (ValueError, RecursionError) as error:
        if not line.endswith("\n"):
            raise cut_off(where) from error
        raise HarnessError(
            f"this line is not JSON: {error}", where=where, fix="write one JSON object per line"
        ) from error
    if not isinstance(value, dict):
        kind = {list: "list", str: "text", type(None): "null", bool: "true/false"}.get(type(value), "number")
        fix = 'write {"column": value, ...}'
        raise HarnessError(f"this line is not an object but a {kind}", where=where, fix=fix)
    for name, cell in value.items():
        if isinstance(cell, str):
            bounds.refuse_cell(len(cell), name, where)
    return value
