"""Formulas of risk and return, the cost of capital, and the value of dividends."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from tasks.data.financial_math.reader import Cue, Reading, UnreadableProblem


def _symbol_cues(symbol: str, kind: str, *cues: Cue) -> tuple[Cue, ...]:
    """Return the cues of a quantity by its symbol, "(R_p) of 8%" or "8% (R_p)", and by words."""
    mark = rf"\({symbol}\)"
    return (rf"{mark}(?:(?!while)[^<>.,;()])*?#{kind}", rf"#{kind} ?{mark}", rf"\b{symbol}:? #{kind}", *cues)


def _weighted(
    equity: Fraction,
    debt: Fraction,
    equity_cost: Fraction,
    debt_cost: Fraction,
    tax: Fraction,
    total: Fraction | None = None,
) -> Fraction:
    if total is not None and total != equity + debt:
        raise UnreadableProblem("the parts do not add up to the total")
    return (equity * equity_cost + debt * debt_cost * (1 - tax)) / (equity + debt)


_FREE: tuple[Cue, ...] = (r"risk-free (?:interest |return )?(?:rate|return)?~#p",)
_BETA: tuple[Cue, ...] = (r"\bbeta~#n",)


RISK: Mapping[str, tuple[Reading, ...]] = {
    "Capital Asset Pricing Model (CAPM)": (
        Reading(
            {
                "free": (*_FREE,),
                "market": (
                    r"market(?:'s)? (?:is )?(?:expected )?(?:return|rate)?~#p",
                    r"market return~#p",
                ),
                "beta": _BETA,
            },
            lambda free, market, beta: free + beta * (market - free),
        ),
    ),
    "Beta": (
        Reading(
            {
                "covariance": (r"covariance (?:(?!variance)[a-z' -])*?(?:of|is) #n", r"#n (?:return )?covariance"),
                "variance": (r"(?<!co)variance~#n",),
            },
            lambda covariance, variance: covariance / variance,
        ),
    ),
    "Sharpe Ratio": (
        Reading(
            {
                "portfolio": _symbol_cues("r_p", "p", r"#p last year \(r_p\)"),
                "free": _symbol_cues("r_f", "p"),
                "deviation": _symbol_cues("σ_p", "p", r"standard deviation~#p"),
            },
            lambda portfolio, free, deviation: (portfolio - free) / deviation,
        ),
    ),
    "Jensen's Alpha": (
        Reading(
            {
                "actual": _symbol_cues("r_i", "p", r"#p actual return"),
                "free": _symbol_cues("r_f", "p"),
                "beta": _symbol_cues("β_i", "n", r"\bbeta of #n"),
                "market": _symbol_cues("r_m", "p"),
            },
            lambda actual, free, beta, market: actual - (free + beta * (market - free)),
        ),
    ),
    "Treynor Ratio": (
        Reading(
            {
                "portfolio": (
                    r"(?<!risk-free )\breturn(?:ed)?(?: \(r_p\))?(?: of)? #p",
                    r"#p return",
                    r"returned #p",
                ),
                "free": (*_FREE, r"risk-free rate (?:of|is)~#p", r"risk-free interest rate~#p"),
                "beta": (r"\bbeta~#n",),
            },
            lambda portfolio, free, beta: (portfolio - free) / beta,
        ),
    ),
    "Sortino Ratio": (
        Reading(
            {
                "portfolio": (r"\(r_p\): #p",),
                "free": (r"\(r_f\): #p",),
                "deviation": (r"\(?σ_d\)?: #p",),
            },
            lambda portfolio, free, deviation: (portfolio - free) / deviation,
            refused={"variance": "a variance where the formula has a deviation"},
        ),
    ),
    "WACC (Weighted Average Cost of Capital)": (
        Reading(
            {
                "equity": (r"equity(?: of| being| is)? #m", r"#m (?:in |for )?equity"),
                "debt": (r"\bdebt(?: of| is)? #m", r"#m (?:in |for )?debt"),
                "total": (r"total capital(?:ization)? (?:is|of) #m", r"#m in total capital"),
                "equity_cost": (
                    r"cost of equity(?: is| of| at)? #p",
                    r"equity costs? (?:of |is )?#p",
                    r"equity costing #p",
                    r"#p (?:cost )?on equity",
                    r"interest on equity is #p",
                    r"equity cost of #p",
                ),
                "debt_cost": (
                    r"cost of debt(?: is| of| at)? #p",
                    r"debt costs? (?:of |is )?#p",
                    r"debt costing #p",
                    r"#p on debt",
                    r"on debt it is #p",
                ),
                "tax": (r"\btax rate(?: is| of)? #p", r"#p (?:corporate )?tax"),
            },
            _weighted,
            optional=frozenset({"total"}),
        ),
    ),
    "Modigliani–Miller Theorem": (
        Reading(
            {
                "debt": (
                    r"\bdebt (?:undertaken is |of |worth |by )?#m",
                    r"#m (?:in |of |as )?debt",
                    r"leverage #m",
                    r"leverag(?:e|ing) (?:an additional|with) #m",
                    r"borrows #m",
                ),
                "unlevered": (r"(?<! levered )(?<!debt )\b(?:value|valued|valuation|evaluated|worth)\b~#m",),
                "tax": ("#p",),
            },
            lambda debt, unlevered, tax: unlevered + tax * debt,
        ),
    ),
    "Dividend Discount Model (DDM)": (
        Reading(
            {
                "dividend": ("#m",),
                "growth": (
                    r"\(g\)[^<>.,;()]*?#p",
                    r"growth(?: rate)?~#p",
                    r"grow(?:s|ing)?~#p",
                    r"#p (?:dividend )?growth",
                ),
                "rate": (
                    r"\(r\)[^<>.,;()]*?#p",
                    r"(?:discount rate|required (?:return|yield)|required rate of return|expected return)~#p",
                    r"(?:require|demand)s? an? #p return",
                    r"#p (?:return \(r\)|required rate of return|discount rate)",
                    r"investor's required return is #p",
                    r"investors require a #p",
                ),
            },
            lambda dividend, growth, rate: dividend / (rate - growth),
        ),
    ),
    "Cost of Equity (Gordon Growth Model)": (
        Reading(
            {
                "dividend": (
                    r"dividend~(?:of|is|being) #m",
                    r"#m dividend",
                    r"dividends? from @m to #m",
                    r"dividend of #m and @p respectively",
                    r"dividend expected to be #m",
                ),
                "price": (
                    r"(?:stock|share) price~(?:of|is|being|at|currently) #m",
                    r"current price of #m",
                    r"priced at #m",
                    r"stock current at #m",
                    r"stock price (?:drops )?from @m to #m",
                ),
                "growth": (
                    r"growth~#p",
                    r"grow at ~#p",
                    r"rate of #p",
                    r"#p growth",
                    r"grow~#p",
                    r"@m and #p respectively",
                    r"dividends rises from @p to #p",
                ),
            },
            lambda dividend, price, growth: dividend / price + growth,
            ignored=(r"from #m to @m", r"from #p to @p"),
            refused={r"how would|how does|change|impact": "asks for a change"},
        ),
    ),
}
