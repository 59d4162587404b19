"""Loss reserving: read a triangle, and find a factor, an ultimate loss or an unreported loss by the method asked for.

Methods: chain ladder, expected loss ratio, Bornhuetter-Ferguson. The options, which the prompt does not show, are the right
results of like questions and a usual mistake, made by `data/reserving/make.py`; the questions of a triangle share a group.
Losses, premiums and insurers are invented.
"""

from collections.abc import Iterator
from pathlib import Path

from harness import Example, Source, Split, Task, metrics, prompts, read_jsonl


def load(folder: Path, split: Split) -> Iterator[Example]:
    """Yield the questions of one split; the group is the triangle."""
    for row in read_jsonl(folder / f"{split}.jsonl"):
        slices = {key: row[key] for key in ("method", "kind", "steps")}
        yield Example(
            row["id"], row["question"], row["answer"], tuple(row["options"]), row["file"], row["context"], slices
        )


TASK = Task(
    name="reserving",
    version=2,
    title="Loss reserving: chain ladder, expected loss ratio, Bornhuetter-Ferguson",
    source=Source(
        "data/reserving", sha256="74709e9383152f0d24d3ca97a38ec4d856addc0452385ee6c4ef10f63859066c", license="CC-BY-4.0"
    ),
    load=load,
    prompt=prompts.question_answer,
    metrics=(metrics.acc_norm, metrics.acc),
    epochs=8.0,
    group_name="triangle",
    suites=("insurance",),
)
