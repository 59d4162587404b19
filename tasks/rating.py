"""Insurance rating: premiums by relativities, earned premium, credibility, deductibles, limits, expense loading, trend.

Each question has its own facts about several policies, classes or coverages. The options, which the prompt does not show, are
the right results of other questions about the same facts and a usual mistake, made by `data/rating/make.py`. All are invented.
"""

from collections.abc import Iterator
from pathlib import Path

from harness import Example, Source, Split, Task, metrics, prompts, read_jsonl


def load(folder: Path, split: Split) -> Iterator[Example]:
    """Yield the questions of one split."""
    for row in read_jsonl(folder / f"{split}.jsonl"):
        yield Example(
            row["id"], row["question"], row["answer"], tuple(row["options"]), "", row["context"], {"kind": row["kind"]}
        )


TASK = Task(
    name="rating",
    version=2,
    title="Insurance rating: premium, credibility, limits, trend",
    source=Source(
        "data/rating", sha256="389267048001b7d99610c7fc4e7b9afc8f428b36d034cf938871c6a83244d006", license="CC-BY-4.0"
    ),
    load=load,
    prompt=prompts.question_answer,
    metrics=(metrics.acc_norm, metrics.acc),
    epochs=8.0,
    suites=("insurance",),
)
