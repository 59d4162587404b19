"""ROUGE-L: the longest common sequence of words of two texts (Lin 2004), by Google's `rouge_score`.

It is the F-measure of the longest common subsequence of words, ignoring case and punctuation, without stemming. It equals the
`rougeL` of the library `evaluate` and needs no script from the hub. Words are runs of a to z and digits, so it cannot score
texts in other scripts. It measures similarity, not truth: a sentence and its negation are similar.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from harness.errors import HarnessError
from harness.record import Answer
from harness.schema import Metric


@lru_cache(maxsize=1)
def _scorer() -> Any:
    try:
        from rouge_score.rouge_scorer import RougeScorer
    except ImportError as error:
        fix = "pip install rouge_score"
        raise HarnessError("ROUGE needs the package rouge_score", where="metric rouge_l", fix=fix) from error
    return RougeScorer(["rougeL"], use_stemmer=False)


@lru_cache(maxsize=65536)
def rouge_l(target: str, text: str) -> float:
    """Return the F-measure of ROUGE-L of two texts, 0 to 1; 0.0 if either has no word.

    Raises:
        HarnessError: the package is not installed.
    """
    scorer = _scorer()
    if target == text:  # the library would fill a table of words by words
        return 1.0 if re.search("[a-z0-9]", text.lower()) else 0.0
    return float(scorer.score(target, text)["rougeL"].fmeasure)


def score(answer: Answer) -> float:
    """Return ROUGE-L of target and answer, 0.0 for an unparsed answer."""
    return 0.0 if answer.parsed is None else rouge_l(answer.target, answer.parsed)


def ready() -> None:
    """Raise an error if the package is missing."""
    _scorer()


METRIC = Metric(name="rouge_l", title="ROUGE-L, F-measure", score=score, ready=ready)
