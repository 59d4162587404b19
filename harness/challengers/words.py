"""A word counter: TF-IDF and linear models.

If the options are the same in all examples, they are classes of the question's words. If they vary, words of question and
option are weighed together (see `parts.pairs`). Written answers are classes if they repeat: the commonest of them, each
part by itself if semicolons divide them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from harness.challengers.parts import labels, pairs, texts
from harness.challengers.parts.labels import LabelModel
from harness.challengers.parts.pairs import PairModel
from harness.schema import Challenger, Example, Task


@dataclass(frozen=True)
class Labels:
    """The words of questions and the classifier of options that are the same in all examples."""

    words: Any
    model: LabelModel


@dataclass(frozen=True)
class Parts:
    """The words of questions and a function for each part of a written answer, from rows to its likeliest value."""

    words: Any
    likeliest: tuple[Callable[[Any], list[str]], ...]


Fitted = Labels | Parts | PairModel


def applies(task: Task, examples: Sequence[Example]) -> str:
    """Return the reason if no words can be counted or the written answers do not repeat."""
    if not texts.has_words(list(map(texts.question, examples))):
        return "the questions have no words"
    if texts.kind(examples) == "texts" and not texts.repeats(examples):
        return "its written answers hardly repeat"
    return ""


def fit(examples: Sequence[Example], task: Task, seed: int) -> Fitted:
    """Return the model of question and option if options vary, otherwise a classifier of questions."""
    kind = texts.kind(examples)
    if kind == "options":
        return pairs.fit(examples, reads_question=True)
    words = texts.vectorizer(pairs_of_words=True)
    rows = words.fit_transform(map(texts.question, examples))
    targets = [example.target for example in examples]
    if kind == "labels":
        return Labels(words, labels.fit(rows, targets))
    answers = list(map(texts.parts, targets))
    if len(set(map(len, answers))) > 1:
        answers = [(target,) for target in targets]
    return Parts(words, tuple(_likeliest(rows, values) for values in zip(*answers, strict=True)))


def _likeliest(rows: Any, values: Sequence[str]) -> Callable[[Any], list[str]]:
    """Return the function from rows to the likeliest of the common values."""
    common = set(texts.common(values))
    usable = [row for row, value in enumerate(values) if value in common]
    return labels.fit_texts(rows[usable], [values[row] for row in usable])


def answer(fitted: Fitted, examples: Sequence[Example]) -> Sequence[str | Sequence[float]]:
    """Return the scores of the options, or the likeliest value of each part."""
    if isinstance(fitted, PairModel):
        return fitted.scores(examples)
    rows = fitted.words.transform(map(texts.question, examples))
    if isinstance(fitted, Labels):
        scores = zip(examples, fitted.model.scores(rows), strict=True)
        return [labels.of_options(values, example.choices) for example, values in scores]
    return ["; ".join(parts) for parts in zip(*(likeliest(rows) for likeliest in fitted.likeliest), strict=True)]


CHALLENGER = Challenger("words", "a word counter: TF-IDF and linear models", fit, answer, applies)
