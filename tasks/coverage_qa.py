"""Name the clause of a policy that a rule belongs to: each sentence of a policy wording, twelve headings to choose from.

Source: the policy clauses of the GCC Insurance Intelligence Lab's synthetic sets (MIT). Each sentence of a clause's
text is a question, its clause's heading the answer; sentences of a clause are in training and test alike, because the
clauses are the classes. It is a small task, of some sixty sentences: intervals are wide. No sentence is dropped.
"""

import re
from pathlib import Path

from harness import Example, HarnessError, Source, Split, Task, deal, metrics, prompts

FILE = "policy_clauses_snippets.txt"
CLAUSE = re.compile(r"CLAUSE ([0-9]+): (.+)\n(.+)")


def load(folder: Path, split: Split) -> list[Example]:
    """Return one split of the sentences."""
    path = folder / FILE
    clauses = CLAUSE.findall(path.read_text(encoding="utf-8"))
    headings = tuple(f"clause {number}, {heading.strip().lower()}" for number, heading, _ in clauses)
    if len(headings) < 2:
        raise HarnessError("no clauses in this file", where=str(path), fix="fetch it again at the pinned revision")
    asked = f"Which clause of the policy does this rule belong to: {'; '.join(headings)}?"
    examples = [
        Example(f"clause-{number}-{place}", asked, heading, headings, context=sentence)
        for (number, _, text), heading in zip(clauses, headings, strict=True)
        for place, sentence in enumerate(re.split(r"(?<=\.)\s+", text.strip()), start=1)
    ]
    return deal(examples, split)


def source(*names: str) -> Source:
    """Return where files of these sets come from."""
    return Source(
        uri="github:gcc-insurance-intelligence-lab/insurance-datasets-synthetic",
        revision="1d90f4208af7a9820c011b8446a2c9b0e77a3ee1",
        license="MIT",
        citation="GCC Insurance Intelligence Lab, synthetic insurance data sets",
        files=tuple(f"data/{name}" for name in names),
        folder="gcc_insurance_synthetic",
    )


TASK = Task(
    name="coverage_qa",
    version=1,
    title="Coverage: which clause a rule belongs to",
    source=source(FILE),
    load=load,
    prompt=prompts.question_answer,
    metrics=(metrics.accuracy, metrics.macro_f1),
)
