"""Exact match: the share of answers equal to the target character by character, ignoring blanks at the ends."""

from __future__ import annotations

from harness.record import Answer
from harness.schema import Metric


def score(answer: Answer) -> float:
    """Return 1.0 if the parsed answer has exactly the target's characters, otherwise 0.0."""
    return float(answer.parsed is not None and answer.parsed.strip() == answer.target.strip())


METRIC = Metric(name="exact_match", title="Exact match", score=score)
