"""Share of answers whose number is the target's, within a stated tolerance. Numbers are compared as numbers."""

from __future__ import annotations

from decimal import Context, Decimal

from harness.errors import HarnessError
from harness.metrics.accuracy import score as same_text
from harness.metrics.number import parse_number
from harness.record import Answer
from harness.schema import Metric

_EXACT = Context(prec=2500)  # enough for any two numbers that parse_number reads (exponents of three digits)


def numeric(
    tolerance: Decimal = Decimal(0), *, relative: bool = False, name: str = "numeric", title: str = "Number right"
) -> Metric:
    """Return a metric that is 1.0 where |answer - target| is at most the tolerance.

    A target that is no number (a tag, "not stated") is compared as `accuracy` does, so that one metric serves a task
    of mixed kinds. An answer that is no number never equals a number.

    Args:
        tolerance: in the target's unit, or a fraction of |target| where `relative` (0.01 is one percent); inclusive.
        relative: whether the tolerance is a fraction of the target.
        name: the metric's name in records; give one to each where a task has several.
        title: its heading in tables.

    Raises:
        HarnessError: the tolerance is negative or not finite.
    """
    if not tolerance.is_finite() or tolerance < 0:
        raise HarnessError(
            "a tolerance is a number of 0 or more", where=f"numeric({tolerance})", fix="use Decimal('0.01')"
        )

    def score(answer: Answer) -> float:
        target = parse_number(answer.target)
        if target is None:
            return same_text(answer)
        said = None if answer.parsed is None else parse_number(answer.parsed)
        if said is None:
            return 0.0
        allowed = _EXACT.multiply(tolerance, abs(target)) if relative else tolerance
        return float(_EXACT.abs(_EXACT.subtract(said, target)) <= allowed)

    return Metric(name=name, title=title, score=score)
