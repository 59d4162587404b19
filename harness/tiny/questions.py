"""The held-out skills of `tiny` as a task, for `--probe general` before and after tuning. It needs no files.

The questions are those of `suite.py`, from the generators of `skills.py` with seeds that training never uses. The first are
the test split, those after it the other two splits, which a probe does not use. A right answer equals the target in every
letter. Nobody can guess it, so there is no chance level.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

from harness.metrics import exact_match
from harness.record import Split
from harness.schema import Example, Source, Task
from harness.tiny import skills

PER_SKILL: dict[Split, int] = {"test": 40, "validation": 5, "train": 20}  # questions a skill, in the order of sampling
NAME = "tiny_skills"


def load(folder: Path, split: Split) -> Iterator[Example]:
    """Yield a split's questions, skill by skill; no question occurs twice, within a split or between splits."""
    for skill, (make, _) in skills.SKILLS.items():
        rng, questions = random.Random(f"held out/{skill}"), dict[str, str]()
        while len(questions) < sum(PER_SKILL.values()):
            questions.setdefault(*make(rng)[0])
        before = sum(list(PER_SKILL.values())[: list(PER_SKILL).index(split)])
        for number, (prompt, answer) in enumerate(questions.items()):
            if before <= number < before + PER_SKILL[split]:
                yield Example(f"{skill}-{number}", prompt, answer, slices={"skill": skill})


def prompt(example: Example) -> str:
    """Return the question, which is already the complete prompt."""
    return example.question


TASK = Task(
    name=NAME,
    version=1,
    title="what tiny can do before it is tuned: its held-out skills",
    source=Source("", license="as this project"),
    load=load,
    prompt=prompt,
    metrics=(exact_match,),
    scoring="generate",
)
