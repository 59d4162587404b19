"""Files of answers as rows, for tests that plant something in them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from harness.store import answer_files

Row = dict[str, Any]


def rows(path: Path) -> list[Row]:
    """Return the rows of a file of answers, packed or loose."""
    return [json.loads(line) for line in answer_files.read_bytes(path.parent, path.name).decode().split("\n") if line]


def write_text(path: Path, text: str) -> None:
    """Write lines in the form that the file's name asks for."""
    path.write_bytes(answer_files.pack(text.encode()) if path.suffix == answer_files.SUFFIX else text.encode())


def write_rows(path: Path, content: Iterable[Row]) -> None:
    """Write rows in the form that the file's name asks for."""
    write_text(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in content))


def change(path: Path, edit: Callable[[list[Row]], object]) -> None:
    """Change a file of answers in place."""
    content = rows(path)
    edit(content)
    write_rows(path, content)


def replace_text(path: Path, old: str, new: str, count: int = -1) -> None:
    """Replace a text in a file of answers."""
    text = answer_files.read_bytes(path.parent, path.name).decode()
    assert old in text
    write_text(path, text.replace(old, new, count))


def with_schema(text: str, version: int) -> str:
    """Return a record's text with another schema version."""
    return json.dumps(json.loads(text) | {"schema": version}, indent=1, ensure_ascii=False) + "\n"


def unpack_all(folder: Path) -> None:
    """Replace all packed files of answers below a folder by their lines, uncompressed."""
    for packed in sorted(folder.rglob(f"*{answer_files.SUFFIX}")):
        if answer_files.is_answers(packed.name):
            packed.with_name(packed.name.removesuffix(answer_files.SUFFIX)).write_bytes(
                answer_files.unpack(packed.read_bytes())
            )
            packed.unlink()
