"""Formulas for ethics, quantitative methods, economics, statements and corporate issuers.

Each function takes the numbers of a question (rates in percent) and returns the right value with a dictionary
{mistake: its wrong value}. A `ValueError` means that the numbers make no sense together.
"""

from __future__ import annotations

from decimal import Decimal

Solution = tuple[Decimal, dict[str, Decimal]]


# --- ethics ------------------------------------------------------------------------------------------------------
def pro_rata_allocation(order: Decimal, block: Decimal, filled: Decimal, accounts: Decimal) -> Solution:
    """The account's share of the fill is its share of the block."""
    if order >= block or filled >= block or filled * order % block:
        raise ValueError
    return filled * order / block, {
        "equal split by account": filled / accounts,
        "filled in full": min(order, filled),
        "unfilled part used": (block - filled) * order / block,
    }


def trade_error_refund(shares: Decimal, paid: Decimal, right: Decimal, commission: Decimal) -> Solution:
    """The excess price on every share plus the needless commission."""
    excess = shares * (paid - right)
    return excess + commission, {
        "commission forgotten": excess,
        "commission subtracted": excess - commission,
        "commission charged twice": excess + 2 * commission,
    }


def composite_return(a: Decimal, ra: Decimal, b: Decimal, rb: Decimal) -> Solution:
    """Returns weighted by beginning assets."""
    return (a * ra + b * rb) / (a + b), {
        "simple average": (ra + rb) / 2,
        "weights swapped": (a * rb + b * ra) / (a + b),
        "best account only": max(ra, rb),
        "worst account only": min(ra, rb),
    }


def net_of_fee_return(gross: Decimal, fee: Decimal) -> Solution:
    """The fee is taken from the ending value."""
    net = (1 + gross / 100) * (1 - fee / 100) - 1
    return net * 100, {
        "gross shown": gross,
        "fee added": ((1 + gross / 100) * (1 + fee / 100) - 1) * 100,
        "fee on the gain only": gross * (1 - fee / 100),
        "fee taken twice": ((1 + gross / 100) * (1 - fee / 100) ** 2 - 1) * 100,
    }


def referral_payment(assets: Decimal, fee: Decimal, part: Decimal) -> Solution:
    """Assets in thousands; the answer in full units of money."""
    total_fee = assets * 1000 * fee / 100
    return total_fee * part / 100, {
        "whole fee": total_fee,
        "adviser's part": total_fee * (1 - part / 100),
        "decimal point slipped": total_fee * part / 1000,
    }


# --- quantitative methods ----------------------------------------------------------------------------------------
def future_value(p: Decimal, r: Decimal, n: Decimal) -> Solution:
    """Compound growth."""
    growth = 1 + r / 100
    return p * growth**n, {
        "simple interest": p * (1 + r / 100 * n),
        "one period short": p * growth ** (n - 1),
        "one period too many": p * growth ** (n + 1),
    }


def effective_annual_rate(r: Decimal, m: Decimal) -> Solution:
    """The periodic rate compounded over a year."""

    def rate(periods: Decimal) -> Decimal:
        return ((1 + r / 100 / periods) ** periods - 1) * 100

    return rate(m), {
        "nominal for effective": r,
        "wrong compounding period, half-year": rate(Decimal(2)),
        "wrong compounding period, quarter": rate(Decimal(4)),
        "wrong compounding period, month": rate(Decimal(12)),
        "wrong compounding period, day": rate(Decimal(365)),
    }


def present_value(f: Decimal, r: Decimal, n: Decimal) -> Solution:
    """A single sum discounted."""
    growth = 1 + r / 100
    return f / growth**n, {
        "simple discount": f / (1 + r / 100 * n),
        "one period short": f / growth ** (n - 1),
        "one period too many": f / growth ** (n + 1),
    }


def holding_period_return(p0: Decimal, p1: Decimal, d: Decimal) -> Solution:
    """Price change plus income over the beginning price."""
    return (p1 - p0 + d) / p0 * 100, {
        "income forgotten": (p1 - p0) / p0 * 100,
        "divided by the ending price": (p1 - p0 + d) / p1 * 100,
        "income counted twice": (p1 - p0 + 2 * d) / p0 * 100,
    }


def coefficient_of_variation(sd: Decimal, mean: Decimal) -> Solution:
    """Standard deviation over mean."""
    return sd / mean, {
        "ratio inverted": mean / sd,
        "ratio squared": (sd / mean) ** 2,
        "excess over the mean": abs(sd - mean) / mean,
    }


def geometric_mean_return(up: Decimal, down: Decimal) -> Solution:
    """Compound growth per year over two years."""
    product = (1 + up / 100) * (1 - down / 100)
    return (product.sqrt() - 1) * 100, {
        "arithmetic mean": (up - down) / 2,
        "root forgotten": (product - 1) * 100,
        "minus sign forgotten": (((1 + up / 100) * (1 + down / 100)).sqrt() - 1) * 100,
    }


# --- economics ---------------------------------------------------------------------------------------------------
def real_rate(nominal: Decimal, inflation: Decimal) -> Solution:
    """Fisher relation, exact."""
    if nominal <= inflation:
        raise ValueError
    return ((1 + nominal / 100) / (1 + inflation / 100) - 1) * 100, {
        "approximate difference": nominal - inflation,
        "inflation added": nominal + inflation,
        "difference discounted twice": (nominal - inflation) / (1 + inflation / 100) ** 2,
    }


def demand_elasticity(dq: Decimal, dp: Decimal) -> Solution:
    """Percentage change in quantity over percentage change in price."""
    return -dq / dp, {"minus sign forgotten": dq / dp, "ratio inverted": -dp / dq, "inverted, no sign": dp / dq}


def cross_rate(ab: Decimal, bc: Decimal) -> Solution:
    """Chain of two quotes."""
    return ab * bc, {"divided": ab / bc, "divided the other way": bc / ab, "quotes added": ab + bc}


def forward_exchange_rate(spot: Decimal, home: Decimal, foreign: Decimal) -> Solution:
    """Covered interest parity, home units per foreign unit."""
    h, f = 1 + home / 100, 1 + foreign / 100
    return spot * h / f, {
        "rates swapped": spot * f / h,
        "foreign rate ignored": spot * h,
        "home rate ignored": spot / f,
    }


def gdp_by_spending(c: Decimal, i: Decimal, g: Decimal, x: Decimal, m: Decimal) -> Solution:
    """C + I + G + X - M."""
    return c + i + g + x - m, {
        "imports added": c + i + g + x + m,
        "net exports left out": c + i + g,
        "exports left out": c + i + g - m,
        "investment left out": c + g + x - m,
    }


def deposit_expansion(d: Decimal, r: Decimal) -> Solution:
    """Deposits over the reserve ratio."""
    total = d * 100 / r
    return total, {
        "first deposit left out": total - d,
        "first deposit counted twice": total + d,
        "lendable part only": d * (1 - r / 100),
    }


# --- financial statements ----------------------------------------------------------------------------------------
def current_ratio(cash: Decimal, receivables: Decimal, inventory: Decimal, liabilities: Decimal) -> Solution:
    """Current assets over current liabilities."""
    assets = cash + receivables + inventory
    return assets / liabilities, {
        "inventory left out": (cash + receivables) / liabilities,
        "cash counted twice": (assets + cash) / liabilities,
        "ratio inverted": liabilities / assets,
    }


def dupont_roe(margin: Decimal, turnover: Decimal, leverage: Decimal) -> Solution:
    """Margin times turnover times leverage."""
    return margin * turnover * leverage, {
        "leverage left out": margin * turnover,
        "turnover left out": margin * leverage,
        "leverage squared": margin * turnover * leverage**2,
    }


def days_of_inventory(cogs: Decimal, sales: Decimal, inventory: Decimal) -> Solution:
    """365 days over inventory turnover."""
    return 365 * inventory / cogs, {
        "sales instead of cost": 365 * inventory / sales,
        "turnover instead of days": cogs / inventory,
        "gross profit instead of cost": 365 * inventory / (sales - cogs),
    }


def basic_eps(income: Decimal, preferred: Decimal, shares: Decimal) -> Solution:
    """Income to common holders per share."""
    return (income - preferred) / shares, {
        "preferred dividends not deducted": income / shares,
        "preferred dividends added": (income + preferred) / shares,
        "preferred dividends deducted twice": (income - 2 * preferred) / shares,
    }


def straight_line_charge(cost: Decimal, salvage: Decimal, life: Decimal) -> Solution:
    """Depreciable amount over life."""
    return (cost - salvage) / life, {
        "salvage value ignored": cost / life,
        "salvage value added": (cost + salvage) / life,
        "one year too many": (cost - salvage) / (life + 1),
        "accelerated method": 2 * cost / life,
    }


def cash_from_operations(income: Decimal, depreciation: Decimal, receivables: Decimal) -> Solution:
    """Income plus noncash charges less the increase in receivables."""
    return income + depreciation - receivables, {
        "depreciation not added back": income - receivables,
        "receivables added": income + depreciation + receivables,
        "depreciation deducted": income - depreciation - receivables,
        "receivables ignored": income + depreciation,
    }


def fifo_cost_of_sales(old: Decimal, price_old: Decimal, new: Decimal, price_new: Decimal, sold: Decimal) -> Solution:
    """Oldest units first."""
    if not max(old, new) < sold < old + new:
        raise ValueError
    average = (old * price_old + new * price_new) / (old + new)
    return old * price_old + (sold - old) * price_new, {
        "last in, first out": new * price_new + (sold - new) * price_old,
        "average cost": sold * average,
        "all at the old price": sold * price_old,
    }


# --- corporate issuers -------------------------------------------------------------------------------------------
def project_npv(outlay: Decimal, flow: Decimal, r: Decimal, n: Decimal) -> Solution:
    """Discounted level flows less outlay."""
    growth = 1 + r / 100
    value = flow * (1 - growth**-n) * 100 / r
    return value - outlay, {
        "not discounted": flow * n - outlay,
        "first flow not discounted": value * growth - outlay,
        "one flow too few": flow * (1 - growth ** -(n - 1)) * 100 / r - outlay,
        "outlay not deducted": value,
    }


def wacc(debt: Decimal, equity_cost: Decimal, debt_cost: Decimal, tax: Decimal) -> Solution:
    """Market-value weights, debt after tax."""
    if equity_cost <= debt_cost:
        raise ValueError
    w, after = debt / 100, debt_cost * (1 - tax / 100)
    return w * after + (1 - w) * equity_cost, {
        "tax saving forgotten": w * debt_cost + (1 - w) * equity_cost,
        "weights swapped": (1 - w) * after + w * equity_cost,
        "tax on equity too": (w * debt_cost + (1 - w) * equity_cost) * (1 - tax / 100),
    }


def operating_leverage(sales: Decimal, variable: Decimal, fixed: Decimal) -> Solution:
    """Contribution over operating income."""
    contribution = sales - variable
    if contribution <= fixed:
        raise ValueError
    return contribution / (contribution - fixed), {
        "sales in the numerator": sales / (contribution - fixed),
        "ratio inverted": (contribution - fixed) / contribution,
        "fixed costs in the numerator": fixed / (contribution - fixed),
    }


def breakeven_units(fixed: Decimal, price: Decimal, variable: Decimal) -> Solution:
    """Fixed costs over unit contribution."""
    if price <= variable:
        raise ValueError
    return fixed / (price - variable), {
        "variable cost ignored": fixed / price,
        "variable cost as margin": fixed / variable,
        "variable cost added": fixed / (price + variable),
    }


def after_tax_debt_cost(rate: Decimal, tax: Decimal) -> Solution:
    """Interest is deductible."""
    t = tax / 100
    return rate * (1 - t), {
        "tax saving forgotten": rate,
        "tax part only": rate * t,
        "tax taken twice": rate * (1 - t) ** 2,
    }


def cash_conversion_cycle(inventory: Decimal, receivables: Decimal, payables: Decimal) -> Solution:
    """Days of inventory plus receivables less payables."""
    return inventory + receivables - payables, {
        "payables added": inventory + receivables + payables,
        "receivables subtracted": inventory - receivables - payables,
        "payables ignored": inventory + receivables,
        "receivables ignored": inventory - payables,
    }
