"""Exact match: the share of answers equal to the target character by character, ignoring blanks at the ends.

A character that has two Unicode forms (one code point, or a letter and a combining mark) equals itself.
"""

from __future__ import annotations

from harness.metrics.text import canonical
from harness.record import Answer
from harness.schema import Metric


def score(answer: Answer) -> float:
    """Return 1.0 if the parsed answer has exactly the target's characters, otherwise 0.0."""
    return float(answer.parsed is not None and canonical(answer.parsed).strip() == canonical(answer.target).strip())


METRIC = Metric(name="exact_match", title="Exact match", score=score)
