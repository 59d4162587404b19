"""Formulas over time: present and future value, interest, annual rates.

Conventions, unless a problem says otherwise: a flow comes at the end of its period, a rate is per year, a cost paid
"upfront" or "now" is not discounted. Problems outside of the formula (continuous compounding, payments every half year at a
yearly rate) are not read.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from tasks.data.financial_math.reader import Cue, Reading, UnreadableProblem

OUTSIDE = {
    r"continuous": "continuous compounding is not in the formula",
    r"every six months": "payments within the year need a rule that the formula does not give",
}
_MONEY: tuple[Cue, ...] = ("#m",)
_RATE: tuple[Cue, ...] = ("#p",)
_YEARS: tuple[Cue, ...] = (r"#n[ -]years?\b",)


def _annuity(flow: Fraction, rate: Fraction, years: Fraction) -> Fraction:
    if years.denominator != 1:
        raise UnreadableProblem("not a whole number of periods")
    return sum((flow / (1 + rate) ** t for t in range(1, int(years) + 1)), Fraction(0))


def _level(
    flow: Fraction, rate: Fraction, years: Fraction, cost: Fraction = Fraction(0), immediate: Fraction = Fraction(0)
) -> Fraction:
    return _annuity(flow, rate, years) * (1 + rate if immediate else 1) - cost


def _growing(first: Fraction, step: Fraction, rate: Fraction, years: Fraction) -> Fraction:
    return sum(((first + step * t) / (1 + rate) ** (t + 1) for t in range(int(years))), Fraction(0))


def _single_flows(rate: Fraction, **flows: Fraction) -> Fraction:
    if not {"flow_1", "flow_2"} <= flows.keys():
        raise UnreadableProblem("no value for flow 1 or flow 2")
    return sum((flow / (1 + rate) ** int(name[-1]) for name, flow in flows.items()), Fraction(0))


def _power(base: Fraction, periods: Fraction) -> Fraction:
    if periods.denominator != 1:
        raise UnreadableProblem("not a whole number of periods")
    return base ** int(periods)


_PER_YEAR: tuple[Cue, ...] = (
    (r"(?<!bi-)monthly", 12),
    (r"\bquarterly", 4),
    (r"\b(?:semi-|bi-|bi)annual(?:ly)?\b", 2),
    (r"\bdaily\b", 365),
    (r"\bweekly\b", 52),
)


def _rate_period(words: str) -> str:
    """Return the cue of a rate's period, which stands before "(r)" without another number between."""
    return rf"{words}[^<(]*\(r\)"


TIME: Mapping[str, tuple[Reading, ...]] = {
    "Net Present Value (NPV)": (
        Reading(
            {
                "flow": (
                    r"#m (?:annually|per year|every year)",
                    r"(?:annual|annually)~(?:inflows?|benefits|flows?) of #m",
                    r"inflows of #m at the end of each year",
                ),
                "rate": _RATE,
                "years": (r"for (?:the next )?#n years", r"last for #n years", r"\(t\): #n years", r"\bover #n years"),
                "cost": (r"costs #m upfront", r"upfront cost of #m", r"proposition of #m now"),
                "immediate": ((r"first inflow starting immediately", 1),),
            },
            _level,
            optional=frozenset({"cost", "immediate"}),
            refused={
                **OUTSIDE,
                r"increas|decreas": "unclear when the first flow comes",
                r"initial investment cost": "the cost is not given",
            },
        ),
        Reading(
            {
                "flow_0": (r"immediate cash inflow of #m",),
                "flow_1": (r"#m (?:for the next year|in one year|in its first year)",),
                "flow_2": (r"#m (?:the following year|in @w years|in the second year)",),
                "flow_3": (r"#m in (?:its third|the final) year",),
                "rate": _RATE,
            },
            _single_flows,
            optional=frozenset({"flow_0", "flow_1", "flow_2", "flow_3"}),
            ignored=(r"@m in #w years",),
        ),
        Reading(
            {
                "first": (r"receives #m from an investment at the end of the first year",),
                "step": (r"increase by #m each year",),
                "years": (r"each year up to #w years",),
                "rate": _RATE,
            },
            _growing,
        ),
    ),
    "Future Value (FV)": (
        Reading(
            {
                "present": (r"\(pv\):? #m",),
                "rate": (r"\(r\):? #p",),
                "per_year": (
                    (_rate_period(r"\b(?:annual|yearly|return|coupon)\b(?<!-annual)"), 1),
                    (_rate_period(r"(?<!bi-)monthly"), 12),
                    (_rate_period("quarterly"), 4),
                    (_rate_period("(?:semi-|bi-)annual"), 2),
                    (_rate_period("bi-monthly"), 6),
                    (_rate_period("daily"), 365),
                ),
                "length": (r"\(n\):? #n",),
                "unit": (
                    (r"\(n\): @n years", 1),
                    (r"\(n\): @n months", 12),
                    (r"\(n\): @n quarters", 4),
                    (r"\(n\): @n semesters|bi-annual periods \(n\)", 2),
                    (r"bi-monthly intervals \(n\)", 6),
                    (r"\(n\): @n days", 365),
                ),
            },
            lambda present, rate, per_year, length, unit: present * _power(1 + rate, length * per_year / unit),
            refused={"periodic interest": "the period of the rate is not given"},
        ),
    ),
    "Present Value (PV)": (
        Reading(
            {"future": _MONEY, "rate": _RATE, "years": _YEARS},
            lambda future, rate, years: future / _power(1 + rate, years),
            refused={
                **OUTSIDE,
                r"every year|@m annually|<m\d+> annual|scholarship|payments": "several payments",
            },
        ),
        Reading(
            {
                "flow": (r"#m (?:every year|annually)",),
                "rate": _RATE,
                "years": (r"for the next #n years",),
            },
            _annuity,
            refused=OUTSIDE,
        ),
        Reading(
            {
                "first": (r"one of #m in @n years",),
                "first_years": (r"one of @m in #n years",),
                "second": (r"another of #m in @n years",),
                "second_years": (r"another of @m in #n years",),
                "rate": _RATE,
            },
            lambda first, first_years, second, second_years, rate: (
                first / _power(1 + rate, first_years) + second / _power(1 + rate, second_years)
            ),
            ignored=(r"#w payments",),
        ),
    ),
    "Compound Interest": (
        Reading(
            {
                "principal": _MONEY,
                "rate": _RATE,
                "years": _YEARS,
                "times": (
                    r"\(n=#n\)",
                    (r"compound(?:ed|s|ing)?(?: interest)? annually|annual compounded|compounding annually", 1),
                    *_PER_YEAR,
                ),
            },
            lambda principal, rate, years, times: principal * _power(1 + rate / times, times * years),
            refused=OUTSIDE,
        ),
    ),
    "Simple Interest": (
        Reading(
            {"principal": _MONEY, "rate": _RATE, "years": _YEARS},
            lambda principal, rate, years: principal * rate * years,
            refused={r"month|quarter|compound": "not simple interest by the year"},
        ),
    ),
    "Annual Percentage Rate (APR)": (
        Reading(
            {
                "fees": (
                    r"(?<!of )#m (?:loan |application )?fees?\b",
                    r"#m (?:in|as) (?:loan )?fees",
                    r"\bfees?~(?:of|are|were|totalled|is) #m",
                    r"#m of fees",
                    r"fees associated with the loan were #m",
                ),
                "interest": (
                    r"interest~(?:of|totaling|was|to|is|totalled) #m",
                    r"#m (?:in |as )?interest",
                ),
                "principal": (
                    r"(?:borrowed|borrows|loan of|principal of|borrowing of|amounting to|loan amount of) #m",
                    r"(?:a|an|took a) #m (?:loan|microloan)",
                ),
                "days": (r"#n[ -]days?\b",),
            },
            lambda fees, interest, principal, days: (fees + interest) / principal * Fraction(365) / days,
            ignored=(r"#n-month \(",),
        ),
    ),
    "Effective Annual Rate (EAR)": (
        Reading(
            {
                "rate": _RATE,
                "times": (
                    (r"compounded annually|annually compounded", 1),
                    *_PER_YEAR,
                ),
            },
            lambda rate, times: _power(1 + rate / times, times) - 1,
            ignored=("deposit of #m", "#m is deposited"),
            refused={"affect": "asks for a change"},
        ),
        Reading(
            {"rate": _RATE, "months": (r"every #w months",)},
            lambda rate, months: _power(1 + rate * months / 12, 12 / months) - 1,
        ),
    ),
}
