"""A linear model over the frozen base's mean hidden state: what its weights know of the task without any training.

If options vary, the state is that of the question with the option behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.challengers.parts import differences, labels, texts
from harness.challengers.parts.labels import LabelModel
from harness.schema import Challenger, Example, Task

MAX_READ = 600  # training examples that the model reads
MAX_CHARACTERS = 3_000_000  # of their texts together: more would take more than a small share of a grid's time
STRENGTH = 0.1  # inverse of the regularisation, for standardised states

Embed = Callable[[Sequence[str]], Any]


@dataclass(frozen=True)
class Fitted:
    """The reader of texts, mean and spread of training states, and one of three models over them."""

    embed: Embed
    mean: np.ndarray
    spread: np.ndarray
    labels: LabelModel | None = None
    likeliest: Callable[[Any], list[str]] | None = None
    weights: np.ndarray | None = None

    def states(self, lines: Sequence[str]) -> np.ndarray:
        """Return the standardised states of texts."""
        return np.asarray((np.asarray(self.embed(lines), dtype=float) - self.mean) / self.spread)


def applies(task: Task, examples: Sequence[Example]) -> str:
    """Return the reason if written answers do not repeat or there is too much to read."""
    if texts.kind(examples) == "texts" and not texts.repeats(examples):
        return "its written answers hardly repeat"
    characters = sum(map(len, _lines(_part(examples))))
    return f"{characters:,} characters are too many to read" if characters > MAX_CHARACTERS else ""


def fit(examples: Sequence[Example], task: Task, seed: int, embed: Embed) -> Fitted:
    """Return the linear model over the states of training examples."""
    selected, kind = _part(examples), texts.kind(examples)
    common = set(texts.common([example.target for example in selected]))
    selected = [example for example in selected if kind != "texts" or example.target in common]
    states = np.asarray(embed(_lines(selected)), dtype=float)
    plain = Fitted(embed, states.mean(axis=0), states.std(axis=0) + 1e-6)
    rows, targets = (states - plain.mean) / plain.spread, [example.target for example in selected]
    if kind == "options":
        return Fitted(embed, plain.mean, plain.spread, weights=differences.fit(rows, selected, strength=STRENGTH))
    if kind == "labels":
        return Fitted(embed, plain.mean, plain.spread, labels=labels.fit(rows, targets, strength=STRENGTH))
    return Fitted(embed, plain.mean, plain.spread, likeliest=labels.fit_texts(rows, targets))


def answer(fitted: Fitted, examples: Sequence[Example]) -> Sequence[str | Sequence[float]]:
    """Return the scores of the options, or the likeliest of the common answers."""
    if fitted.labels is not None:
        scores = fitted.labels.scores(fitted.states(list(map(texts.question, examples))))
        return [labels.of_options(values, example.choices) for example, values in zip(examples, scores, strict=True)]
    if fitted.likeliest is not None:
        return fitted.likeliest(fitted.states(list(map(texts.question, examples))))
    rows = fitted.states(_lines(examples))
    values = iter((rows @ fitted.weights).tolist() if fitted.weights is not None else [0.0] * len(rows))
    return [[next(values) for _ in example.choices] for example in examples]


def _part(examples: Sequence[Example]) -> Sequence[Example]:
    """Return at most `MAX_READ` examples, spread evenly over all."""
    if len(examples) <= MAX_READ:
        return examples
    return [examples[number * len(examples) // MAX_READ] for number in range(MAX_READ)]


def _lines(examples: Sequence[Example]) -> list[str]:
    """Return the texts to read: each question, or each question with each of its options if these vary."""
    if texts.kind(examples) != "options":
        return list(map(texts.question, examples))
    return [f"{texts.question(example)}\n{choice}" for example in examples for choice in example.choices]


CHALLENGER = Challenger(
    "embeddings", "a linear model over the frozen base's hidden states", fit, answer, applies, embeds=True
)
