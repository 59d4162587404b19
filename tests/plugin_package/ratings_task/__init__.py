"""Credit ratings: is an issuer of this leverage and cover investment grade?"""

from collections.abc import Iterator
from pathlib import Path

from harness import Example, Source, Split, Task, metrics, prompts, read_jsonl

GRADES = ("investment grade", "speculative grade")


def load(folder: Path, split: Split) -> Iterator[Example]:
    """Yield one example per issuer and year; the group is the issuer."""
    for row in read_jsonl(folder / f"{split}.jsonl"):
        yield Example(
            row["id"], "Which grade?", GRADES[row["grade"]], GRADES, group=row["issuer"], context=row["figures"]
        )


TASK = Task(
    name="ratings",
    version=1,
    title="Investment or speculative grade",
    source=Source("data", license="CC-BY-4.0"),
    load=load,
    prompt=prompts.multiple_choice,
    metrics=(metrics.accuracy, metrics.macro_f1),
)
