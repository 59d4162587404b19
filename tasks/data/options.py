"""The options of a computed question: its answer, answers to like questions, and a usual mistake."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

Show = Callable[[Decimal], str]
NEAREST = Decimal("0.02")  # by which two options differ at least, as a share of the larger one


@dataclass(frozen=True)
class Solved:
    """A computed question: its right result, and the results of usual mistakes by the name of the mistake."""

    right: Decimal
    mistakes: Mapping[str, Decimal]


def decimals(count: int, unit: str = "") -> Show:
    """Return a function that writes a number with so many decimals and a unit, its thousands separated."""
    step = Decimal(1).scaleb(-count)
    return lambda value: f"{value.quantize(step, rounding=ROUND_HALF_UP) + 0:,f}{unit}"


def beside(
    right: Decimal, others: Mapping[str, Decimal], stray: Solved, show: Show, rng: random.Random
) -> dict[str, str] | None:
    """Return the wrong options, {text: reason}: `others`, right results of like questions, and one mistake of `stray`.

    If each of the like questions is asked as often, the options alone do not say which it was. None if an option is below
    one or two of them are too near to each other.
    """
    names = [name for name in stray.mistakes if name not in others]
    for name in rng.sample(names, len(names)):
        wrong = {**others, name: stray.mistakes[name]}
        values = [right, *wrong.values()]
        if _apart(values) and len(set(map(show, values))) == len(values):
            return {show(value): reason for reason, value in wrong.items()}
    return None


def _apart(values: Sequence[Decimal]) -> bool:
    ordered = sorted(values)
    return ordered[0] >= 1 and all(high - low >= NEAREST * high for low, high in itertools.pairwise(ordered))
