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

_CHANGES = (  # in words, and as a factor of the amount
    ("A claim was paid last year, which raises it by", 1),
    ("Five years without a claim lower it by", -1),
    ("The broker waives this year's surcharge of", 0),
)
_SIZES = (("train", 24), ("validation", 6), ("test", 12))


def files(name: str) -> dict[str, str]:
    """Return the task and its three splits as texts by path, relative to the tasks folder."""
    texts, policy = {f"{name}.py": _TASK.replace("NAME", name)}, 0
    for split, count in _SIZES:
        texts[f"data/{name}/{split}.jsonl"] = "".join(_row(split, policy + number) for number in range(count))
        policy += count
    return texts


def _row(split: str, policy: int) -> str:
    """Return a line of a split; the premiums of no two policies are alike."""
    reason, factor = _CHANGES[policy % len(_CHANGES)]
    premium, amount = 311 + 37 * policy, 11 + policy
    new = premium + factor * amount
    options = sorted({premium - amount, premium, premium + amount}, key=lambda option: (option * 7 + policy) % 5)
    row = {
        "id": f"{split}-{policy}",
        "question": f"Policy {policy} costs {premium} a year. {reason} {amount}. What does policy {policy} cost then?",
        "choices": [f"{option} a year" for option in options],
        "answer": f"{new} a year",
        "group": f"policy {policy}",
    }
    return json.dumps(row, ensure_ascii=False) + "\n"
