"""Formulas of economies and currencies: product, prices, employment, trade, parities."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction

from tasks.data.financial_math.reader import Cue, Reading, UnreadableProblem

OTHER_TERM = "a term other than a year, which the formula does not hold"


def _forward(spot: Fraction, domestic: Fraction, foreign: Fraction, years: Fraction) -> Fraction:
    if years != 1:
        raise UnreadableProblem(OTHER_TERM)
    return spot * (1 + domestic) / (1 + foreign)


def _level(symbol: str) -> tuple[Cue, ...]:
    """Return the cues of a symbol such as S_0: "(S_0): 140", "S_0 = 0.3", "(P_0) is 200"."""
    return (
        rf"\b{symbol}\)?(?: between [a-z ]*?)? ?(?:=|:|was|is|of) ?#n",
        rf"\({symbol}\)(?: in [a-z]+| between [a-z ]*)?(?: initially)?:? ?(?:=|:|was|is|of)? ?#n",
        rf"\({symbol}\) (?:between|set) [a-z ]*?(?:of )?#n",
        rf"\({symbol}\) between [a-z ]+: #n",
    )


_PPP = {name: _level(name) for name in ("s_0", "s_1", "p_0", "p_1")}


def _purchasing(unknown: str, value: Callable[..., Fraction], ignored: tuple[str, ...] = ()) -> Reading:
    roles = {name: cues for name, cues in _PPP.items() if name != unknown}
    return Reading(roles, value, ignored=ignored)


_FORCE: tuple[Cue, ...] = (
    r"labor force (?:of|totals|is made up of|is) #n",
    r"@p of a nation's #n labor force",
)


def _people(question: str, rate: tuple[Cue, ...]) -> Reading:
    return Reading(
        {"question": ((question, 1),), "rate": rate, "force": _FORCE}, lambda question, rate, force: rate * force
    )


ECONOMY: Mapping[str, tuple[Reading, ...]] = {
    "Gross Domestic Product (GDP)": (
        Reading(
            {
                name: tuple(rf"\b{word}(?: \({name[0]}\))?{link}#m" for link in (r"~", r" [-\u2013] "))
                for name, word in (
                    ("consumption", "consumption"),
                    ("investment", "investment"),
                    ("government", r"government (?:spending|expenditures?)"),
                    ("x_exports", "exports"),
                    ("m_imports", "imports"),
                )
            },
            lambda consumption, investment, government, x_exports, m_imports: (
                consumption + investment + government + x_exports - m_imports
            ),
        ),
    ),
    "Inflation Rate": (
        Reading(
            {
                "before": (
                    r"cpi (?:numbers )?(?:from )?last year~#n",
                    r"last year's cpi (?:was |of )?#n",
                    r"cpi~#n last year",
                    r"cpi of #n last year",
                    r"from #n last year",
                    r"last year the cpi stood at #n",
                    r"last year, the cpi was recorded at #n",
                    r"last year at #n",
                ),
                "now": (
                    r"(?:cpi )?this year(?: has risen to| at| it is reported as| it increased to| it is|'s cpi of) #n",
                    r"(?:to|reached) #n this year",
                    r"(?:risen|increased) to #n",
                    r"from @n last year to #n",
                ),
            },
            lambda before, now: 100 * (now - before) / before,
            refused={r"increase in inflation rate": "asks for a change of the rate"},
        ),
    ),
    "Unemployment Rate": (
        Reading(
            {
                "unemployed": (
                    r"#n are out of jobs",
                    r"#n (?:individuals|workers) (?:are currently unemployed|became jobless)",
                    r"number of unemployed[^<]*(?:decreased|dropped) from @n to #n",
                    r"#n of the @n labor force are reported unemployed",
                ),
                "force": (
                    r"#n eligible workers",
                    r"labor force (?:of|was previously) #n",
                    r"labor force grew from @n to #n",
                    r"of the #n labor force",
                ),
            },
            lambda unemployed, force: 100 * unemployed / force,
            ignored=(r"(?:decreased|dropped|grew) from #n to",),
            refused={r"how many|how does|affect|rise by|what does|number of individuals": "does not ask for the rate"},
        ),
        _people(
            r"how many individuals|how many people is that|total number of individuals",
            (r"#p of (?:a nation's|the labor force)", r"rate determined was #p"),
        ),
        Reading(
            {"question": (("how many people are employed", 1),), "rate": (r"#p of its labor force",), "force": _FORCE},
            lambda question, rate, force: (1 - rate) * force,
        ),
        Reading(
            {
                "question": (("what does the new labor force count look like", 1),),
                "employed": (r"employed people rises from @n to #n",),
                "rate": (r"unemployment rate of #p",),
            },
            lambda question, employed, rate: employed / (1 - rate),
            ignored=(r"employed people rises from #n",),
        ),
        Reading(
            {"question": (("how many more people", 1),), "rise": (r"went up by #p to @p",), "force": _FORCE},
            lambda question, rise, force: rise * force,
            ignored=(r"went up by @p to #p",),
        ),
        Reading(
            {
                "question": (("how many people|by how many", 1),),
                "before": ("from #p to @p",),
                "after": ("from @p to #p",),
                "force": _FORCE,
            },
            lambda question, before, after, force: abs(after - before) * force,
        ),
    ),
    "Balance of Trade": (
        Reading(
            {
                "sold": (
                    r"exports?~#m",
                    r"export(?:ed|s)~#m",
                    r"#m in exports",
                    r"exported #m",
                    r"#m (?:worth of goods|in software)",
                ),
                "bought": (r"import(?:ed|s|ing)?~#m", r"#m in imports", r"#m in hardware"),
            },
            lambda sold, bought: sold - bought,
            refused={"deficit": "unclear whether a deficit is a negative balance"},
        ),
    ),
    "Interest Rate Parity (IRP)": (
        Reading(
            {
                "spot": (r"spot rate~#n",),
                "domestic": (r"domestic~#p", r"domestic \(u\.s\.\) interest rate of #p"),
                "foreign": (r"foreign~#p", r"domestic [a-z ]*@p and in [a-z]+ is #p"),
                "years": ((r"\bone[ -]year", 1), r"#n-year"),
            },
            _forward,
            refused={"month": OTHER_TERM},
        ),
    ),
    "Purchasing Power Parity (PPP)": (
        _purchasing("p_1", lambda s_0, s_1, p_0: p_0 * s_1 / s_0),
        _purchasing("s_1", lambda s_0, p_0, p_1: s_0 * p_1 / p_0, ignored=(r"after #w years",)),
    ),
}
