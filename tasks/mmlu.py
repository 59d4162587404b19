"""MMLU: general knowledge by subject, answered with a letter, in the form of published numbers.

Protocol: lm-evaluation-harness 0.4.13, group `mmlu` (version 1.0 of its subjects): the line "The following are multiple
choice questions (with answers) about …", the question, the options behind "A." to "D.", "Answer:", and the letters are
scored; the headline is `acc`. Published numbers are mostly 5-shot with the source's five questions, here the validation
split; this prompt is zero-shot. `mmlu_cloze` scores the options' texts instead.

Differences: the score is the mean over all questions, as there, but repeated questions and questions with two equal
options are omitted; several blanks in an option become one.

The test is the source's; its validation questions serve as training and its few-shot ones as validation, so that a
subject has only some ten to forty training questions. The `auxiliary_train` set is not used. A local copy has `test/`,
`val/` and `dev/` with one CSV a subject and no header. The copy of 2020-09-08 differs by some rows from the hub's and
repeats a few questions.
"""

import csv
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from harness import Example, Source, Split, Task, metrics, prompts, published

LETTERS = ("A", "B", "C", "D")
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
            yield {"question": question, "choices": choices, "answer": LETTERS.index(letter), "subject": subject}


def options(cells: published.Cells) -> tuple[str, ...]:
    """Return a row's options, each on one line."""
    return tuple(" ".join(choice.split()) for choice in cells["choices"])


def example(cells: published.Cells, id: str) -> Example | str:
    """Return a question that shows its options and is answered with a letter, or the reason to omit it."""
    texts, subject = options(cells), cells["subject"].replace("_", " ")
    if len(set(map(metrics.fold, texts))) < len(texts):
        return "options the same"
    return Example(
        id,
        prompts.lettered(cells["question"], texts),
        LETTERS[cells["answer"]],
        LETTERS[: len(texts)],
        slices={"subject": subject},
    )


def prompt(example: Example) -> str:
    """Return the prompt: a line with the subject, the question with its options, and the cue."""
    subject = example.slices["subject"]
    heading = f"The following are multiple choice questions (with answers) about {subject}."
    return f"{heading}\n\n{example.question}\nAnswer:"


TASK = Task(
    name="mmlu",
    version=2,
    title="MMLU: general knowledge by subject",
    source=Source(
        "hf:cais/mmlu",
        revision="c30699e8356da336a370243923dbaf21066bb9fe",
        license="MIT",
        citation="Hendrycks et al. 2021, Measuring Massive Multitask Language Understanding, arXiv:2009.03300",
        files=published.patterns(files()),
    ),
    load=published.Load(files(), example, read),
    prompt=prompt,
    metrics=(metrics.acc, metrics.acc_norm),
    suites=("general",),
)


def subject(name: str, title: str) -> Task:
    """Return the task of one subject, under the source's name."""
    source = replace(TASK.source, files=published.patterns(files(name)))
    return replace(TASK, name=name, title=title, source=source, load=published.Load(files(name), example, read))
