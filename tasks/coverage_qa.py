"""Name the clause of a policy that a rule belongs to: each sentence of a policy wording, twelve headings to choose from.

Source: the policy clauses of the GCC Insurance Intelligence Lab's synthetic sets (MIT). Each sentence of a clause's text is
a question, the clause's heading is the answer. Sentences of a clause are both in training and test, because the clauses are
the classes. It is a small task, of some sixty sentences: intervals are wide. No sentence is dropped.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from harness import Example, Source, Task, metrics, prompts, published

FILES: published.Files = {"test": ("data/policy_clauses_snippets.txt",)}
CLAUSE = re.compile(r"CLAUSE ([0-9]+): (.+)\n(.+)")


def read(path: Path) -> Iterator[published.Cells]:
    """Yield each sentence of the clauses with its clause's heading, and all headings."""
    clauses = CLAUSE.findall(path.read_text(encoding="utf-8"))
    headings = tuple(f"clause {number}, {heading.strip().lower()}" for number, heading, _ in clauses)
    for heading, (_, _, text) in zip(headings, clauses, strict=True):
        for sentence in re.split(r"(?<=\.)\s+", text.strip()):
            yield {"sentence": sentence, "heading": heading, "headings": headings}


def example(cells: published.Cells, id: str) -> Example:
    """Return a sentence as an example."""
    question = f"Which clause of the policy does this rule belong to: {'; '.join(cells['headings'])}?"
    return Example(id, question, cells["heading"], cells["headings"], context=cells["sentence"])


def source(files: published.Files) -> Source:
    """Return the source of files of these sets."""
    return Source(
        uri="github:gcc-insurance-intelligence-lab/insurance-datasets-synthetic",
        revision="1d90f4208af7a9820c011b8446a2c9b0e77a3ee1",
        license="MIT",
        citation="GCC Insurance Intelligence Lab, synthetic insurance data sets",
        files=published.patterns(files),
        folder="gcc_insurance_synthetic",
    )


TASK = Task(
    name="coverage_qa",
    version=1,
    title="Coverage: which clause a rule belongs to",
    source=source(FILES),
    load=published.Load(FILES, example, read),
    prompt=prompts.question_answer,
    metrics=(metrics.acc, metrics.macro_f1, metrics.acc_norm),
    suites=("insurance",),
)
