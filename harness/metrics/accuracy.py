"""Accuracy: the share of right answers, ignoring case and spacing. An unparsed answer is not right."""

from __future__ import annotations

from harness.metrics.text import fold
from harness.record import Answer
from harness.schema import Metric


def score(answer: Answer) -> float:
    """Return 1.0 if the parsed answer is the target (ignoring case and spacing), otherwise 0.0."""
    return float(answer.parsed is not None and fold(answer.parsed) == fold(answer.target))


METRIC = Metric(name="accuracy", title="Accuracy", score=score)
