"""A linear model over the frozen base's mean hidden state: what its weights know of the task without any training.

If options vary, question and option are read apart, and the features are the option's state, its product with the
question's and the distance between the two: each text is read once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
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
    by_option: bool
    labels: LabelModel | None = None
    likeliest: Callable[[Any], list[str]] | None = None
    weights: np.ndarray | None = None

    def rows(self, examples: Sequence[Example]) -> np.ndarray:
        """Return the standardised features of examples, or of all their options if these vary."""
        features = _features(self.embed, examples, by_option=self.by_option)
        return np.asarray((features - self.mean) / self.spread)


def applies(task: Task, examples: Sequence[Example]) -> str:
    """Return the reason if written answers do not repeat or there is too much to read."""
    if texts.kind(examples) == "texts" and not texts.repeats(examples):
        return "its written answers hardly repeat"
    characters = sum(len(text) for text in _texts(_part(examples)))
    return f"{characters:,} characters are too many to read" if characters > MAX_CHARACTERS else ""


def fit(examples: Sequence[Example], task: Task, seed: int, embed: Embed) -> Fitted:
    """Return the linear model over the states of training examples."""
    selected, kind = _part(examples), texts.kind(examples)
    common = set(texts.common([example.target for example in selected]))
    selected = [example for example in selected if kind != "texts" or example.target in common]
    features = _features(embed, selected, by_option=kind == "options")
    plain = Fitted(embed, features.mean(axis=0), features.std(axis=0) + 1e-6, kind == "options")
    rows, targets = (features - plain.mean) / plain.spread, [example.target for example in selected]
    if kind == "options":
        return replace(plain, weights=differences.fit(rows, selected, strength=STRENGTH))
    if kind == "labels":
        return replace(plain, labels=labels.fit(rows, targets, strength=STRENGTH))
    return replace(plain, likeliest=labels.fit_texts(rows, targets))


def answer(fitted: Fitted, examples: Sequence[Example]) -> Sequence[str | Sequence[float]]:
    """Return the scores of the options, or the likeliest of the common answers."""
    rows = fitted.rows(examples)
    if fitted.labels is not None:
        scores = zip(examples, fitted.labels.scores(rows), strict=True)
        return [labels.of_options(values, example.choices) for example, values in scores]
    if fitted.likeliest is not None:
        return fitted.likeliest(rows)
    values = iter((rows @ fitted.weights).tolist() if fitted.weights is not None else [0.0] * len(rows))
    return [[next(values) for _ in example.choices] for example in examples]


def _part(examples: Sequence[Example]) -> Sequence[Example]:
    """Return at most `MAX_READ` examples, spread evenly over all."""
    if len(examples) <= MAX_READ:
        return examples
    return [examples[number * len(examples) // MAX_READ] for number in range(MAX_READ)]


def _texts(examples: Sequence[Example]) -> list[str]:
    """Return the texts to read for these examples, each once."""
    kind = texts.kind(examples)
    options = [choice for example in examples for choice in example.choices] if kind == "options" else []
    return list(dict.fromkeys([*map(texts.question, examples), *options]))


def _features(embed: Embed, examples: Sequence[Example], *, by_option: bool) -> np.ndarray:
    """Return the states of questions, or option by option the features of both."""
    questions = np.asarray(embed(list(map(texts.question, examples))), dtype=float)
    if not by_option:
        return questions
    distinct = list(dict.fromkeys(choice for example in examples for choice in example.choices))
    numbers = {choice: number for number, choice in enumerate(distinct)}
    states = np.asarray(embed(distinct), dtype=float)
    options = states[[numbers[choice] for example in examples for choice in example.choices]]
    owners = np.repeat(questions, [len(example.choices) for example in examples], axis=0)
    return np.hstack([options, owners * options, np.abs(owners - options)])


CHALLENGER = Challenger(
    "embeddings", "a linear model over the frozen base's hidden states", fit, answer, applies, embeds=True
)
