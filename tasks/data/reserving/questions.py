"""Questions about a triangle: the right result of each kind, and what candidates' usual mistakes give."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from tasks.data.options import Show, Solved, decimals
from tasks.data.reserving.triangle import AGES, Triangle

ONE = Decimal(1)
Solve = Callable[[Triangle, int], Solved]


@dataclass(frozen=True)
class Kind:
    """A kind of question: its method, how many steps it takes, and its solution for an accident year by position.

    Kinds of one quantity differ in their method or age, and show each other's results among the options.
    """

    name: str
    method: str
    steps: str
    solve: Solve
    show: Show
    years: tuple[int, ...] = (1, 2, 3)
    quantity: str = ""


def _age(triangle: Triangle, year: int) -> int:
    return len(triangle.rows[year]) - 1


def factor(triangle: Triangle, year: int) -> Solved:
    """Return the volume-weighted factor from the age of this position; `year` is 1 for 12, 2 for 24 months."""
    age = year - 1
    both = [row for row in triangle.rows if len(row) > age + 1]
    every = [row for row in triangle.rows if len(row) > age]
    above = Decimal(sum(row[age + 1] for row in both))
    mistakes = {
        "the latest year's loss in the denominator too": above / sum(row[age] for row in every),
        "losses of the year after in the denominator": above / sum(row[age] for row in every[1:]),
        "the factor to ultimate": triangle.to_ultimate(age),
        "two ages at once": triangle.factor(age) * triangle.factor(age + 1),
        "the factor of the next age": triangle.factor(age + 1),
        "the oldest year alone": Decimal(both[0][age + 1]) / both[0][age],
        "the latest year alone": Decimal(both[-1][age + 1]) / both[-1][age],
        "the share reported added to one": ONE + ONE / triangle.factor(age),
    }
    return Solved(triangle.factor(age), {name: value for name, value in mistakes.items() if value > ONE})


def to_ultimate(triangle: Triangle, year: int) -> Solved:
    """Return the factor to ultimate of an accident year at its latest age."""
    age = _age(triangle, year)
    factors = [triangle.factor(position) for position in range(age, len(AGES) - 1)]
    return Solved(
        triangle.to_ultimate(age),
        {
            "the next factor alone": factors[0],
            "the sum of the developments": ONE + sum(f - ONE for f in factors),
            "one age too young": triangle.to_ultimate(age - 1) if age else triangle.to_ultimate(0) * factors[0],
            "the factors added": sum(factors, Decimal(0)),
            "one added": ONE + triangle.to_ultimate(age),
            "the first factor twice": triangle.to_ultimate(age) * factors[0],
            "the last factor alone": factors[-1],
            "one age too old": triangle.to_ultimate(age + 1),
        },
    )


def ultimate(triangle: Triangle, year: int) -> Solved:
    """Return the ultimate loss of an accident year by chain ladder."""
    age, row = _age(triangle, year), triangle.rows[year]
    latest, cdf = Decimal(row[-1]), triangle.to_ultimate(age)
    return Solved(
        latest * cdf,
        {
            "developed by one age only": latest * triangle.factor(age),
            "one age too young": latest * (triangle.to_ultimate(age - 1) if age else cdf * triangle.factor(0)),
            "the expected loss": triangle.premiums[year] * triangle.ratio,
            "one age too old": latest * triangle.to_ultimate(age + 1),
            "development of the first loss": Decimal(row[0]) * cdf,
            "latest loss and expected loss added": latest + triangle.premiums[year] * triangle.ratio,
        },
    )


def chain_ladder(triangle: Triangle, year: int) -> Solved:
    """Return the unreported loss of an accident year by chain ladder."""
    age, row = _age(triangle, year), triangle.rows[year]
    latest, cdf = Decimal(row[-1]), triangle.to_ultimate(age)
    expected = triangle.premiums[year] * triangle.ratio
    return Solved(
        latest * (cdf - ONE),
        {
            "the ultimate loss": latest * cdf,
            "developed by one age only": latest * (triangle.factor(age) - ONE),
            "share unreported of the latest loss": latest * (ONE - ONE / cdf),
            "expected loss less reported loss": expected - latest,
            "Bornhuetter-Ferguson": expected * (ONE - ONE / cdf),
            "one age too young": latest * ((triangle.to_ultimate(age - 1) if age else cdf * triangle.factor(0)) - ONE),
            "one age too old": latest * (triangle.to_ultimate(age + 1) - ONE),
        },
    )


def expected(triangle: Triangle, year: int) -> Solved:
    """Return the ultimate loss by the expected loss ratio."""
    premium, ratio, latest = Decimal(triangle.premiums[year]), triangle.ratio, Decimal(triangle.rows[year][-1])
    return Solved(
        premium * ratio,
        {
            "the complement of the ratio": premium * (ONE - ratio),
            "divided by the ratio": premium / ratio,
            "reported loss added": premium * ratio + latest,
            "the ratio of the reported loss": latest * ratio,
            "reported loss divided by the ratio": latest / ratio,
            "premium of the year before": triangle.premiums[year - 1] * ratio,
        },
    )


def unreported_by_ratio(triangle: Triangle, year: int) -> Solved:
    """Return the unreported loss by the expected loss ratio."""
    premium, ratio, latest = Decimal(triangle.premiums[year]), triangle.ratio, Decimal(triangle.rows[year][-1])
    cdf = triangle.to_ultimate(_age(triangle, year))
    return Solved(
        premium * ratio - latest,
        {
            "the ultimate loss": premium * ratio,
            "premium less reported loss": premium - latest,
            "Bornhuetter-Ferguson": premium * ratio * (ONE - ONE / cdf),
            "chain ladder": latest * (cdf - ONE),
            "the ratio of what premium is left": (premium - latest) * ratio,
            "premium of the year before": triangle.premiums[year - 1] * ratio - latest,
        },
    )


def bornhuetter_ferguson(triangle: Triangle, year: int) -> Solved:
    """Return the unreported loss by Bornhuetter and Ferguson."""
    premium, ratio, latest = Decimal(triangle.premiums[year]), triangle.ratio, Decimal(triangle.rows[year][-1])
    cdf = triangle.to_ultimate(_age(triangle, year))
    return Solved(
        premium * ratio * (ONE - ONE / cdf),
        {
            "the share reported": premium * ratio / cdf,
            "the factor less one": premium * ratio * (cdf - ONE),
            "chain ladder": latest * (cdf - ONE),
            "the expected loss ratio alone": premium * ratio - latest,
            "no loss ratio": premium * (ONE - ONE / cdf),
            "the share unreported of the latest loss": latest * (ONE - ONE / cdf),
        },
    )


def bornhuetter_ferguson_ultimate(triangle: Triangle, year: int) -> Solved:
    """Return the ultimate loss by Bornhuetter and Ferguson."""
    premium, ratio, latest = Decimal(triangle.premiums[year]), triangle.ratio, Decimal(triangle.rows[year][-1])
    cdf = triangle.to_ultimate(_age(triangle, year))
    return Solved(
        latest + premium * ratio * (ONE - ONE / cdf),
        {
            "the unreported part alone": premium * ratio * (ONE - ONE / cdf),
            "the share reported": latest + premium * ratio / cdf,
            "chain ladder": latest * cdf,
            "the expected loss ratio alone": premium * ratio,
            "the factor less one": latest + premium * ratio * (cdf - ONE),
            "no loss ratio": latest + premium * (ONE - ONE / cdf),
        },
    )


LOSS, FACTOR = decimals(0), decimals(3)
KINDS = (
    Kind("factor", "chain ladder", "one", factor, FACTOR, (1, 2), "factor"),
    Kind("factor to ultimate", "chain ladder", "two", to_ultimate, FACTOR, (2, 3), "factor"),
    Kind("ultimate loss", "chain ladder", "several", ultimate, LOSS, quantity="ultimate"),
    Kind("unreported loss", "chain ladder", "several", chain_ladder, LOSS, quantity="unreported"),
    Kind("ultimate loss, expected", "expected loss ratio", "one", expected, LOSS, quantity="ultimate"),
    Kind("unreported loss, expected", "expected loss ratio", "two", unreported_by_ratio, LOSS, quantity="unreported"),
    Kind("unreported loss, B-F", "Bornhuetter-Ferguson", "several", bornhuetter_ferguson, LOSS, quantity="unreported"),
    Kind(
        "ultimate loss, B-F",
        "Bornhuetter-Ferguson",
        "several",
        bornhuetter_ferguson_ultimate,
        LOSS,
        quantity="ultimate",
    ),
)
