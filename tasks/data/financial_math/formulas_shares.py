"""Formulas over shares and the value of a company: earnings, dividends, capitalization, multiples."""

from __future__ import annotations

from collections.abc import Mapping

from tasks.data.financial_math.reader import Reading, amount, ratio

SHARES: Mapping[str, tuple[Reading, ...]] = {
    "Earnings Per Share (EPS)": (
        Reading(
            {
                "net_income": (*amount("net income"), r"(?:earned|earns|earning) #m", r"#m net,"),
                "preferred": (
                    *amount(r"preferred (?:stock )?dividends", r"dividends ~preferred stock"),
                    r"#m ~(?:to|for) (?:its |their )?preferred",
                    r"dividends of #m on preferred",
                    r"(?:pays|distributed|gives) #m to ~preferred",
                ),
                "shares": (
                    r"#n (?:average |outstanding )*shares",
                    r"(?:average|shares|count)~(?:of|are|is) #n(?! \w+ shares)",
                ),
            },
            lambda net_income, preferred, shares: (net_income - preferred) / shares,
            refused={r"after (?:setting|deducting)": "unclear whether preferred dividends are deducted already"},
        ),
    ),
    "Price-to-Earnings Ratio (P/E Ratio)": (
        ratio(
            (
                *amount("market value per share", "share price"),
                r"(?:priced|trading|valued|stock price)~#m",
            ),
            (*amount("earnings per share", r"\beps"), r"earnings of #m per share"),
        ),
    ),
    "Return on Investment (ROI)": (
        Reading(
            {
                "gain": (
                    r"(?:sells|sold)~for #m",
                    r"revenue of #m",
                    r"(?:value|investment) is(?: worth)? #m",
                    r"(?:receives|earns|grossing|earning|generates|make|makes)~#m",
                    r"amounting to #m",
                ),
                "cost": (
                    r"\b(?:invests?|spends|costs|buys|puts)\b~#m",
                    r"#m is invested",
                    r"investment of #m",
                ),
            },
            lambda gain, cost: (gain - cost) / cost,
            ignored=(r"after #w years",),
            refused={
                r"additional|annual|increas|saves|profit": "unclear what the gain is",
            },
        ),
    ),
    "Dividend Yield": (
        ratio(
            (
                r"dividends?(?! yield)~#m",
                r"#m (?:per share )?(?:annually )?(?:per share )?(?:in|as)(?: an)?(?: annual)? dividends?",
                r"pays out #m",
            ),
            (
                *amount(r"(?:stock|share) price(?: of this company)?", "price per share"),
                r"(?:priced|worth|traded) at? ?#m",
                r"currently worth~#m",
                r"current price of #m",
                r"each share~(?:costs|priced at) #m",
            ),
        ),
    ),
    "Dividend Payout Ratio": (
        ratio(
            (
                r"dividends? per share(?: payment)?~#m",
                r"dividends?(?: paid)?(?: payout)?(?: per share)? (?:of|at|was|were) #m",
                r"#m (?:per share )?(?:in |as )?dividends?\b",
                r"distributed #m per share",
                r"pay #m per share as dividends",
            ),
            (
                *amount("earnings per share"),
                r"(?:earns|earned|earnings of) #m(?: per share)?",
                r"#m per share in earnings",
            ),
        ),
    ),
    "Market Capitalization": (
        Reading(
            {
                "shares": (
                    r"(?<!additional )#n shares",
                    r"shares outstanding (?:from @n to|is) #n",
                ),
                "price": (
                    r"(?:price|priced|trading|stock price|share price)~(?:at|of|is|to|falls to|each) #m",
                    r"priced at #m",
                    r"is worth #m",
                ),
            },
            lambda shares, price: shares * price,
            refused={
                r"adjusted|increases by": "the number of shares or the price before is not given",
            },
            ignored=(r"additional #n shares", r"shares outstanding from #n to", r"falls to @m from #m"),
        ),
    ),
    "Price-to-Book Ratio (P/B Ratio)": (
        ratio(
            (*amount(r"market price per share"), r"stock was priced at #m"),
            (
                *amount(r"book value per (?:share|service)(?! of an organization is initially)"),
                r"later revalued to #m",
                r"book value per share from #m",
            ),
            ignored=(r"is initially #m", r"accelerate to @m from #m"),
            refused={r"how would": "asks for a change"},
        ),
    ),
    "Enterprise Value (EV)": (
        Reading(
            {
                "cap": amount(
                    r"market (?:cap(?:italization)?|value|worth|equity|assets|evaluation)",
                ),
                "debt": (
                    *amount(
                        r"(?:total |corporate )?debts?(?: load)?",
                        r"(?:total )?borrowings",
                        "bonds payable",
                        "outstanding loans",
                        "liability under debt",
                    ),
                    r"owes #m",
                ),
                "cash": (
                    *amount(r"(?:liquid )?cash(?: reserves?| holding| balance| inventory)?"),
                    r"#m available as cash",
                ),
            },
            lambda cap, debt, cash: cap + debt - cash,
        ),
    ),
    "EV/EBITDA": (
        ratio(
            (
                *amount(r"enterprise valu(?:e|ation)(?: \(ev\))?", r"\bev(?!/)"),
                r"enterprise value \(#m\)",
                r"net debt is #m",
            ),
            (*amount(r"(?<!/)(?:ebitda|ebidta)\)?(?: report)?"), r"ebitda \(#m\)", r"and amortization\) stands at #m"),
            refused={
                r"\bebit\b|market cap of|(?<!net )debt is": "EV or EBITDA is to be built first",
                r"obtained as": "the answer is given",
            },
        ),
        Reading(
            {
                "cap": amount("market cap"),
                "debt": amount("debt"),
                "cash": amount(r"cash (?:reserves|balance)"),
                "ebitda": amount("ebitda"),
            },
            lambda cap, debt, cash, ebitda: (cap + debt - cash) / ebitda,
        ),
    ),
}
