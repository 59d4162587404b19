"""The check that answers have the numbers of their scoring: one likelihood for each option, end token and prior, none above 1."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

from harness.record import Answer, Record
from harness.schema import Method
from harness.verify.check import Check, check
from harness.verify.checks.settings import find

FORM = "likelihoods have the form of the scoring"
ROUNDING = 1e-3  # nats above 0 that rounding may give


def run_checks(record: Record, answers: Sequence[Answer]) -> list[Check]:
    """Return the check of the log-likelihoods of a run's answers."""
    method = find(record.spec.method)
    fault_of = _challenger_fault if record.spec.challenger else functools.partial(_fault, method=method)
    faults = [(answer.id, fault) for answer in answers if (fault := fault_of(answer, record.spec.scoring))]
    return [check(FORM, [f"{name}: {fault}" for name, fault in faults])]


def _challenger_fault(answer: Answer, scoring: str) -> str:
    """Return a fault if the numbers of a challenger's options are no probabilities beside an even prior."""
    if scoring != "choices":
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
