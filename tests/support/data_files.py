"""Data files written for the tests of the path without code."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from harness.data.file_task import file_task
from harness.data.loading import load_splits
from harness.errors import HarnessError

Row = dict[str, Any]


def written(folder: Path, rows: Sequence[Row], name: str = "mine.jsonl") -> Path:
    path = folder / name
    if name.endswith(".csv"):
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
        path.write_bytes(text.getvalue().encode())
    elif name.endswith(".parquet"):
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.Table.from_pylist(list(rows)), path)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def labelled(count: int = 30) -> list[Row]:
    return [{"context": f"Text {i}\nAnswer: ", "target": ("down", "up", "flat")[i % 3]} for i in range(count)]


def asked(count: int = 30) -> list[Row]:
    return [
        {
            "question": f"Q{i}?",
            "choices": [f"a{i}", f"b{i}", f"c{i}"],
            "answer": f"{'abc'[i % 3]}{i}",
            "group": f"g{i // 2}",
        }
        for i in range(count)
    ]


def refusal(folder: Path, rows: Sequence[Row], name: str = "mine.jsonl", **options: Any) -> HarnessError:
    path = written(folder, rows, name)
    with pytest.raises(HarnessError) as caught:
        load_splits(file_task(path, **options))
    assert caught.value.fix
    assert str(path) in caught.value.where
    return caught.value
