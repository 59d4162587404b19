"""Loss triangles and the three methods of reserving that the questions ask for, in exact decimals."""

from __future__ import annotations

import random
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

AGES = (12, 24, 36, 48)
PATTERNS = {  # shares of the ultimate loss by age: what is settled soon, later, and late
    "short": (("0.62", "0.90", "0.97", "1"), ("0.55", "0.82", "0.95", "1")),
    "medium": (("0.48", "0.76", "0.92", "1"), ("0.42", "0.70", "0.89", "1")),
    "long": (("0.30", "0.58", "0.82", "1"), ("0.24", "0.50", "0.76", "1")),
}


@dataclass(frozen=True)
class Triangle:
    """Cumulative losses by accident year and age, earned premiums, and an expected loss ratio; years in order.

    `rows[i]` has the losses of `years[i]` up to the latest diagonal: four ages of the first year, one of the last. Losses do
    not develop after the last age.
    """

    years: tuple[int, ...]
    rows: tuple[tuple[int, ...], ...]
    premiums: tuple[int, ...]
    ratio: Decimal

    def factor(self, age: int) -> Decimal:
        """Return the volume-weighted development factor from the age at this position to the next, three decimals."""
        both = [row for row in self.rows if len(row) > age + 1]
        return rounded(Decimal(sum(row[age + 1] for row in both)) / sum(row[age] for row in both))

    def to_ultimate(self, age: int) -> Decimal:
        """Return the product of the factors from the age at this position, three decimals."""
        product = Decimal(1)
        for position in range(age, len(AGES) - 1):
            product *= self.factor(position)
        return rounded(product)


def rounded(value: Decimal) -> Decimal:
    """Return a factor with three decimals."""
    return value.quantize(Decimal("0.001"), rounding=ROUND_HALF_UP)


def draw(rng: random.Random, tail: str) -> Triangle:
    """Return a random triangle of four accident years of a line with such a tail."""
    shares = [Decimal(share) for share in rng.choice(PATTERNS[tail])]
    first, size = rng.randint(2012, 2021), rng.choice((400, 900, 2000, 5000))
    ratio = Decimal(rng.randrange(56, 82)) / 100
    rows, premiums = [], []
    for year in range(len(AGES)):
        premium = round(size * rng.uniform(0.85, 1.35) / 10) * 10
        ultimate = premium * ratio * Decimal(str(round(rng.uniform(0.82, 1.22), 3)))
        noise = [Decimal(str(round(rng.uniform(0.93, 1.07), 3))) for _ in AGES]
        losses = [int(ultimate * share * wobble) for share, wobble in zip(shares, noise, strict=True)]
        rows.append(tuple(sorted(losses))[: len(AGES) - year])
        premiums.append(premium)
    return Triangle(tuple(range(first, first + len(AGES))), tuple(rows), tuple(premiums), ratio)
