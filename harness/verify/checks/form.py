"""The check that answers have the numbers of their scoring: one likelihood for each option, end token and prior, none above 1."""

from __future__ import annotations

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
    faults = [(answer.id, fault) for answer in answers if (fault := _fault(answer, record.spec.scoring, method))]
    return [check(FORM, [f"{name}: {fault}" for name, fault in faults])]


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
