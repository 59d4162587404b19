"""Families of rating questions: facts with numbers, quantities that can be asked for, and usual mistakes with each.

The quantities of a family have one unit, similar sizes and no fixed order, and each is asked for as often: the options of a
question are its answer, the answers to two other questions about the same facts, and one mistake.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from random import Random

from tasks.data.options import Show, Solved, decimals

ONE, HUNDRED = Decimal(1), Decimal(100)
Numbers = Mapping[str, Decimal]
SUBJECTS = ("a", "b", "c")


@dataclass(frozen=True)
class Family:
    """A kind of question: its numbers, its quantities and subjects with their solution, and how an answer is written."""

    name: str
    draw: Callable[[Random], dict[str, Decimal]]
    solve: Callable[[Numbers, str, str], Solved]
    show: Show
    quantities: tuple[str, ...]
    subjects: tuple[str, ...] = SUBJECTS


def _pick(rng: Random, *values: str | int) -> Decimal:
    return Decimal(str(rng.choice(values)))


def _step(rng: Random, low: int, high: int, step: int) -> Decimal:
    return Decimal(rng.randrange(low, high + 1, step))


# ---- premium by relativities


def draw_premium(rng: Random) -> dict[str, Decimal]:
    """Return a base rate, relativities of three territories and two fuels, a credit in percent and a fee.

    Neither territories nor fuels have an order that an insurer would expect, so that the names give no factor away.
    """
    territories = rng.sample(("0.70", "0.78", "0.85", "0.92", "1.08", "1.15", "1.24", "1.36"), 3)
    fuels = rng.sample(("0.80", "0.88", "0.95", "1.10", "1.22", "1.30"), 2)
    return {
        "base": _step(rng, 240, 980, 10),
        **{name: Decimal(value) for name, value in zip(("a", "b", "c"), territories, strict=True)},
        "petrol": Decimal(fuels[0]),
        "diesel": Decimal(fuels[1]),
        "credit": _pick(rng, 5, 8, 10, 12, 15),
        "fee": _step(rng, 20, 60, 5),
    }


def premium(n: Numbers, quantity: str, subject: str) -> Solved:
    """Return the premium of a car by its fuel in a territory, with or without the credit of a claim-free record."""
    fuel = n["diesel"] if quantity == "diesel" else n["petrol"]
    credit = n["credit"] / HUNDRED if quantity == "claim-free petrol" else Decimal(0)
    rated, territory = n["base"] * n[subject] * fuel, n[subject]
    return Solved(
        rated * (ONE - credit) + n["fee"],
        {
            "the fee subject to the relativities": (n["base"] + n["fee"]) * territory * fuel * (ONE - credit),
            "the fee left out": rated * (ONE - credit),
            "relativities added": n["base"] * (territory + fuel - ONE - credit) + n["fee"],
            "the fuel left out": n["base"] * territory * (ONE - credit) + n["fee"],
            "the territory left out": n["base"] * fuel * (ONE - credit) + n["fee"],
            "the credit as a surcharge": rated * (ONE + n["credit"] / HUNDRED) + n["fee"],
        },
    )


# ---- earned premium


def draw_earned(rng: Random) -> dict[str, Decimal]:
    """Return annual premiums and whole months in force of three policies, and a short-rate charge in percent."""
    size = rng.choice((300, 900, 2400))
    numbers = {"charge": _pick(rng, 10, 15, 20)}
    for subject, months in zip(SUBJECTS, rng.sample((2, 3, 4, 5, 7, 8, 9, 10), 3), strict=True):
        numbers[f"premium_{subject}"] = _step(rng, size, 2 * size, 60)
        numbers[f"months_{subject}"] = Decimal(months)
    return numbers


def earned(n: Numbers, quantity: str, subject: str) -> Solved:
    """Return what is earned, unearned or refunded of a policy."""
    premium, months, charge = n[f"premium_{subject}"], n[f"months_{subject}"], n["charge"] / HUNDRED
    unearned = premium * (12 - months) / 12
    results = {"earned": premium - unearned, "unearned": unearned, "refund": unearned * (ONE - charge)}
    return Solved(
        results[quantity],
        {
            "a month too many": premium * (months + 1) / 12,
            "a month too few": premium * (12 - months - 1) / 12,
            "the charge on the whole premium": unearned - premium * charge,
            "the charge on what is earned": results["earned"] * (ONE - charge),
            "the annual premium": premium,
        },
    )


# ---- credibility


def draw_credibility(rng: Random) -> dict[str, Decimal]:
    """Return a standard of full credibility, claims and average claims of two classes, and the manual's average claim."""
    standard = rng.choice((900, 1600, 2500, 3600))
    roots = rng.sample((2, 3, 4, 5, 6, 7, 8), 2)
    manual = rng.randrange(1800, 6200, 50)
    ratios = rng.sample(("0.62", "0.70", "0.78", "1.24", "1.35", "1.48", "1.60"), 2)
    a, b = (Decimal(round(manual * float(ratio))) for ratio in ratios)
    claims = [Decimal(standard) * root * root / HUNDRED for root in roots]
    return {
        "standard": Decimal(standard),
        "claims_a": claims[0],
        "claims_b": claims[1],
        "observed_a": a,
        "observed_b": b,
        "manual": Decimal(manual),
    }


def credibility(n: Numbers, quantity: str, subject: str) -> Solved:
    """Return the credibility-weighted average claim of a class, or of both as one class: a severity is pooled by claims."""
    assert quantity == "weighted"
    if subject == "both":
        claims = n["claims_a"] + n["claims_b"]
        observed = (n["observed_a"] * n["claims_a"] + n["observed_b"] * n["claims_b"]) / claims
    else:
        claims, observed = n[f"claims_{subject}"], n[f"observed_{subject}"]
    share = claims / n["standard"]
    z, manual = min(share.sqrt(), ONE), n["manual"]
    return Solved(
        z * observed + (ONE - z) * manual,
        {
            "no square root": min(share, ONE) * observed + (ONE - min(share, ONE)) * manual,
            "weights exchanged": (ONE - z) * observed + z * manual,
            "the observed value": observed,
            "the simple average": (observed + manual) / 2,
        },
    )


# ---- deductible, limit, coinsurance


def draw_cover(rng: Random) -> dict[str, Decimal]:
    """Return a loss, and a deductible, a limit and a coinsurance of the insured in percent for three policies."""
    loss = Decimal(rng.randrange(6000, 24000, 100))
    numbers = {"loss": loss}
    for subject, share in zip(SUBJECTS, rng.sample(("0.35", "0.55", "0.8", "1.3"), 3), strict=True):
        numbers[f"deductible_{subject}"] = _pick(rng, 250, 500, 1000, 2000, 2500)
        numbers[f"limit_{subject}"] = (loss * Decimal(share) / 500).to_integral_value() * 500
        numbers[f"share_{subject}"] = _pick(rng, 0, 10, 20, 25)
    return numbers


def cover(n: Numbers, quantity: str, subject: str) -> Solved:
    """Return what the insurer pays, or the insured bears, of the loss under a policy."""
    loss, deductible, limit = n["loss"], n[f"deductible_{subject}"], n[f"limit_{subject}"]
    kept = ONE - n[f"share_{subject}"] / HUNDRED
    paid = min((loss - deductible) * kept, limit)
    return Solved(
        paid if quantity == "paid" else loss - paid,
        {
            "the limit before the deductible": (min(loss, limit) - deductible) * kept,
            "no deductible": min(loss * kept, limit),
            "no limit": (loss - deductible) * kept,
            "the coinsurance after the limit": min(loss - deductible, limit) * kept,
            "the deductible after the coinsurance": min(loss * kept - deductible, limit),
            "the coinsurance of the insurer": min((loss - deductible) * (ONE - kept), limit) + deductible,
        },
    )


# ---- increased limits


def draw_limits(rng: Random) -> dict[str, Decimal]:
    """Return average losses limited at three amounts, in thousands, for three lines."""
    numbers = {}
    for subject in SUBJECTS:
        value = rng.uniform(8, 40)
        first = rng.uniform(1.10, 1.60)
        for limit, growth in zip((100, 250, 500), (1.0, first, 1 + (first - 1) * rng.uniform(0.35, 0.8)), strict=True):
            value *= growth
            numbers[f"at_{limit}_{subject}"] = Decimal(str(round(value, 1)))
    return numbers


def limits(n: Numbers, quantity: str, subject: str) -> Solved:
    """Return the increased limits factor of a line at 250 or 500 thousand, relative to 100."""
    low, middle, high = (n[f"at_{limit}_{subject}"] for limit in (100, 250, 500))
    return Solved(
        (middle if quantity == "250" else high) / low,
        {
            "from 250 to 500": high / middle,
            "growth by steps added": middle / low + high / middle - ONE,
            "the first step twice": (middle / low) ** 2,
            "the mean of two limits": (middle + high) / 2 / low,
            "the upper step on the lower limit": ONE + (high - middle) / low,
        },
    )


# ---- premium from the loss cost


def draw_gross(rng: Random) -> dict[str, Decimal]:
    """Return loss costs of three classes, a fixed expense, and variable expense and profit in percent of the premium."""
    size = rng.choice((200, 400, 800))
    losses = {f"loss_{subject}": _step(rng, size, round(1.4 * size), 5) for subject in SUBJECTS}
    return losses | {
        "fixed": _step(rng, size // 10, size // 5, 5),
        "variable": _pick(rng, 15, 18, 20, 22, 25),
        "profit": _pick(rng, 3, 4, 5, 6),
    }


def gross(n: Numbers, quantity: str, subject: str) -> Solved:
    """Return the premium of a class, with all loadings, without profit or without the fixed expense."""
    loss, fixed = n[f"loss_{subject}"], n["fixed"] if quantity != "no fixed" else Decimal(0)
    share = (n["variable"] + (n["profit"] if quantity != "no profit" else 0)) / HUNDRED
    return Solved(
        (loss + fixed) / (ONE - share),
        {
            "loaded by multiplication": (loss + fixed) * (ONE + share),
            "the fixed expense not loaded": loss / (ONE - share) + fixed,
            "nothing but the loss loaded": loss / (ONE - share),
            "the loading as a share of itself": (loss + fixed) / (ONE + share),
            "the variable expense alone": (loss + fixed) / (ONE - n["variable"] / HUNDRED),
        },
    )


# ---- indicated change of rates


def draw_change(rng: Random) -> dict[str, Decimal]:
    """Return on-level premiums and ultimate losses of two coverages in millions, and the permissible loss ratio."""
    permissible = rng.randrange(60, 71)
    premiums = [Decimal(rng.randrange(80, 400)).scaleb(-1) for _ in "ab"]
    ratios = [Decimal(permissible) / HUNDRED * (ONE + Decimal(up) / HUNDRED) for up in rng.sample(range(4, 30), 2)]
    losses = [round(premium * ratio, 1) for premium, ratio in zip(premiums, ratios, strict=True)]
    return {
        "premium_a": premiums[0],
        "premium_b": premiums[1],
        "loss_a": losses[0],
        "loss_b": losses[1],
        "permissible": Decimal(permissible),
    }


def change(n: Numbers, quantity: str, subject: str) -> Solved:
    """Return the indicated change of rates of a coverage, or of both, in percent."""
    assert quantity == "indicated"
    both = subject == "both"
    premium = n["premium_a"] + n["premium_b"] if both else n[f"premium_{subject}"]
    loss = n["loss_a"] + n["loss_b"] if both else n[f"loss_{subject}"]
    ratio, permissible = loss / premium, n["permissible"] / HUNDRED
    return Solved(
        (ratio / permissible - ONE) * HUNDRED,
        {
            "the difference of the ratios": (ratio - permissible) * HUNDRED,
            "the complement of the loss ratio": (ONE - ratio) * HUNDRED,
            "relative to the loss ratio": (ONE - permissible / ratio) * HUNDRED,
        },
    )


# ---- trend


def draw_trend(rng: Random) -> dict[str, Decimal]:
    """Return a year, average claims of its accidents and yearly trends of three coverages, and a first policy year."""
    year, size = rng.randint(2014, 2021), rng.choice((1200, 3000, 7000))
    numbers = {"year": Decimal(year), "first": Decimal(year + rng.choice((1, 2)))}
    for subject, trend in zip(SUBJECTS, rng.sample((2, 3, 4, 5, 6, 7, 8, 9), 3), strict=True):
        numbers[f"claim_{subject}"] = _step(rng, size, round(1.5 * size), 50)
        numbers[f"trend_{subject}"] = Decimal(trend)
    return numbers


def trend(n: Numbers, quantity: str, subject: str) -> Solved:
    """Return the average claim of a coverage under policies of the first policy year or a later one.

    Accidents of a calendar year fall in its middle on average, those of annual policies written over a year at its end.
    """
    years = n["first"] + int(quantity) - n["year"] + Decimal("0.5")
    claim, factor = n[f"claim_{subject}"], ONE + n[f"trend_{subject}"] / HUNDRED
    return Solved(
        claim * factor**years,
        {
            "simple interest": claim * (ONE + (factor - ONE) * years),
            "half a year too few": claim * factor ** (years - Decimal("0.5")),
            "a year too many": claim * factor ** (years + 1),
            "half a year too many": claim * factor ** (years + Decimal("0.5")),
            "one year alone": claim * factor,
        },
    )


MONEY, PERCENT, FACTOR = decimals(0), decimals(1, " %"), decimals(3)
PAIR = ("a", "b", "both")
FAMILIES = (
    Family("relativities", draw_premium, premium, MONEY, ("petrol", "diesel", "claim-free petrol")),
    Family("earned premium", draw_earned, earned, MONEY, ("earned", "unearned", "refund")),
    Family("credibility", draw_credibility, credibility, MONEY, ("weighted",), PAIR),
    Family("deductible and limit", draw_cover, cover, MONEY, ("paid", "borne")),
    Family("increased limits", draw_limits, limits, FACTOR, ("250", "500")),
    Family("gross premium", draw_gross, gross, MONEY, ("premium", "no profit", "no fixed")),
    Family("rate change", draw_change, change, PERCENT, ("indicated",), PAIR),
    Family("trend", draw_trend, trend, MONEY, ("0", "1", "2")),
)
