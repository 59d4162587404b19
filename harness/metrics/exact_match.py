"""Share of answers that repeat the target character by character, blanks at the ends apart."""

from __future__ import annotations

from harness.record import Answer
from harness.schema import Metric


def score(answer: Answer) -> float:
    """Return 1.0 where the parsed answer has the target's very characters, otherwise 0.0."""
    return float(answer.parsed is not None and answer.parsed.strip() == answer.target.strip())


METRIC = Metric(name="exact_match", title="Exact match", score=score)
