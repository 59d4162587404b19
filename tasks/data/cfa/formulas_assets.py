"""Formulas for equity and fixed income.

Same form as `formulas_firm`: numbers in, the right value and a dictionary {mistake: value} out; rates in percent.
"""

from __future__ import annotations

from decimal import Decimal

Solution = tuple[Decimal, dict[str, Decimal]]


# --- equity ------------------------------------------------------------------------------------------------------
def gordon_growth(d0: Decimal, g: Decimal, r: Decimal) -> Solution:
    """Next dividend over the difference of required return and growth."""
    if r - g < 2:
        raise ValueError
    d1 = d0 * (1 + g / 100)
    return d1 * 100 / (r - g), {
        "dividend not grown": d0 * 100 / (r - g),
        "dividend grown twice": d1 * (1 + g / 100) * 100 / (r - g),
        "growth added to the rate": d1 * 100 / (r + g),
        "growth ignored in the rate": d1 * 100 / r,
    }


def justified_forward_pe(payout: Decimal, g: Decimal, r: Decimal) -> Solution:
    """Payout over (r - g)."""
    if r - g < 2:
        raise ValueError
    return payout / (r - g), {
        "trailing for forward": payout * (1 + g / 100) / (r - g),
        "growth ignored": payout / r,
        "retention instead of payout": (100 - payout) / (r - g),
    }


def sustainable_growth(roe: Decimal, payout: Decimal) -> Solution:
    """Return on equity times retention."""
    if payout == 50:
        raise ValueError
    return roe * (100 - payout) / 100, {
        "payout instead of retention": roe * payout / 100,
        "retention ignored": roe,
        "retention squared": roe * (100 - payout) ** 2 / 10000,
    }


def preferred_value(d: Decimal, r: Decimal) -> Solution:
    """A perpetuity."""
    value = d * 100 / r
    return value, {
        "dividend grown by the rate": value * (1 + r / 100),
        "discounted one more year": value / (1 + r / 100),
        "one dividend only": d / (1 + r / 100),
    }


def cap_weighted_index(va: Decimal, ra: Decimal, vb: Decimal, rb: Decimal) -> Solution:
    """Weights by beginning market value; the second stock falls."""
    return (va * ra - vb * rb) / (va + vb), {
        "equal weights": (ra - rb) / 2,
        "minus sign forgotten": (va * ra + vb * rb) / (va + vb),
        "weights swapped": (vb * ra - va * rb) / (va + vb),
        "small stock ignored": -rb,
    }


def margin_call_price(p: Decimal, initial: Decimal, maintenance: Decimal) -> Solution:
    """The price at which equity over value is the maintenance margin."""
    loan, equity = p * (100 - initial), p * (100 - maintenance)
    return loan / (100 - maintenance), {
        "margins swapped": equity / (100 - initial),
        "loan per share only": loan / 100,
        "maintenance taken from the price": equity / 100,
    }


# --- fixed income ------------------------------------------------------------------------------------------------
def zero_coupon_price(y: Decimal, n: Decimal) -> Solution:
    """Face 1,000, semiannual bond basis."""
    half = 1 + y / 200
    return 1000 / half ** (2 * n), {
        "compounded once a year": 1000 / (1 + y / 100) ** n,
        "half rate, whole years": 1000 / half**n,
        "full rate, half-years": 1000 / (1 + y / 100) ** (2 * n),
    }


def current_yield(coupon: Decimal, price: Decimal) -> Solution:
    """Annual coupon over price."""
    if price == 100:
        raise ValueError
    return coupon * 100 / price, {
        "coupon rate for yield": coupon,
        "price over par used": coupon * price / 100,
        "one half-yearly coupon": coupon * 50 / price,
    }


def duration_price_change(duration: Decimal, bp: Decimal) -> Solution:
    """Minus duration times yield change."""
    move = duration * bp / 100
    return -move, {
        "minus sign forgotten": move,
        "basis points misread": -move / 10,
        "duration halved": -move / 2,
        "duration doubled": -2 * move,
    }


def modified_duration(mac: Decimal, y: Decimal) -> Solution:
    """Macaulay duration over one plus the yield."""
    growth = 1 + y / 100
    return mac / growth, {
        "multiplied instead of divided": mac * growth,
        "half-yearly yield used": mac / (1 + y / 200),
        "discounted twice": mac / growth**2,
        "Macaulay for modified": mac,
    }


def implied_forward_rate(z1: Decimal, z2: Decimal) -> Solution:
    """Two-year growth over one-year growth."""
    if z2 - z1 < 1 or z2 - z1 > 3:
        raise ValueError
    a, b = 1 + z1 / 100, 1 + z2 / 100
    return (b * b / a - 1) * 100, {
        "average of the rates": (z1 + z2) / 2,
        "two-year rate not squared": (b / a - 1) * 100,
        "cubed instead of squared": (b**3 / a**2 - 1) * 100,
    }


def coupon_bond_price(coupon: Decimal, y: Decimal, n: Decimal) -> Solution:
    """Annual coupons plus face, per 100."""
    if coupon == y:
        raise ValueError

    def price(c: Decimal, rate: Decimal) -> Decimal:
        v = 1 / (1 + rate / 100) ** n
        return c * (1 - v) * 100 / rate + 100 * v

    return price(coupon, y), {
        "coupon and yield swapped": price(y, coupon),
        "last coupon forgotten": price(coupon, y) - coupon / (1 + y / 100) ** n,
        "one coupon too many": price(coupon, y) + coupon,
    }


def expected_credit_loss(exposure: Decimal, pd: Decimal, recovery: Decimal) -> Solution:
    """Exposure times default probability times loss severity."""
    if recovery == 50:
        raise ValueError
    loss = exposure * pd / 100
    return loss * (100 - recovery) / 100, {
        "recovery taken as loss": loss * recovery / 100,
        "recovery ignored": loss,
        "severity applied twice": loss * (100 - recovery) ** 2 / 10000,
    }
