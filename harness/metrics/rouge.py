"""ROUGE-L: how much of a text two texts share as one sequence of words (Lin 2004), by Google's `rouge_score`.

The F-measure of the longest common subsequence of words, case and punctuation apart, without stemming: the `rougeL` of
the library `evaluate`, computed here without its script from the hub. Words are runs of a to z and digits, so that it
says nothing about texts in other scripts. It measures likeness, not truth: a sentence and its denial are alike.
"""

from __future__ import annotations

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
def rouge_l(target: str, said: str) -> float:
    """Return the F-measure of ROUGE-L of two texts, 0 to 1; 0.0 where one has no word.

    Raises:
        HarnessError: the package is not installed.
    """
    return float(_scorer().score(target, said)["rougeL"].fmeasure)


def score(answer: Answer) -> float:
    """Return ROUGE-L of target and answer, 0.0 where it could not be parsed."""
    return 0.0 if answer.parsed is None else rouge_l(answer.target, answer.parsed)


def ready() -> None:
    """Refuse where the package is missing."""
    _scorer()


METRIC = Metric(name="rouge_l", title="ROUGE-L, F-measure", score=score, ready=ready)
