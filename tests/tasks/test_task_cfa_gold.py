"""Gold of every calculation of `cfa` and `cfa_shifted`, recomputed by a second route: floats, loops over periods, search, other algebra.

Nothing here comes from the formulas that made the questions. Rates arrive in percent, in the order of the row's
`numbers`.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[2] / "tasks" / "data"
FILES = ("cfa/train", "cfa/validation", "cfa/test", "cfa_shifted/test")
ROWS: list[dict[str, Any]] = [
    row
    for name in FILES
    for line in (FOLDER / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    if (row := json.loads(line))["kind"] == "calculation"
]


def grow(money: float, percent: float, periods: float) -> float:
    """Money after whole periods, interest credited one period after the other."""
    for _ in range(round(periods)):
        money += money * percent / 100
    return money


def root(function: Callable[[float], float], low: float, high: float) -> float:
    """Where an increasing function is zero, by bisection."""
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if function(middle) < 0 else (low, middle)
    return (low + high) / 2


def worth(flows: list[float], percent: float) -> float:
    """Today's worth of flows at the ends of coming periods, rolled back from the last one."""
    value = 0.0
    for flow in reversed(flows):
        value = (value + flow) / (1 + percent / 100)
    return value


def fifo(old: float, price_old: float, new: float, price_new: float, sold: float) -> float:
    shelf = [price_old] * round(old) + [price_new] * round(new)
    return sum(shelf[: round(sold)])


def gordon(d0: float, g: float, r: float) -> float:
    total, today = 0.0, d0
    for _ in range(5000):
        today *= (1 + g / 100) / (1 + r / 100)
        total += today
    return total


def margin_call(p: float, initial: float, maintenance: float) -> float:
    loan = p - p * initial / 100
    return root(lambda price: (price - loan) / price - maintenance / 100, loan / 2, 5 * p)


def parity(s: float, k: float, c: float, r: float) -> float:
    """Long stock and put, short call, and the strike borrowed: worth nothing whatever the stock does."""
    return c - s + worth([k], r)


def risk_neutral(up: float, down: float, r: float) -> float:
    return root(lambda q: q * up + (1 - q) * down - (1 + r / 100), 0, 1)


def fees(assets: float, fee: float, incentive: float, gain: float) -> float:
    management = assets * fee / 100
    end = assets * (1 + gain / 100) - management
    return management + incentive / 100 * (end - assets)


SOLVE: dict[str, Callable[..., float]] = {
    # ethics
    "pro_rata_allocation": lambda order, block, filled, accounts: order / (block / filled),
    "trade_error_refund": lambda n, paid, right, commission: (n * paid + commission) - n * right,
    "composite_return": lambda a, ra, b, rb: ((grow(a, ra, 1) + grow(b, rb, 1)) / (a + b) - 1) * 100,
    "net_of_fee_return": lambda gross, fee: grow(100, gross, 1) - grow(100, gross, 1) * fee / 100 - 100,
    "referral_payment": lambda assets, fee, part: assets * fee * part / 10,
    "mixed_use_cost": lambda cost, research: cost * 1000 - cost * 10 * research,
    # quantitative methods
    "future_value": grow,
    "effective_annual_rate": lambda r, m: grow(100, r / m, m) - 100,
    "present_value": lambda f, r, n: root(lambda p: grow(p, r, n) - f, 0, f),
    "holding_period_return": lambda p0, p1, d: (p1 + d) / p0 * 100 - 100,
    "coefficient_of_variation": lambda sd, mean: 1 / (mean / sd),
    "geometric_mean_return": lambda up, down: 100 * math.expm1((math.log1p(up / 100) + math.log1p(-down / 100)) / 2),
    # economics
    "real_rate": lambda nominal, inflation: root(
        lambda x: grow(grow(1, x, 1), inflation, 1) - 1 - nominal / 100, 0, 50
    ),
    "demand_elasticity": lambda dq, dp: math.copysign(dq / dp, -1),
    "cross_rate": lambda ab, bc: bc / (1 / ab),
    "forward_exchange_rate": lambda spot, home, foreign: grow(spot, home, 1) / grow(1, foreign, 1),
    "gdp_by_spending": lambda c, i, g, x, m: sum((c, i, g)) - (m - x),
    "deposit_expansion": lambda d, r: sum(d * (1 - r / 100) ** k for k in range(2000)),
    # statements
    "current_ratio": lambda *n: sum(n[:3]) / n[3],
    "dupont_roe": lambda margin, turnover, leverage: 100 * (margin * turnover) / (100 / leverage),
    "days_of_inventory": lambda cogs, sales, inventory: inventory / (cogs / 365),
    "basic_eps": lambda income, preferred, shares: income / shares - preferred / shares,
    "straight_line_charge": lambda cost, salvage, life: cost / life - salvage / life,
    "cash_from_operations": lambda income, depreciation, receivables: (income - receivables) + depreciation,
    "fifo_cost_of_sales": fifo,
    "days_of_receivables": lambda sales, cogs, receivables: receivables / (sales / 365),
    "fifo_inventory": lambda old, price_old, new, price_new, sold: (
        old * price_old + new * price_new - fifo(old, price_old, new, price_new, sold)
    ),
    # corporate issuers
    "project_npv": lambda outlay, flow, r, n: worth([flow] * round(n), r) - outlay,
    "wacc": lambda debt, ke, kd, tax: (debt * (kd - kd * tax / 100) + (100 - debt) * ke) / 100,
    "operating_leverage": lambda s, v, f: (((1.01 * (s - v) - f) / (s - v - f)) - 1) * 100,
    "breakeven_units": lambda fixed, price, variable: root(lambda q: q * price - q * variable - fixed, 0, 1e5),
    "after_tax_debt_cost": lambda rate, tax: rate - rate * tax / 100,
    "cash_conversion_cycle": lambda inventory, receivables, payables: (inventory - payables) + receivables,
    "leverage_at_volume": lambda price, variable, fixed, units: (
        ((1.01 * units * (price - variable) - fixed) / (units * (price - variable) - fixed) - 1) * 100
    ),
    # equity
    "gordon_growth": gordon,
    "justified_forward_pe": lambda payout, g, r: gordon(payout / 100 / (1 + g / 100), g, r),
    "sustainable_growth": lambda roe, payout: roe - roe * payout / 100,
    "preferred_value": lambda d, r: worth([d] * 2000, r),
    "cap_weighted_index": lambda va, ra, vb, rb: (grow(va, ra, 1) + grow(vb, -rb, 1)) / (va + vb) * 100 - 100,
    "margin_call_price": margin_call,
    # fixed income
    "zero_coupon_price": lambda y, n: worth([0.0] * (2 * round(n) - 1) + [1000], y / 2),
    "current_yield": lambda coupon, price: coupon / (price / 100),
    "duration_price_change": lambda duration, bp: 0 - duration * (bp * 0.01),
    "modified_duration": lambda mac, y: worth([mac], y),
    "implied_forward_rate": lambda z1, z2: root(lambda f: grow(grow(1, z1, 1), f, 1) - grow(1, z2, 2), -50, 50),
    "coupon_bond_price": lambda coupon, y, n: worth([coupon] * (round(n) - 1) + [100 + coupon], y),
    "expected_credit_loss": lambda exposure, pd, recovery: pd / 100 * (exposure - exposure * recovery / 100),
    # derivatives
    "forward_price": lambda s, r, months: s * math.exp(months / 12 * math.log1p(r / 100)),
    "put_call_parity": parity,
    "long_call_profit": lambda k, premium, gain: max(k + gain - k, 0) - premium,
    "put_breakeven": lambda k, premium, s: root(lambda x: premium - (k - x), 0, k),
    "risk_neutral_probability": risk_neutral,
    "short_futures_gain": lambda contracts, size, start, end: contracts * size * start - contracts * size * end,
    "swap_settlement": lambda n, fixed, floating: n * floating / 100 / 2 - n * fixed / 100 / 2,
    "call_profit": lambda k, premium, st: max(st - k, 0) - premium,
    "covered_call_breakeven": lambda s, k, premium: root(lambda x: min(x, k) - s + premium, 0, k),
    "swap_settlement_million": lambda n, fixed, floating: (n * floating / 100 - n * fixed / 100) * 1e6 / 2,
    # alternatives
    "hedge_fund_fees": fees,
    "capitalized_property_value": lambda rent, costs, interest, cap: worth([rent - costs] * 2000, cap),
    "total_value_multiple": lambda paid, distributed, remaining: distributed / paid + remaining / paid,
    "commodity_futures_return": lambda spot, roll, collateral: (spot + collateral) - roll,
    "high_water_mark_fee": lambda start, mark, end, incentive: max(end - max(start, mark), 0) * incentive / 100,
    "interest_coverage": lambda rent, costs, interest: rent / interest - costs / interest,
    # portfolio management
    "capm": lambda rf, beta, market: (1 - beta) * rf + beta * market,
    "sharpe_ratio": lambda r, rf, sd, beta: r / sd - rf / sd,
    "two_asset_risk": lambda w, sa, sb: math.hypot(w * sa, (100 - w) * sb) / 100,
    "jensen_alpha": lambda r, rf, beta, market: (r - rf) - beta * (market - rf),
    "required_return": lambda spending, wealth, inflation: (
        grow(grow(100, spending / wealth * 100, 1), inflation, 1) - 100
    ),
    "investor_utility": lambda r, aversion, sd: 100 * (r / 100 - 0.5 * aversion * (sd / 100) ** 2),
}


def number(text: str) -> float:
    """Return the number of an option or a figure, without its unit."""
    digits = re.search(r"\d[\d,]*(?:\.\d+)?", text)
    assert digits is not None
    return float(digits[0].replace(",", "")) * (-1 if text.startswith("-") else 1)


def step(text: str) -> float:
    """Return half of the last decimal of an option."""
    digits = re.search(r"\d[\d,]*(?:\.(\d+))?", text)
    assert digits is not None
    return float(0.5 * 10 ** -len(digits[1] or ""))


@pytest.mark.parametrize("family", sorted({row["concept"] for row in ROWS}))
def test_gold_of_a_formula_family_comes_out_again_by_another_route(family: str) -> None:
    for row in (row for row in ROWS if row["concept"] == family):
        expected = SOLVE[family](*map(number, row["numbers"]))
        assert abs(number(row["answer"]) - expected) <= step(row["answer"]) * (1 + 1e-6) + 1e-6, row["id"]
        others = [number(option) for option in row["options"] if option != row["answer"]]
        assert all(abs(other - expected) > step(row["answer"]) for other in others), row["id"]


def test_every_number_of_a_calculation_stands_in_its_vignette_and_not_in_its_question() -> None:
    for row in ROWS:
        figures = re.findall(r"-?\d[\d,]*(?:\.\d+)?", row["context"])
        values = {value for figure in figures for value in (number(figure), abs(number(figure)))}
        assert all(number(n) in values or number(n) * 1000 in values for n in row["numbers"]), row["id"]
        asked = set(re.findall(r"\d[\d,]*(?:\.\d+)?", row["question"])) - {"365", "100"}
        assert not asked & set(row["numbers"]), row["id"]


def test_every_distractor_of_a_calculation_names_its_mistake() -> None:
    for row in ROWS:
        labels = dict(zip(row["options"], row["mistakes"], strict=True))
        assert labels.pop(row["answer"]) == ""
        assert len(set(labels.values())) == 2
        assert all(labels.values()), row["id"]


def test_at_least_thirty_formulas_over_all_topics_are_asked_in_every_split() -> None:
    trained = {row["concept"] for row in ROWS if row["id"].startswith("train")}
    for split, topics in (("train", 10), ("validation", 9), ("test", 10)):
        mine = [row for row in ROWS if row["id"].startswith(split)]
        assert len({row["topic"] for row in mine}) >= topics
        assert len({row["concept"] for row in mine}) >= 30
        assert {row["concept"] for row in mine} <= trained


def test_a_right_value_is_lowest_middle_and_highest_about_equally_often() -> None:
    for split in ("train", "test"):
        mine = [row for row in ROWS if row["id"].startswith(split)]
        for rank in range(3):
            hits = sum(sorted(map(number, row["options"])).index(number(row["answer"])) == rank for row in mine)
            assert 0.27 <= hits / len(mine) <= 0.40


def test_the_roundest_option_is_right_no_more_often_than_the_others() -> None:
    def zeros(text: str) -> int:
        digits = re.sub(r"\D", "", text)
        return len(digits) - len(digits.rstrip("0"))

    for split in ("train", "test"):
        hits = []
        for row in (row for row in ROWS if row["id"].startswith(split)):
            roundest = [option for option in row["options"] if zeros(option) == max(map(zeros, row["options"]))]
            hits.append((row["answer"] in roundest) / len(roundest))
        assert 0.27 <= sum(hits) / len(hits) <= 0.40
