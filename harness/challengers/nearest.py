"""The answer of the most alike training example, by the cosine of TF-IDF rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.challengers.parts import texts
from harness.metrics.text import fold
from harness.schema import Challenger, Example, Task

SHARPNESS = 10.0  # nats between a likeness of 1 and of 0


@dataclass(frozen=True)
class Neighbours:
    """The words, training questions and right answers as rows of words, the answers, and their rows by folded text."""

    words: Any
    questions: Any
    answers: Any
    targets: tuple[str, ...]
    rows_of: Mapping[str, list[int]]


def applies(task: Task, examples: Sequence[Example]) -> str:
    """Return the reason if no words can be compared."""
    return "" if texts.has_words(list(map(texts.question, examples))) else "the questions have no words"


def fit(examples: Sequence[Example], task: Task, seed: int) -> Neighbours:
    """Return the training examples as rows of words."""
    questions, targets = list(map(texts.question, examples)), [example.target for example in examples]
    words = texts.vectorizer().fit([*questions, *targets])
    rows_of: dict[str, list[int]] = {}
    for row, target in enumerate(targets):
        rows_of.setdefault(fold(target), []).append(row)
    return Neighbours(words, words.transform(questions), words.transform(targets), tuple(targets), rows_of)


def answer(neighbours: Neighbours, examples: Sequence[Example]) -> list[str | list[float]]:
    """Return each option's best likeness times that of the question, or the answer of the most alike question."""
    cosines = neighbours.words.transform(map(texts.question, examples)) @ neighbours.questions.T
    return [_scores(neighbours, example, cosines[row].toarray().ravel()) for row, example in enumerate(examples)]


def _scores(neighbours: Neighbours, example: Example, cosines: np.ndarray) -> str | list[float]:
    if not example.choices:
        return neighbours.targets[int(cosines.argmax())]
    answers = (neighbours.words.transform(example.choices) @ neighbours.answers.T).toarray()
    for row, choice in enumerate(example.choices):  # equal texts are alike even if they have no word
        answers[row, neighbours.rows_of.get(fold(choice), [])] = 1.0
    return list(SHARPNESS * (answers * cosines).max(axis=1))


CHALLENGER = Challenger("nearest", "the most alike training example", fit, answer, applies)
