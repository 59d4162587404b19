"""MMLU: four options on general knowledge, by subject. A suite for measuring what fine-tuning on another task forgets.

The test is the source's; its validation questions serve as training and its few-shot ones as validation, so that a
subject has only some ten to forty training questions. The `auxiliary_train` set is not used. A local copy has `test/`,
`val/` and `dev/` with one CSV a subject and no header. The copy of 2020-09-08 differs by some rows from the hub's and
repeats a few questions. Repeated questions and questions with two equal options are omitted.
"""

import csv
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from harness import Example, Source, Split, Task, metrics, prompts, published

_FOLDERS: dict[Split, tuple[str, str]] = {
    "train": ("validation", "val"),
    "validation": ("dev", "dev"),
    "test": ("test", "test"),
}


def files(subject: str = "") -> published.Files:
    """Return the files of one subject, or of all."""
    return {
        split: (f"{subject or 'all'}/{name}-*.parquet", f"{folder}/{subject or '*'}_{folder}.csv")
        for split, (name, folder) in _FOLDERS.items()
    }


def read(path: Path) -> Iterator[published.Cells]:
    """Yield a file's rows with the hub's columns; a CSV's subject is in its name, its answer a letter."""
    if path.suffix != ".csv":
        yield from published.read_cells(path)
        return
    with path.open(encoding="utf-8", newline="") as file:
        for question, *choices, letter in csv.reader(file):
            subject, _, _ = path.stem.rpartition("_")
            yield {"question": question, "choices": choices, "answer": "ABCD".index(letter), "subject": subject}


def example(cells: published.Cells, id: str) -> Example:
    """Return a question with its options, each on one line."""
    choices = tuple(" ".join(choice.split()) for choice in cells["choices"])
    subject = cells["subject"].replace("_", " ")
    return Example(id, cells["question"].strip(), choices[cells["answer"]], choices, slices={"subject": subject})


TASK = Task(
    name="mmlu",
    version=1,
    title="MMLU: general knowledge by subject",
    source=Source(
        "hf:cais/mmlu",
        revision="c30699e8356da336a370243923dbaf21066bb9fe",
        license="MIT",
        citation="Hendrycks et al. 2021, Measuring Massive Multitask Language Understanding, arXiv:2009.03300",
        files=published.patterns(files()),
    ),
    load=published.Load(files(), example, read),
    prompt=prompts.multiple_choice,
    metrics=(metrics.accuracy,),
)


def subject(name: str, title: str) -> Task:
    """Return the task of one subject, under the source's name."""
    source = replace(TASK.source, files=published.patterns(files(name)))
    return replace(TASK, name=name, title=title, source=source, load=published.Load(files(name), example, read))
