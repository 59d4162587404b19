"""The files of a new task, which runs at once and is meant to be rewritten line by line."""

from __future__ import annotations

import json

_TASK = '''"""Say what the questions are, where they come from, and what one group is."""

from collections.abc import Iterator
from pathlib import Path

from harness import Example, Source, Split, Task, metrics, prompts, read_jsonl


def load(folder: Path, split: Split) -> Iterator[Example]:
    """Read one split; questions about the same document share a group."""
    for row in read_jsonl(folder / f"{split}.jsonl"):
        yield Example(
            id=row["id"],
            question=row["question"],
            choices=tuple(row["choices"]),
            target=row["answer"],
            group=row["group"],
        )


TASK = Task(
    name="NAME",
    version=1,  # raise it whenever the examples or the prompt change: old and new results are then kept apart
    title="one line for tables",
    source=Source("data/NAME", license="say which"),
    load=load,
    prompt=prompts.multiple_choice,
    metrics=(metrics.acc_norm, metrics.acc),
)
'''

_ITEMS = (
    ("the premium rises", "a claim was paid last year"),
    ("the premium falls", "five years passed without a claim"),
    ("the premium stays", "nothing has changed"),
)


def files(name: str) -> dict[str, str]:
    """Return the task and its three splits as texts by path, relative to the tasks folder."""
    texts = {f"{name}.py": _TASK.replace("NAME", name)}
    for index, (split, count) in enumerate((("train", 12), ("validation", 3), ("test", 6))):
        texts[f"data/{name}/{split}.jsonl"] = "".join(_row(split, number, index) for number in range(count))
    return texts


def _row(split: str, number: int, split_index: int) -> str:
    answer, reason = _ITEMS[number % len(_ITEMS)]
    row = {
        "id": f"{split}-{number}",
        "question": f"Policy {100 * (split_index + 1) + number}: {reason}. What happens?",
        "choices": [option for option, _ in _ITEMS],
        "answer": answer,
        "group": f"{split} policy {number}",
    }
    return json.dumps(row, ensure_ascii=False) + "\n"
