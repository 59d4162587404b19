"""Share of answers that are right, case and spacing apart. Unparsed counts as not right."""

from __future__ import annotations

from harness.metrics.text import fold
from harness.record import Answer
from harness.schema import Metric


def score(answer: Answer) -> float:
    """Return 1.0 where the parsed answer is the target (case and spacing apart), otherwise 0.0."""
    return float(answer.parsed is not None and fold(answer.parsed) == fold(answer.target))


METRIC = Metric(name="accuracy", title="Accuracy", score=score)
