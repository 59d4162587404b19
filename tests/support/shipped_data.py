"""The files of a task whose rows a script computes, for the tests of such tasks."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

from harness import SPLITS, Example, Task
from harness.data.loading import hash_folder

DATA = Path(__file__).parents[2] / "tasks" / "data"

Rows = dict[str, list[dict[str, Any]]]


def rows(name: str) -> Rows:
    """Return the shipped rows of a task by split."""
    texts = {split: (DATA / name / f"{split}.jsonl").read_text() for split in SPLITS}
    return {split: [json.loads(line) for line in text.splitlines()] for split, text in texts.items()}


def examples(task: Task) -> dict[str, list[Example]]:
    """Return the shipped examples of a task by split."""
    return {split: list(task.load(DATA / task.name, split)) for split in SPLITS}


def require_same_bytes(make: ModuleType, task: Task, folder: Path) -> None:
    """Raise an error unless the script of a task writes the shipped files again, which are those of the task's hash."""
    make.write(folder)
    for split in SPLITS:
        assert (folder / f"{split}.jsonl").read_bytes() == (DATA / task.name / f"{split}.jsonl").read_bytes()
    assert task.source.sha256 == hash_folder(DATA / task.name)
