"""The check that answers have the numbers of their scoring: one likelihood for each option, end token and prior, none above 1."""

from __future__ import annotations

import functools
import math
import statistics
from collections.abc import Sequence

from harness.record import Answer, Record, RunSpec
from harness.schema import Method
from harness.verify import embedded
from harness.verify.check import Check, check
from harness.verify.checks.record.settings import find

FORM = "likelihoods have the form of the scoring"
MIN_VALUES = 60  # likelihoods, to say that all are rounded
DECIMALS = 3
UNCERTAIN = -2.0  # nats of the best options
LONG = 8  # letters of an option that no model is certain of unless it is of most
LONGEST_TOKEN = 256  # letters; tokenizers have tokens of up to 128 spaces
ROUNDING = 1e-3  # nats above 0 that rounding may give


def run_checks(record: Record, answers: Sequence[Answer]) -> list[Check]:
    """Return the check of the log-likelihoods of a run's answers."""
    method = find(record.spec.method)
    is_challenger = bool(record.spec.challenger)
    written = "options=written" in record.spec.server
    challenger_fault = functools.partial(_challenger_fault, written=written)
    fault_of = challenger_fault if is_challenger else functools.partial(_fault, method=method)
    faults = [(answer.id, fault) for answer in answers if (fault := fault_of(answer, record.spec.scoring))]
    if is_challenger:
        return [check(FORM, _by_fault(faults))]
    together = [*_rounding_faults(answers), *_zero_faults(answers), *_length_faults(record.spec, answers)]
    return [check(FORM, [*_by_fault(faults), *together])]


def _by_fault(faults: Sequence[tuple[str, str]]) -> list[str]:
    """Return each fault once with the answers that have it, the first three by name."""
    names: dict[str, list[str]] = {}
    for name, fault in faults:
        names.setdefault(fault, []).append(name)
    return [
        f"{fault} in {len(found)} answer{'s' * (len(found) > 1)} ({', '.join(found[:3])})"
        for fault, found in names.items()
    ]


def _rounding_faults(answers: Sequence[Answer]) -> list[str]:
    """Return a fault if all likelihoods have three decimals or fewer: a model gives seven digits or more."""
    values = [value for answer in answers for value in answer.loglik if value]
    is_rounded = len(values) >= MIN_VALUES and all(round(value, DECIMALS) == value for value in values)
    return [f"all {len(values)} likelihoods are rounded to {DECIMALS} decimals or fewer"] * is_rounded


def _zero_faults(answers: Sequence[Answer]) -> list[str]:
    """Return a fault if long options are certain in a model that is far from certain of its best options elsewhere."""
    best = [max(answer.loglik) for answer in answers if len(answer.loglik) > 1]
    if not best or statistics.median(best) > UNCERTAIN:
        return []
    certain = [
        answer.id
        for answer in answers
        for option, value in zip(answer.choices, answer.loglik, strict=False)
        if value == 0 and len(option) >= LONG
    ]
    return [f"a likelihood of exactly 1 in {len(certain)} answers ({', '.join(certain[:3])})"] * bool(certain)


def _length_faults(spec: RunSpec, answers: Sequence[Answer]) -> list[str]:
    longest = embedded.longest_token() if spec.model == embedded.NAME else LONGEST_TOKEN
    room = longest * spec.max_new_tokens
    long = [answer for answer in answers if spec.scoring == "generate" and len(answer.text) > room]
    return [f"{a.id} has {len(a.text):,} letters, {spec.max_new_tokens} tokens have {room:,} at most" for a in long[:3]]


def _challenger_fault(answer: Answer, scoring: str, *, written: bool = False) -> str:
    """Return a fault if the numbers of a challenger's options are no probabilities beside an even prior.

    A server's model that wrote its answer has none.
    """
    if scoring != "choices" or written:
        numbers = (*answer.loglik, *answer.end_loglik, *answer.prior)
        return "likelihoods of options, and the answer has none" if numbers else ""
    options = len(answer.choices)
    if len(answer.loglik) != options or answer.end_loglik:
        return f"{len(answer.loglik)} likelihoods and {len(answer.end_loglik)} of an end token, {options} options"
    total = math.fsum(math.exp(value) for value in answer.loglik)
    if not math.isclose(total, 1.0, rel_tol=ROUNDING):
        return f"the probabilities of the options add up to {total:g}"
    return "" if answer.prior == (-math.log(options),) * options else "the prior is not even"


def _fault(answer: Answer, scoring: str, method: Method | None) -> str:
    if any(value > ROUNDING for value in (*answer.loglik, *answer.end_loglik, *answer.prior)):
        return "a likelihood is above 1"
    if scoring != "choices":
        if answer.end_loglik or answer.prior:
            return "likelihoods of options, and the answer has none"
        return "several likelihoods of one text" if scoring == "generate" and len(answer.loglik) > 1 else ""
    options, ends, priors = len(answer.choices), len(answer.end_loglik), len(answer.prior)
    if ends != options:
        return f"{ends} likelihoods of an end token, {options} options"
    if method is not None and priors != (options if method.calibration else 0):
        return f"{priors} priors of {options} options by {method.name}"
    return ""
