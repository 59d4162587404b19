"""Accuracy of options picked by log-likelihood: `acc` by the sum, `acc_norm` by the sum per character of the option's text.

Both read the same pass and leave out the end token, as lm-evaluation-harness does (Gao et al. 2024,
doi:10.5281/zenodo.12608602; 0.4.13). Its `acc_norm` divides by characters, which are bytes in English text. The sum favours short options; `acc_norm` suits options that differ in length, `acc` labels
and letters. An answer without log-likelihoods is scored by its parsed text.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from harness.metrics.text import fold
from harness.record import Answer
from harness.schema import Metric

Pick = Callable[[Answer], int]


def by_sum(answer: Answer) -> int:
    """Return the position of the likeliest option; with a prior, of the option that gains most over it."""
    return _highest(nats(answer))


def by_character(answer: Answer) -> int:
    """Return the position of the option with the highest log-likelihood per character of its text.

    A prior takes an option's length into account already; with one, this is `by_sum`.
    """
    values = nats(answer)
    if answer.prior:
        return _highest(values)
    lengths = answer.option_lengths or [len(text) for text in answer.choices]
    return _highest([value / max(1, length) for value, length in zip(values, lengths, strict=True)])


def pick(answer: Answer, metrics: Sequence[Metric]) -> str:
    """Return the option that counts as a model's answer: by the headline metric's own rule, else by the sum."""
    return answer.choices[(metrics[0].pick or by_sum)(answer)]


def nats(answer: Answer) -> Sequence[float]:
    """Return the log-likelihood of each option in nats, less its prior if the answer has one."""
    if not answer.prior:
        return answer.loglik
    return [value - prior for value, prior in zip(answer.loglik, answer.prior, strict=True)]


def _highest(values: Sequence[float]) -> int:
    return max(range(len(values)), key=values.__getitem__)  # the first of equals


def _scored(rule: Pick) -> Callable[[Answer], float]:
    def score(answer: Answer) -> float:
        scored = answer.choices and len(answer.loglik) == len(answer.choices)
        text = answer.choices[rule(answer)] if scored else answer.parsed
        return float(text is not None and fold(text) == fold(answer.target))

    return score


ACC = Metric(name="acc", title="Accuracy", score=_scored(by_sum), pick=by_sum)
ACC_NORM = Metric(name="acc_norm", title="Accuracy per character", score=_scored(by_character), pick=by_character)
