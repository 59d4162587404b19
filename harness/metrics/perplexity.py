"""Nats per token, perplexity, and bits per byte of texts; lower is better.

All three are computed from the log-likelihood of each token of each text (`Answer.loglik`). They are totals over all texts,
so that long ones weigh more, as is usual: the sum of nats over the sum of tokens or bytes. Nats per token and perplexity
depend on the tokenizer and compare between runs of one model only; bits per byte (UTF-8) compare across models.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from harness.metrics.text import byte_count
from harness.record import Answer
from harness.schema import Metric


def nats(answers: Sequence[Answer]) -> float:
    """Return the negative log-likelihood of all texts together, in nats."""
    return -math.fsum(math.fsum(answer.loglik) for answer in answers)


def tokens(answers: Sequence[Answer]) -> int:
    """Return the number of scored tokens."""
    return sum(len(answer.loglik) for answer in answers)


def size(answers: Sequence[Answer]) -> int:
    """Return the size of the texts in bytes of UTF-8, also of texts that are withheld."""
    return sum(sum(answer.option_lengths) or byte_count(answer.target) for answer in answers)


def _metric(name: str, title: str, combine: Callable[[Sequence[Answer]], float]) -> Metric:
    def score(answer: Answer) -> float:
        return combine([answer])

    return Metric(name=name, title=title, score=score, higher_is_better=False, combine=combine, unit="")


def _per_byte(answers: Sequence[Answer]) -> float:
    return nats(answers) / math.log(2) / max(1, size(answers))


def _per_token(answers: Sequence[Answer]) -> float:
    return nats(answers) / max(1, tokens(answers))


def _perplexity(answers: Sequence[Answer]) -> float:
    exponent = _per_token(answers)
    return math.exp(exponent) if exponent < 700 else math.inf  # beyond the range of a double


bits_per_byte = _metric("bits_per_byte", "Bits per byte", _per_byte)
nats_per_token = _metric("nats_per_token", "Nats per token", _per_token)
perplexity = _metric("perplexity", "Perplexity per token", _perplexity)
