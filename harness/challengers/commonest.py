"""The commonest answer of the training examples. If options vary, it is the option most often right in training.

If no option was ever right in training, the position decides: that of most right answers in training.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from harness.metrics.text import fold
from harness.schema import Challenger, Example, Task

EVEN = 0.01  # added to every count: an option that was never right is unlikely, not impossible


@dataclass(frozen=True)
class Counts:
    """How often each answer was right in training, and each position among the options."""

    answers: Counter[str]
    positions: Counter[int]
    commonest: str


def fit(examples: Sequence[Example], task: Task, seed: int) -> Counts:
    """Return the counts of right answers and of their positions."""
    options = [list(map(fold, example.choices)) for example in examples]
    targets = [fold(example.target) for example in examples]
    positions = Counter(o.index(target) for o, target in zip(options, targets, strict=True) if target in o)
    (commonest, _), *_ = Counter(example.target for example in examples).most_common(1)
    return Counts(Counter(targets), positions, commonest)


def answer(counts: Counts, examples: Sequence[Example]) -> list[str | list[float]]:
    """Return the logarithm of each option's count, its position as a tie-break; without options the commonest answer."""
    total = 1 + sum(counts.positions.values())

    def score(choice: str, position: int) -> float:
        return math.log(EVEN + counts.answers[fold(choice)] + counts.positions[position] / total)

    return [
        [score(choice, position) for position, choice in enumerate(example.choices)] or counts.commonest
        for example in examples
    ]


CHALLENGER = Challenger("commonest", "the commonest answer in training", fit, answer)
