"""Logistic regression on the difference between the right option's features and those of each other option."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from harness.metrics.text import fold
from harness.schema import Example


def fit(rows: Any, examples: Sequence[Example], *, strength: float) -> np.ndarray | None:
    """Return the weights of the features; None if there is nothing to learn from.

    Args:
        rows: the features of every option of every example, in order.
        examples: the examples with their options and gold answers.
        strength: the inverse of the regularisation.
    """
    from scipy import sparse
    from sklearn.linear_model import LogisticRegression

    right, wrong, start = [], [], 0
    for example in examples:
        gold = [fold(choice) == fold(example.target) for choice in example.choices]
        if any(gold):
            remaining = [start + position for position, is_gold in enumerate(gold) if not is_gold]
            right += [start + gold.index(True)] * len(remaining)
            wrong += remaining
        start += len(example.choices)
    if len(right) < 2:
        return None
    signs = np.where(np.arange(len(right)) % 2 == 0, 1, -1)  # a regression needs both signs
    turned = sparse.diags(signs.astype(float)) @ (rows[right] - rows[wrong])
    regression = LogisticRegression(C=strength, fit_intercept=False, solver="liblinear", random_state=0)
    return np.asarray(regression.fit(turned, signs).coef_[0])
