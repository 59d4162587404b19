"""Formulas of options: the price of a call, and the parity of put and call.

A problem of parity gives all values of the relation but one, and asks for that one. Fractions of a year, the exponential
function and the normal distribution give floats; all other results are exact.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction

from tasks.data.financial_math.reader import Cue, Reading


def _black_scholes(spot: Fraction, strike: Fraction, rate: Fraction, years: Fraction, volatility: Fraction) -> float:
    """Return the price of a European call on a share without dividends (Black and Scholes 1973)."""
    s, x, r, t, sigma = (float(part) for part in (spot, strike, rate, years, volatility))
    spread = sigma * math.sqrt(t)
    d1 = (math.log(s / x) + (r + sigma**2 / 2) * t) / spread
    return s * _normal(d1) - x * math.exp(-r * t) * _normal(d1 - spread)


def _normal(z: float) -> float:
    return (1 + math.erf(z / math.sqrt(2))) / 2


def _discounted(strike: Fraction, rate: Fraction, years: Fraction) -> Fraction | float:
    if years.denominator == 1:
        return strike / (1 + rate) ** int(years)
    return float(float(strike) / math.pow(1 + rate, years))


_LENGTH: tuple[Cue, ...] = (r"#n years?\b", (r"#n[ -]months?\b", Fraction(1, 12)), (r"expiring in one year", 1))
_AT = r" ?(?:price|cost)? ?(?:is|of|at|costs)? ?(?:valued|priced)? ?(?:at)? ?"
_PARITY: Mapping[str, tuple[Cue, ...]] = {
    "call": (rf"\(c\){_AT}#m", r"\bcall option (?:priced at|costs) #m"),
    "put": (rf"\(p\){_AT}#m", r"\bput option (?:price of )?#m"),
    "spot": (rf"\(s\){_AT}#m", r"underlying (?:asset|stock) (?:is )?priced at #m"),
    "strike": (rf"\(x\){_AT}#m",),
    "rate": ("#p",),
    "years": _LENGTH,
}
_PUT_CALL_REFUSED = {r"difference|changes|affect|increase": "asks for a difference or a change"}


def _parity(unknown: str) -> Reading:
    roles = {name: cues for name, cues in _PARITY.items() if name != unknown}

    def value(**values: Fraction) -> Fraction | float:
        rate, years = values["rate"], values["years"]
        if unknown == "strike":
            growth = _discounted(Fraction(1), rate, years)
            return (values["spot"] - values["call"] + values["put"]) / growth
        paid = _discounted(values["strike"], rate, years)
        if unknown == "call":
            return values["put"] + values["spot"] - paid
        if unknown == "put":
            return values["call"] - values["spot"] + paid
        return values["call"] - values["put"] + paid

    return Reading(roles, value, refused=_PUT_CALL_REFUSED)


OPTIONS: Mapping[str, tuple[Reading, ...]] = {
    "Black-Scholes Option Pricing Model": (
        Reading(
            {
                "spot": (
                    r"\bs_0\)?:? ?=? ?#m",
                    r"stock (?:price )?(?:is )?(?:currently )?(?:priced|trading)? ?(?:at|is|is at) #m",
                ),
                "strike": (r"(?:\bx\)?:? ?=? ?|exercise price~|strike price~)#m", r"\ba #m strike price"),
                "rate": (
                    r"\(r\)(?::| =) #p",
                    r"\br: #p",
                    r"(?:risk-free|riskless) (?:interest )?rate~#p",
                    r"#p risk-free rate",
                ),
                "years": _LENGTH,
                "volatility": (r"\(?σ\)?(?::| =) #p", r"volatility~#p", r"#p volatility", r"\(apo\): #p"),
            },
            _black_scholes,
        ),
    ),
    "Put-Call Parity": (
        *(_parity(name) for name in ("call", "put", "spot", "strike")),
        Reading(
            {
                "question": ((r"determine the difference between call option price \(c\) and put option price", 1),),
                **{name: _PARITY[name] for name in ("spot", "strike", "rate", "years")},
            },
            lambda question, spot, strike, rate, years: spot - _discounted(strike, rate, years),
        ),
    ),
}
