"""Formulas for equity, fixed income, derivatives, alternatives and portfolio management.

Same form as `formulas_firm`: numbers in, the right value and a dictionary {mistake: value} out; rates in percent.
"""

from __future__ import annotations

from decimal import Decimal

Solved = tuple[Decimal, dict[str, Decimal]]


# --- equity ------------------------------------------------------------------------------------------------------
def gordon_growth(d0: Decimal, g: Decimal, r: Decimal) -> Solved:
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


def justified_forward_pe(payout: Decimal, g: Decimal, r: Decimal) -> Solved:
    """Payout over (r - g)."""
    if r - g < 2:
        raise ValueError
    return payout / (r - g), {
        "trailing for forward": payout * (1 + g / 100) / (r - g),
        "growth ignored": payout / r,
        "retention instead of payout": (100 - payout) / (r - g),
    }


def sustainable_growth(roe: Decimal, payout: Decimal) -> Solved:
    """Return on equity times retention."""
    if payout == 50:
        raise ValueError
    return roe * (100 - payout) / 100, {
        "payout instead of retention": roe * payout / 100,
        "retention ignored": roe,
        "retention squared": roe * (100 - payout) ** 2 / 10000,
    }


def preferred_value(d: Decimal, r: Decimal) -> Solved:
    """A perpetuity."""
    value = d * 100 / r
    return value, {
        "dividend grown by the rate": value * (1 + r / 100),
        "discounted one more year": value / (1 + r / 100),
        "one dividend only": d / (1 + r / 100),
    }


def cap_weighted_index(va: Decimal, ra: Decimal, vb: Decimal, rb: Decimal) -> Solved:
    """Weights by beginning market value; the second stock falls."""
    return (va * ra - vb * rb) / (va + vb), {
        "equal weights": (ra - rb) / 2,
        "minus sign forgotten": (va * ra + vb * rb) / (va + vb),
        "weights swapped": (vb * ra - va * rb) / (va + vb),
        "small stock ignored": -rb,
    }


def margin_call_price(p: Decimal, initial: Decimal, maintenance: Decimal) -> Solved:
    """The price at which equity over value is the maintenance margin."""
    loan, equity = p * (100 - initial), p * (100 - maintenance)
    return loan / (100 - maintenance), {
        "margins swapped": equity / (100 - initial),
        "loan per share only": loan / 100,
        "maintenance taken from the price": equity / 100,
    }


# --- fixed income ------------------------------------------------------------------------------------------------
def zero_coupon_price(y: Decimal, n: Decimal) -> Solved:
    """Face 1,000, semiannual bond basis."""
    half = 1 + y / 200
    return 1000 / half ** (2 * n), {
        "compounded once a year": 1000 / (1 + y / 100) ** n,
        "half rate, whole years": 1000 / half**n,
        "full rate, half-years": 1000 / (1 + y / 100) ** (2 * n),
    }


def current_yield(coupon: Decimal, price: Decimal) -> Solved:
    """Annual coupon over price."""
    if price == 100:
        raise ValueError
    return coupon * 100 / price, {
        "coupon rate for yield": coupon,
        "price over par used": coupon * price / 100,
        "one half-yearly coupon": coupon * 50 / price,
    }


def duration_price_change(duration: Decimal, bp: Decimal) -> Solved:
    """Minus duration times yield change."""
    move = duration * bp / 100
    return -move, {
        "minus sign forgotten": move,
        "basis points misread": -move / 10,
        "duration halved": -move / 2,
        "duration doubled": -2 * move,
    }


def modified_duration(mac: Decimal, y: Decimal) -> Solved:
    """Macaulay duration over one plus the yield."""
    growth = 1 + y / 100
    return mac / growth, {
        "multiplied instead of divided": mac * growth,
        "half-yearly yield used": mac / (1 + y / 200),
        "discounted twice": mac / growth**2,
        "Macaulay for modified": mac,
    }


def implied_forward_rate(z1: Decimal, z2: Decimal) -> Solved:
    """Two-year growth over one-year growth."""
    if z2 - z1 < 1 or z2 - z1 > 3:
        raise ValueError
    a, b = 1 + z1 / 100, 1 + z2 / 100
    return (b * b / a - 1) * 100, {
        "average of the rates": (z1 + z2) / 2,
        "two-year rate not squared": (b / a - 1) * 100,
        "cubed instead of squared": (b**3 / a**2 - 1) * 100,
    }


def coupon_bond_price(coupon: Decimal, y: Decimal, n: Decimal) -> Solved:
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


def expected_credit_loss(exposure: Decimal, pd: Decimal, recovery: Decimal) -> Solved:
    """Exposure times default probability times loss severity."""
    if recovery == 50:
        raise ValueError
    loss = exposure * pd / 100
    return loss * (100 - recovery) / 100, {
        "recovery taken as loss": loss * recovery / 100,
        "recovery ignored": loss,
        "severity applied twice": loss * (100 - recovery) ** 2 / 10000,
    }


# --- derivatives -------------------------------------------------------------------------------------------------
def forward_price(s: Decimal, r: Decimal, months: Decimal) -> Solved:
    """Spot compounded over the life."""
    growth = (1 + r / 100) ** (months / 12)
    return s * growth, {
        "full year compounded": s * (1 + r / 100),
        "discounted instead": s / growth,
        "spot for forward": s,
    }


def put_call_parity(s: Decimal, k: Decimal, c: Decimal, r: Decimal) -> Solved:
    """One-year put: call plus discounted strike less stock."""
    pv = k / (1 + r / 100)
    put = c + pv - s
    if put < 1 or c <= max(s - pv, Decimal(0)) or s == pv:
        raise ValueError
    return put, {
        "strike not discounted": c + k - s,
        "signs of stock and strike swapped": c - pv + s,
        "call subtracted": pv + s - c,
        "strike discounted twice": c + pv / (1 + r / 100) - s,
    }


def long_call_profit(k: Decimal, premium: Decimal, gain: Decimal) -> Solved:
    """Payoff less premium."""
    return gain - premium, {
        "premium forgotten": gain,
        "premium added": gain + premium,
        "option not exercised": -premium,
    }


def put_breakeven(k: Decimal, premium: Decimal, s: Decimal) -> Solved:
    """Strike less premium."""
    return k - premium, {
        "premium added": k + premium,
        "stock price instead of strike": s - premium,
        "premium subtracted twice": k - 2 * premium,
        "premium ignored": k,
    }


def risk_neutral_probability(up: Decimal, down: Decimal, r: Decimal) -> Solved:
    """(1 + r - d) / (u - d)."""
    growth = 1 + r / 100
    if growth >= up:
        raise ValueError
    return (growth - down) / (up - down), {
        "probability of a down move": (up - growth) / (up - down),
        "interest ignored": (1 - down) / (up - down),
        "interest counted twice": (growth + r / 100 - down) / (up - down),
    }


def short_futures_gain(contracts: Decimal, size: Decimal, start: Decimal, end: Decimal) -> Solved:
    """A short gains when the price falls."""
    if start == end:
        raise ValueError
    gain = contracts * size * (start - end)
    return gain, {
        "sign of a long position": -gain,
        "one contract only": size * (start - end),
        "one contract too many": (contracts + 1) * size * (start - end),
    }


def swap_settlement(notional: Decimal, fixed: Decimal, floating: Decimal) -> Solved:
    """Half a year of floating less fixed."""
    if fixed == floating:
        raise ValueError
    net = notional * (floating - fixed) / 200
    return net, {
        "sign of the floating payer": -net,
        "full year paid": 2 * net,
        "floating leg only": notional * floating / 200,
        "quarter paid": net / 2,
    }


# --- alternatives ------------------------------------------------------------------------------------------------
def hedge_fund_fees(assets: Decimal, fee: Decimal, incentive: Decimal, gain: Decimal) -> Solved:
    """Management fee on the start, incentive on the gain after it."""
    management, profit = assets * fee / 100, assets * gain / 100
    return management + (profit - management) * incentive / 100, {
        "incentive before the management fee": management + profit * incentive / 100,
        "management fee forgotten": profit * incentive / 100,
        "incentive only, after the fee": (profit - management) * incentive / 100,
        "fee on ending assets": management * (1 + gain / 100) + profit * incentive / 100,
    }


def capitalized_property_value(rent: Decimal, costs: Decimal, interest: Decimal, cap: Decimal) -> Solved:
    """Net operating income over the cap rate; interest is financing."""
    return (rent - costs) * 100 / cap, {
        "interest deducted": (rent - costs - interest) * 100 / cap,
        "costs not deducted": rent * 100 / cap,
        "interest added": (rent - costs + interest) * 100 / cap,
    }


def total_value_multiple(paid: Decimal, distributed: Decimal, remaining: Decimal) -> Solved:
    """Distributions plus remaining value over paid-in capital."""
    return (distributed + remaining) / paid, {
        "remaining value left out": distributed / paid,
        "distributions left out": remaining / paid,
        "paid-in capital counted too": (distributed + remaining + paid) / paid,
    }


def commodity_futures_return(spot: Decimal, roll: Decimal, collateral: Decimal) -> Solved:
    """Spot return less contango roll plus collateral."""
    return spot - roll + collateral, {
        "roll loss added": spot + roll + collateral,
        "collateral left out": spot - roll,
        "roll loss left out": spot + collateral,
        "collateral deducted": spot - roll - collateral,
    }


def high_water_mark_fee(start: Decimal, mark: Decimal, end: Decimal, incentive: Decimal) -> Solved:
    """Incentive on the rise above the earlier peak."""
    i = incentive / 100
    return (end - mark) * i, {
        "high-water mark ignored": (end - start) * i,
        "fee on the recovery only": (mark - start) * i,
        "start and mark averaged": (end - (start + mark) / 2) * i,
        "fee taken on a fee-paid gain": (end - mark) * (1 - i) * i,
    }


# --- portfolio management ----------------------------------------------------------------------------------------
def capm(rf: Decimal, beta: Decimal, market: Decimal) -> Solved:
    """Risk-free rate plus beta times the market premium."""
    if beta == 1:
        raise ValueError
    return rf + beta * (market - rf), {
        "market return taken as premium": rf + beta * market,
        "risk-free rate not added": beta * (market - rf),
        "beta ignored": market,
    }


def sharpe_ratio(r: Decimal, rf: Decimal, sd: Decimal, beta: Decimal) -> Solved:
    """Excess return over standard deviation."""
    return (r - rf) / sd, {
        "risk-free rate not deducted": r / sd,
        "systematic risk only": (r - rf) / (sd * beta),
        "risk-free rate deducted twice": (r - 2 * rf) / sd,
    }


def two_asset_risk(w: Decimal, sa: Decimal, sb: Decimal) -> Solved:
    """Two uncorrelated assets."""
    a, b = w / 100 * sa, (1 - w / 100) * sb
    return (a * a + b * b).sqrt(), {
        "correlation of one": a + b,
        "correlation of minus one": abs(a - b),
        "weights not squared": (w / 100 * sa * sa + (1 - w / 100) * sb * sb).sqrt(),
    }


def jensen_alpha(r: Decimal, rf: Decimal, beta: Decimal, market: Decimal) -> Solved:
    """Return less the CAPM return."""
    alpha = r - (rf + beta * (market - rf))
    return alpha, {
        "beta ignored": r - market,
        "minus sign forgotten": -alpha,
        "risk-free rate not deducted": r - beta * (market - rf),
        "market return taken as premium": r - (rf + beta * market),
    }


def required_return(spending: Decimal, wealth: Decimal, inflation: Decimal) -> Solved:
    """Spending rate and inflation compounded."""
    rate, growth = spending / wealth, 1 + inflation / 100
    return ((1 + rate) * growth - 1) * 100, {
        "added, not compounded": rate * 100 + inflation,
        "inflation ignored": rate * 100,
        "inflation counted twice": ((1 + rate) * growth**2 - 1) * 100,
    }


def investor_utility(r: Decimal, aversion: Decimal, sd: Decimal) -> Solved:
    """Return less half of risk aversion times variance, in percent."""
    penalty = aversion * sd * sd / 100
    return r - penalty / 2, {
        "half forgotten": r - penalty,
        "penalty added": r + penalty / 2,
        "deviation, not variance": r - aversion * sd / 20,
    }
