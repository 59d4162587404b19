"""Exams in the style of levels I, II and III over ten topic areas; the questions of a vignette share a case.

Every question has three options. The prompt does not list them: each is scored as what could follow the question, the
cloze form, which small models can do while choosing from a list is beyond them (OLMES, Gu et al. 2024,
arXiv:2406.08446). `cfa_listed` asks the same questions with the options listed. Wording, cases and numbers are the
project's own and made by `data/cfa/make.py`; no exam body has written, reviewed or endorsed them.
"""

from collections.abc import Iterator
from pathlib import Path

from harness import Example, Source, Split, Task, metrics, prompts, read_jsonl


def load(folder: Path, split: Split) -> Iterator[Example]:
    """Yield the questions of one split; the group is the vignette, empty for the single questions of level I."""
    for row in read_jsonl(folder / f"{split}.jsonl"):
        yield Example(
            id=row["id"],
            question=row["question"],
            target=row["answer"],
            choices=tuple(row["options"]),
            group=row["vignette"],
            context=row["context"],
            slices={key: row[key] for key in ("level", "topic", "kind")},
        )


TASK = Task(
    name="cfa",
    version=2,
    title="CFA-style exams, levels I–III",
    source=Source(
        "data/cfa", sha256="e4f7cba0f952bd42555a01bf43d964c2e20863df0084ed20042cca28fe3ecdc6", license="CC-BY-4.0"
    ),
    load=load,
    prompt=prompts.question_answer,
    metrics=(metrics.accuracy,),
    scoring="choices",
    epochs=8.0,
    group_name="vignette",
)
