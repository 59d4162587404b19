"""Linear classifiers of rows, such as the words of texts, by their answer.

Logistic regression for the same few options in all examples, which gives each a probability. Ridge regression for
written answers, of which there may be many and only the likeliest counts: it takes a tenth of the time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.metrics.text import fold

SEED = 0  # of scikit-learn; the solvers used here draw nothing
UNKNOWN = math.log(1e-6)  # score of a label that no training example has
STRENGTH = 10.0  # inverse of the regularisation, for TF-IDF rows of length one


@dataclass(frozen=True)
class LabelModel:
    """A classifier of rows with its labels, folded; without a classifier there is one label only."""

    labels: tuple[str, ...]
    classifier: Any = None

    def scores(self, rows: Any) -> list[Mapping[str, float]]:
        """Return the log-probability of each label for each row."""
        if self.classifier is None:
            return [{self.labels[0]: 0.0} for _ in range(rows.shape[0])]
        table = self.classifier.predict_log_proba(rows)
        return [dict(zip(self.labels, map(float, values), strict=True)) for values in table]


def fit(rows: Any, targets: Sequence[str], *, strength: float = STRENGTH) -> LabelModel:
    """Return a classifier of rows by their target."""
    from sklearn.linear_model import LogisticRegression

    folded = [fold(target) for target in targets]
    labels = sorted(set(folded))
    if len(labels) == 1:
        return LabelModel((labels[0],))
    numbers = [labels.index(target) for target in folded]
    classifier = LogisticRegression(C=strength, max_iter=200, random_state=SEED).fit(rows, numbers)
    return LabelModel(tuple(labels[number] for number in classifier.classes_), classifier)


def fit_texts(rows: Any, targets: Sequence[str]) -> Callable[[Any], list[str]]:
    """Return a function from rows to the likeliest of the targets, learned from rows by their target."""
    from sklearn.linear_model import RidgeClassifier

    if len(set(targets)) == 1:
        return lambda questions: [targets[0]] * questions.shape[0]
    classifier = RidgeClassifier(solver="sparse_cg", random_state=SEED).fit(rows, list(targets))
    return lambda questions: [str(text) for text in classifier.predict(questions)]


def of_options(scores: Mapping[str, float], choices: Sequence[str]) -> list[float]:
    """Return the score of each option, at least `UNKNOWN`."""
    return [max(UNKNOWN, scores.get(fold(choice), UNKNOWN)) for choice in choices]
