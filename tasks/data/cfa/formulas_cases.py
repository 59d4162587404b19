"""Formulas that only the cases use: one for each topic that had fewer than three in a case.

Same form as `formulas_firm`: numbers in, the right value and a dictionary {mistake: value} out; rates in percent.
"""

from __future__ import annotations

from decimal import Decimal

Solution = tuple[Decimal, dict[str, Decimal]]


def mixed_use_cost(cost: Decimal, research: Decimal) -> Solution:
    """The part that is not research is the firm's; cost in thousands, the answer in full units of money."""
    price = cost * 1000
    return price * (100 - research) / 100, {
        "research part taken": price * research / 100,
        "nothing left to clients": price,
        "equal parts": price / 2,
    }


def days_of_receivables(sales: Decimal, cogs: Decimal, receivables: Decimal) -> Solution:
    """365 days over receivables turnover."""
    return 365 * receivables / sales, {
        "cost instead of sales": 365 * receivables / cogs,
        "turnover instead of days": sales / receivables,
        "gross profit instead of sales": 365 * receivables / (sales - cogs),
    }


def fifo_inventory(old: Decimal, price_old: Decimal, new: Decimal, price_new: Decimal, sold: Decimal) -> Solution:
    """The newest units are left."""
    if not max(old, new) < sold < old + new:
        raise ValueError
    left = old + new - sold
    return left * price_new, {
        "last in, first out": left * price_old,
        "average cost": left * (old * price_old + new * price_new) / (old + new),
        "units sold instead of left": sold * price_new - old * (price_new - price_old),
    }


def leverage_at_volume(price: Decimal, variable: Decimal, fixed: Decimal, units: Decimal) -> Solution:
    """Contribution over operating income."""
    contribution = units * (price - variable)
    if contribution < fixed * Decimal("1.2"):
        raise ValueError
    return contribution / (contribution - fixed), {
        "sales in the numerator": units * price / (contribution - fixed),
        "ratio inverted": (contribution - fixed) / contribution,
        "fixed costs in the numerator": fixed / (contribution - fixed),
    }


def call_profit(k: Decimal, premium: Decimal, st: Decimal) -> Solution:
    """Payoff at expiration less premium."""
    payoff = st - k
    if payoff <= 0 or payoff == premium:
        raise ValueError
    return payoff - premium, {
        "premium forgotten": payoff,
        "premium added": payoff + premium,
        "option not exercised": -premium,
    }


def covered_call_breakeven(s: Decimal, k: Decimal, premium: Decimal) -> Solution:
    """The stock price paid less the premium received."""
    return s - premium, {
        "premium added": s + premium,
        "exercise price instead of stock price": k - premium,
        "exercise price plus premium": k + premium,
        "premium ignored": s,
    }


def swap_settlement_million(notional: Decimal, fixed: Decimal, floating: Decimal) -> Solution:
    """Half a year of floating less fixed; notional in millions, the answer in full units of money."""
    if fixed == floating:
        raise ValueError
    net = notional * (floating - fixed) * 5000
    return net, {
        "sign of the floating payer": -net,
        "full year paid": 2 * net,
        "floating leg only": notional * floating * 5000,
        "quarter paid": net / 2,
    }


def interest_coverage(rent: Decimal, costs: Decimal, interest: Decimal) -> Solution:
    """Net operating income over interest."""
    income = rent - costs
    return income / interest, {
        "costs not deducted": rent / interest,
        "interest deducted from income": (income - interest) / interest,
        "costs added to interest": rent / (costs + interest),
    }
