"""The files of a task whose rows a script computes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path


def write(folder: Path, splits: Iterable[str], build: Callable[[str], Iterable[Mapping[str, object]]]) -> None:
    """Write a file of lines for each split into the folder; `build` returns the rows of a split."""
    for split in splits:
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in build(split))
        (folder / f"{split}.jsonl").write_bytes(text.encode())
