"""A tiny XBRL filing that the tests write: two years, three statements, and everything that is left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

LINK = 'xmlns="http://www.xbrl.org/2003/linkbase" xmlns:xlink="http://www.w3.org/1999/xlink"'
ROLE = "http://www.xbrl.org/2003/role/"
OWN = "http://lantern.test/role/"
CONTEXTS = {
    "end2": "<instant>2023-12-31</instant>",
    "end1": "<instant>2022-12-31</instant>",
    "end0": "<instant>2021-12-31</instant>",
    "year2": "<startDate>2023-01-01</startDate><endDate>2023-12-31</endDate>",
    "year1": "<startDate>2022-01-01</startDate><endDate>2022-12-31</endDate>",
}
# element: label, then its value at or for the newer and the older year, in thousands
REPORTED: dict[str, tuple[str, int, int]] = {
    "Cash": ("Cash", 120, 80),
    "Inventory": ("Inventory", 300, 350),
    "AssetsCurrent": ("Total current assets", 420, 430),
    "LiabilitiesCurrent": ("Total current liabilities", 200, 215),
    "Revenues": ("Revenues", 1500, 1200),
    "CostOfRevenue": ("Cost of revenues", 900, 800),
    "GrossProfit": ("Gross profit", 600, 400),
    "lan_Lamps": ("Lamps given away", 7, 9),
    "PaymentsForRent": ("Rent paid", 50, 40),
}
BALANCE = ("Cash", "Inventory", "AssetsCurrent", "LiabilitiesCurrent")
ROWS: Mapping[str, Sequence[tuple[str, str]]] = {  # statement: element and role of its label
    "BalanceSheet": [(name, "label") for name in BALANCE],
    "StatementOfIncome": [(name, "label") for name in ("Revenues", "CostOfRevenue", "GrossProfit", "lan_Lamps")],
    "StatementOfCashFlows": [
        ("PaymentsForRent", "negatedLabel"),
        ("Revenues", "label"),
        ("Cash", "periodStartLabel"),
        ("Cash", "periodEndLabel"),
    ],
    "LeasesDetails": [("Revenues", "label")],
}
SUMS = {
    "AssetsCurrent": [("Cash", "1"), ("Inventory", "1")],
    "GrossProfit": [("Revenues", "1.0"), ("CostOfRevenue", "-1.0")],
}
EXTRA = """
<g:Cash contextRef="aside" unitRef="usd" decimals="-3">1000</g:Cash>
<g:Goodwill contextRef="end2" unitRef="usd" xsi:nil="true"/>
<g:Policies contextRef="year2">We count &lt;b&gt;lamps&lt;/b&gt;.</g:Policies>
<g:Cash contextRef="end2" unitRef="usd" decimals="-5">100000</g:Cash>
<g:Goodwill contextRef="nowhere" unitRef="usd" decimals="-3">5000</g:Goodwill>
<g:Goodwill contextRef="end1" unitRef="nothing" decimals="-3">5000</g:Goodwill>
<g:Goodwill contextRef="end0" unitRef="usd" decimals="-3">1e9</g:Goodwill>
<g:Debt contextRef="end2" unitRef="usd" decimals="-3">7000</g:Debt>
<g:Debt contextRef="end2" unitRef="usd" decimals="-3">9000</g:Debt>
"""
LEFT_OUT = {
    "fact with a dimension": 1,
    "fact that is nil": 1,
    "fact that is text": 1,
    "fact repeated": 1,
    "fact whose context is missing": 1,
    "fact whose unit is missing": 1,
    "fact that is no number": 1,
    "fact contradicted": 2,
}


def write(folder: Path, *, cik: str = "0000000001", more: int = 0, name: str = "lan-20231231", **parts: Any) -> Path:
    """Write a filing, every figure `more` thousand higher where sums allow it, and return its instance.

    `parts` replace what is written: `facts`, `rows`, `sums`, and, by ending, whole files (`pre=""` writes none).
    """
    folder.mkdir(parents=True, exist_ok=True)
    facts = parts.get("facts", "".join(_fact(element, more) for element in REPORTED) + EXTRA)
    files = {
        ".xml": _instance(cik, name, facts),
        ".xsd": _schema(),
        "_lab.xml": _labels(),
        "_pre.xml": _presentation(parts.get("rows", ROWS)),
        "_cal.xml": _calculation(parts.get("sums", SUMS)),
    }
    for ending, text in files.items():
        text = parts.get(ending.partition(".")[0].strip("_") or ending.strip("."), text)
        if text:
            (folder / f"{name}{ending}").write_text(text)
    return folder / f"{name}.xml"


def _fact(element: str, more: int) -> str:
    prefix, name = element.split("_") if "_" in element else ("g", element)
    step = {"AssetsCurrent": 2 * more, "GrossProfit": 0}.get(element, more)
    contexts = ("end2", "end1") if element in BALANCE else ("year2", "year1")
    values = [
        f'<{prefix}:{name} contextRef="{context}" unitRef="usd" decimals="-3">{1000 * (value + step)}</{prefix}:{name}>'
        for context, value in zip(contexts, REPORTED[element][1:], strict=True)
    ]
    if element == "Cash":
        values.append(f'<g:Cash contextRef="end0" unitRef="usd" decimals="-3">{1000 * (60 + step)}</g:Cash>')
    return "".join(values)


def _instance(cik: str, name: str, facts: str) -> str:
    who = f'<identifier scheme="http://www.sec.gov/CIK">{cik}</identifier>'
    contexts = "".join(
        f'<context id="{id}"><entity>{who}</entity><period>{when}</period></context>' for id, when in CONTEXTS.items()
    )
    return f"""<?xml version="1.0" encoding="utf-8"?>
<xbrl xmlns="http://www.xbrl.org/2003/instance" xmlns:g="http://fasb.org/us-gaap/2023" xmlns:lan="http://lantern.test/2"
 xmlns:link="http://www.xbrl.org/2003/linkbase" xmlns:xlink="http://www.w3.org/1999/xlink"
 xmlns:iso4217="http://www.xbrl.org/2003/iso4217" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
<link:schemaRef xlink:type="simple" xlink:href="{name}.xsd"/>{contexts}
<context id="aside"><entity>{who}<segment><m xmlns="http://xbrl.org/2006/xbrldi" dimension="g:Axis">g:Shop</m></segment>
</entity><period>{CONTEXTS["end2"]}</period></context>
<unit id="usd"><measure>iso4217:USD</measure></unit>{facts}</xbrl>
"""


def _schema() -> str:
    titles = {
        "BalanceSheet": "01 - Statement - Balance Sheets",
        "StatementOfIncome": "02 - Statement - Statements of Operations",
        "StatementOfCashFlows": "03 - Statement - Statements of Cash Flows",
        "LeasesDetails": "04 - Disclosure - Leases (Details)",
    }
    types = "".join(
        f'<link:roleType roleURI="{OWN}{role}"><link:definition>{title}</link:definition></link:roleType>'
        for role, title in titles.items()
    )
    start = '<schema xmlns="http://www.w3.org/2001/XMLSchema" xmlns:link="http://www.xbrl.org/2003/linkbase">'
    return f"{start}<annotation><appinfo>{types}</appinfo></annotation></schema>"


def _loc(element: str) -> str:
    named = element if "_" in element else f"us-gaap_{element}"
    return f'<loc xlink:type="locator" xlink:href="some.xsd#{named}" xlink:label="{element}"/>'


def _labels() -> str:
    texts = [(element, "label", label) for element, (label, *_) in REPORTED.items()]
    texts += [("Cash", "periodStartLabel", "Cash | first day"), ("Cash", "periodEndLabel", "Cash, last day")]
    texts += [("Statement", "label", "Statement [Abstract]")]
    resources = "".join(
        f'<label xlink:type="resource" xlink:role="{ROLE}{role}" xlink:label="{element}_l" xml:lang="en-US">{text}</label>'
        for element, role, text in texts
    )
    elements = dict.fromkeys(element for element, _, _ in texts)
    arcs = "".join(f'{_loc(e)}<labelArc xlink:from="{e}" xlink:to="{e}_l"/>' for e in elements)
    return f'<linkbase {LINK}><labelLink xlink:role="{ROLE}link">{resources}{arcs}</labelLink></linkbase>'


def _presentation(rows: Mapping[str, Sequence[tuple[str, str]]]) -> str:
    links = ""
    for role, lines in rows.items():
        locs = "".join(map(_loc, dict.fromkeys(("Statement", *(element for element, _ in lines)))))
        arcs = [
            f'<presentationArc order="{n}" xlink:from="Statement" xlink:to="{e}" preferredLabel="{ROLE}{label}"/>'
            for n, (e, label) in enumerate(lines)
        ]
        shuffled = "".join(reversed(arcs))  # what counts is `order`
        links += f'<presentationLink xlink:role="{OWN}{role}">{locs}{shuffled}</presentationLink>'
    return f"<linkbase {LINK}>{links}</linkbase>"


def _calculation(sums: Mapping[str, Sequence[tuple[str, str]]]) -> str:
    links = ""
    for total, parts in sums.items():
        locs = "".join(map(_loc, (total, *(part for part, _ in parts))))
        arcs = "".join(
            f'<calculationArc weight="{weight}" xlink:from="{total}" xlink:to="{part}"/>' for part, weight in parts
        )
        role = "BalanceSheet" if total in BALANCE else "StatementOfIncome"
        links += f'<calculationLink xlink:role="{OWN}{role}">{locs}{arcs}</calculationLink>'
    return f"<linkbase {LINK}>{links}</linkbase>"
