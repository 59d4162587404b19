"""The held-out skills of `tiny` as a task: what `--probe general` asks it before and after tuning. It needs no files.

The questions are the ones `suite.py` asks, from the generators of `skills.py` with seeds that training never uses: the
first of them are the test, and those behind it the other two splits, which a probe does not ask. A right answer is right
in every letter. Nobody answers by guessing, so there is no chance level.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

from harness.metrics import exact_match
from harness.record import Split
from harness.schema import Example, Source, Task
from harness.tiny import skills

EACH: dict[Split, int] = {"test": 40, "validation": 5, "train": 20}  # questions a skill, in the order of drawing
NAME = "tiny_skills"


def load(folder: Path, split: Split) -> Iterator[Example]:
    """Yield a split's questions, skill by skill; no question twice, in no two splits."""
    for skill, (make, _) in skills.SKILLS.items():
        rng, drawn = random.Random(f"held out/{skill}"), dict[str, str]()
        while len(drawn) < sum(EACH.values()):
            drawn.setdefault(*make(rng)[0])
        before = sum(list(EACH.values())[: list(EACH).index(split)])
        for number, (prompt, answer) in enumerate(drawn.items()):
            if before <= number < before + EACH[split]:
                yield Example(f"{skill}-{number}", prompt, answer, slices={"skill": skill})


def prompt(example: Example) -> str:
    """Return the question, which is rendered already."""
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
