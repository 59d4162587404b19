"""Formulas for derivatives, alternatives and portfolio management.

Same form as `formulas_firm`: numbers in, the right value and a dictionary {mistake: value} out; rates in percent.
"""

from __future__ import annotations

from decimal import Decimal

Solution = tuple[Decimal, dict[str, Decimal]]


# --- derivatives -------------------------------------------------------------------------------------------------
def forward_price(s: Decimal, r: Decimal, months: Decimal) -> Solution:
    """Spot compounded over the life."""
    growth = (1 + r / 100) ** (months / 12)
    return s * growth, {
        "full year compounded": s * (1 + r / 100),
        "discounted instead": s / growth,
        "spot for forward": s,
    }


def put_call_parity(s: Decimal, k: Decimal, c: Decimal, r: Decimal) -> Solution:
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


def long_call_profit(k: Decimal, premium: Decimal, gain: Decimal) -> Solution:
    """Payoff less premium."""
    return gain - premium, {
        "premium forgotten": gain,
        "premium added": gain + premium,
        "option not exercised": -premium,
    }


def put_breakeven(k: Decimal, premium: Decimal, s: Decimal) -> Solution:
    """Strike less premium."""
    return k - premium, {
        "premium added": k + premium,
        "stock price instead of strike": s - premium,
        "premium subtracted twice": k - 2 * premium,
        "premium ignored": k,
    }


def risk_neutral_probability(up: Decimal, down: Decimal, r: Decimal) -> Solution:
    """(1 + r - d) / (u - d)."""
    growth = 1 + r / 100
    if growth >= up:
        raise ValueError
    return (growth - down) / (up - down), {
        "probability of a down move": (up - growth) / (up - down),
        "interest ignored": (1 - down) / (up - down),
        "interest counted twice": (growth + r / 100 - down) / (up - down),
    }


def short_futures_gain(contracts: Decimal, size: Decimal, start: Decimal, end: Decimal) -> Solution:
    """A short gains when the price falls."""
    if start == end:
        raise ValueError
    gain = contracts * size * (start - end)
    return gain, {
        "sign of a long position": -gain,
        "one contract only": size * (start - end),
        "one contract too many": (contracts + 1) * size * (start - end),
    }


def swap_settlement(notional: Decimal, fixed: Decimal, floating: Decimal) -> Solution:
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
def hedge_fund_fees(assets: Decimal, fee: Decimal, incentive: Decimal, gain: Decimal) -> Solution:
    """Management fee on the start, incentive on the gain after it."""
    management, profit = assets * fee / 100, assets * gain / 100
    return management + (profit - management) * incentive / 100, {
        "incentive before the management fee": management + profit * incentive / 100,
        "management fee forgotten": profit * incentive / 100,
        "incentive only, after the fee": (profit - management) * incentive / 100,
        "fee on ending assets": management * (1 + gain / 100) + profit * incentive / 100,
    }


def capitalized_property_value(rent: Decimal, costs: Decimal, interest: Decimal, cap: Decimal) -> Solution:
    """Net operating income over the cap rate; interest is financing."""
    return (rent - costs) * 100 / cap, {
        "interest deducted": (rent - costs - interest) * 100 / cap,
        "costs not deducted": rent * 100 / cap,
        "interest added": (rent - costs + interest) * 100 / cap,
    }


def total_value_multiple(paid: Decimal, distributed: Decimal, remaining: Decimal) -> Solution:
    """Distributions plus remaining value over paid-in capital."""
    return (distributed + remaining) / paid, {
        "remaining value left out": distributed / paid,
        "distributions left out": remaining / paid,
        "paid-in capital counted too": (distributed + remaining + paid) / paid,
    }


def commodity_futures_return(spot: Decimal, roll: Decimal, collateral: Decimal) -> Solution:
    """Spot return less contango roll plus collateral."""
    return spot - roll + collateral, {
        "roll loss added": spot + roll + collateral,
        "collateral left out": spot - roll,
        "roll loss left out": spot + collateral,
        "collateral deducted": spot - roll - collateral,
    }


def high_water_mark_fee(start: Decimal, mark: Decimal, end: Decimal, incentive: Decimal) -> Solution:
    """Incentive on the rise above the earlier peak."""
    i = incentive / 100
    return (end - mark) * i, {
        "high-water mark ignored": (end - start) * i,
        "fee on the recovery only": (mark - start) * i,
        "start and mark averaged": (end - (start + mark) / 2) * i,
        "fee taken on a fee-paid gain": (end - mark) * (1 - i) * i,
    }


# --- portfolio management ----------------------------------------------------------------------------------------
def capm(rf: Decimal, beta: Decimal, market: Decimal) -> Solution:
    """Risk-free rate plus beta times the market premium."""
    if beta == 1:
        raise ValueError
    return rf + beta * (market - rf), {
        "market return taken as premium": rf + beta * market,
        "risk-free rate not added": beta * (market - rf),
        "beta ignored": market,
    }


def sharpe_ratio(r: Decimal, rf: Decimal, sd: Decimal, beta: Decimal) -> Solution:
    """Excess return over standard deviation."""
    return (r - rf) / sd, {
        "risk-free rate not deducted": r / sd,
        "systematic risk only": (r - rf) / (sd * beta),
        "risk-free rate deducted twice": (r - 2 * rf) / sd,
    }


def two_asset_risk(w: Decimal, sa: Decimal, sb: Decimal) -> Solution:
    """Two uncorrelated assets."""
    a, b = w / 100 * sa, (1 - w / 100) * sb
    return (a * a + b * b).sqrt(), {
        "correlation of one": a + b,
        "correlation of minus one": abs(a - b),
        "weights not squared": (w / 100 * sa * sa + (1 - w / 100) * sb * sb).sqrt(),
    }


def jensen_alpha(r: Decimal, rf: Decimal, beta: Decimal, market: Decimal) -> Solution:
    """Return less the CAPM return."""
    alpha = r - (rf + beta * (market - rf))
    return alpha, {
        "beta ignored": r - market,
        "minus sign forgotten": -alpha,
        "risk-free rate not deducted": r - beta * (market - rf),
        "market return taken as premium": r - (rf + beta * market),
    }


def required_return(spending: Decimal, wealth: Decimal, inflation: Decimal) -> Solution:
    """Spending rate and inflation compounded."""
    rate, growth = spending / wealth, 1 + inflation / 100
    return ((1 + rate) * growth - 1) * 100, {
        "added, not compounded": rate * 100 + inflation,
        "inflation ignored": rate * 100,
        "inflation counted twice": ((1 + rate) * growth**2 - 1) * 100,
    }


def investor_utility(r: Decimal, aversion: Decimal, sd: Decimal) -> Solution:
    """Return less half of risk aversion times variance, in percent."""
    penalty = aversion * sd * sd / 100
    return r - penalty / 2, {
        "half forgotten": r - penalty,
        "penalty added": r + penalty / 2,
        "deviation, not variance": r - aversion * sd / 20,
    }
