"""Gradient boosting over columns, for tasks whose question or context is a row of a table written out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness.challengers.parts import columns, labels, texts
from harness.challengers.parts.columns import Columns
from harness.challengers.parts.labels import LabelModel
from harness.metrics.number import parse_number
from harness.metrics.text import fold
from harness.schema import Challenger, Example, Task

ROUNDS = 100  # trees of a class
MAX_CLASSES = 20  # written answers that count as classes


@dataclass(frozen=True)
class Forest:
    """The columns, and a classifier of options or answers or else a regression of numbers."""

    columns: Columns
    classes: LabelModel | None
    answers: dict[str, str]
    regression: Any = None


def applies(task: Task, examples: Sequence[Example]) -> str:
    """Return the reason if the examples have no columns, or their answers are neither few nor numbers."""
    if texts.kind(examples) == "options":
        return "its options vary"
    if len(columns.find(examples).names) < columns.MIN_COLUMNS:
        return "its questions are no rows of a table"
    return "" if _has_classes(examples) or _has_numbers(examples) else "its answers are neither few nor numbers"


def _has_classes(examples: Sequence[Example]) -> bool:
    return texts.kind(examples) == "labels" or len({example.target for example in examples}) <= MAX_CLASSES


def _has_numbers(examples: Sequence[Example]) -> bool:
    return all(parse_number(example.target) is not None for example in examples)


def fit(examples: Sequence[Example], task: Task, seed: int) -> Forest:
    """Return boosted trees over the columns."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    table = columns.find(examples)
    rows, targets = table.rows(examples), [fold(example.target) for example in examples]
    if not _has_classes(examples):
        numbers = [float(parse_number(example.target) or 0) for example in examples]
        trees = HistGradientBoostingRegressor(max_iter=ROUNDS, random_state=seed, early_stopping=False)
        return Forest(table, None, {}, trees.fit(rows, numbers))
    names, answers = sorted(set(targets)), {fold(example.target): example.target for example in examples}
    if len(names) == 1:
        return Forest(table, LabelModel((names[0],)), answers)
    trees = HistGradientBoostingClassifier(max_iter=ROUNDS, random_state=seed, early_stopping=False)
    trees.fit(rows, [names.index(target) for target in targets])
    return Forest(
        table, LabelModel(tuple(names[number] for number in trees.classes_), _LogProbabilities(trees)), answers
    )


@dataclass(frozen=True)
class _LogProbabilities:
    """Boosted trees as a `LabelModel` calls its classifier."""

    trees: Any

    def predict_log_proba(self, rows: Any) -> Any:
        """Return the log-probability of each class for each row."""
        import numpy as np

        return np.log(np.maximum(self.trees.predict_proba(rows), 1e-6))


def answer(forest: Forest, examples: Sequence[Example]) -> Sequence[str | Sequence[float]]:
    """Return the scores of the options, the likeliest answer, or a number with two decimals."""
    rows = forest.columns.rows(examples)
    if forest.classes is None:
        return [f"{value:.2f}" for value in forest.regression.predict(rows)]
    return [
        labels.of_options(scores, example.choices) or forest.answers[max(scores, key=lambda text: scores[text])]
        for example, scores in zip(examples, forest.classes.scores(rows), strict=True)
    ]


CHALLENGER = Challenger("trees", "gradient boosting over columns", fit, answer, applies)
