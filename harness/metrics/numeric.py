"""Numeric match: the share of answers with the target's number within a tolerance. Numbers are compared as numbers."""

from __future__ import annotations

from decimal import Context, Decimal

from harness.errors import HarnessError
from harness.metrics.accuracy import score as same_text
from harness.metrics.number import parse_number
from harness.record import Answer
from harness.schema import Metric

_EXACT = Context(prec=2500)  # enough for any two numbers that parse_number reads (exponents of three digits)


def numeric(
    tolerance: Decimal = Decimal(0),
    *,
    relative: bool = False,
    name: str = "numeric",
    title: str = "Number right",
    decimal_comma: bool = False,
) -> Metric:
    """Return a metric that is 1.0 if |answer - target| is at most the tolerance.

    If the target is no number (a tag, "not stated"), it is compared as by `accuracy`: one metric is enough for a task with
    both kinds. An answer that is no number never equals a number.

    Args:
        tolerance: in the target's unit, or a fraction of |target| if `relative` (0.01 is one percent); inclusive.
        relative: whether the tolerance is a fraction of the target.
        name: the metric's name in records; a task with several needs a different name for each.
        title: its heading in tables.
        decimal_comma: whether targets have one; the parsed answers have a point.

    Raises:
        HarnessError: the tolerance is negative or not finite.
    """
    if not tolerance.is_finite() or tolerance < 0:
        raise HarnessError(
            f"the tolerance is {tolerance}, it must be a number of 0 or more",
            where=f"numeric({tolerance})",
            fix="pass a tolerance such as Decimal('0.01')",
        )

    def score(answer: Answer) -> float:
        target = parse_number(answer.target, decimal_comma=decimal_comma)
        if target is None:
            return same_text(answer)
        number = None if answer.parsed is None else parse_number(answer.parsed)
        if number is None:
            return 0.0
        limit = _EXACT.multiply(tolerance, abs(target)) if relative else tolerance
        return float(_EXACT.abs(_EXACT.subtract(number, target)) <= limit)

    return Metric(name=name, title=title, score=score)
