"""The options without their question: words, length and position that give the right one away."""

from __future__ import annotations

from collections.abc import Sequence

from harness.challengers.parts import pairs, texts
from harness.challengers.parts.pairs import PairModel
from harness.schema import Challenger, Example, Task


def applies(task: Task, examples: Sequence[Example]) -> str:
    """Return the reason if there is no choice among options that vary."""
    kind = texts.kind(examples)
    return "" if kind == "options" else "there are no options" if kind == "texts" else "its options never vary"


def fit(examples: Sequence[Example], task: Task, seed: int) -> PairModel:
    """Return the weights of an option's words, length and position."""
    return pairs.fit(examples, reads_question=False)


def answer(model: PairModel, examples: Sequence[Example]) -> list[list[float]]:
    """Return the scores of the options."""
    return model.scores(examples)


CHALLENGER = Challenger("options_only", "the options without their question", fit, answer, applies)
