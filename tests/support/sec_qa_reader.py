"""Reads the questions of `sec_qa` back from their text: the second route to every gold answer.

Nothing here knows the generator's figures: tables are parsed from the excerpts, lines are recognised by their wording,
and the ratios are written down once more.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import tasks.sec_qa
from harness.record import SPLITS

FOLDER = Path(tasks.sec_qa.__file__).parent / "data" / "sec_qa"
Row = dict[str, Any]
Table = dict[str, dict[int, Fraction]]

# How this test recognises a line: the first pattern that fits its wording, in lower case.
LINES: Mapping[str, str] = {
    "LiabilitiesAndStockholdersEquity": r"liabilities and (stockholders' |shareholders' )?equity",
    "LiabilitiesCurrent": r"(^|total )current liabilities",
    "Liabilities": r"^total liabilities$",
    "AssetsCurrent": r"^(total )?current assets(, total)?$",
    "Assets": r"^total assets$",
    "StockholdersEquity": r"(stockholders|shareholders)' equity",
    "LongTermDebtCurrent": r"long-term debt.*(within one year|, current)|current .*of long-term debt",
    "Flow": r"proceeds|repayment|payments? on|issuance|change|increase|decrease|net of cash|taxes paid",
    "LongTermDebtNoncurrent": r"long-term debt",
    "NetCashProvidedByUsedInOperatingActivities": r"cash .*operating activities",
    "CashFlow": r"cash .*(investing|financing) activities|cash,? (at )?(the )?(beginning|end)",
    "CashAndCashEquivalentsAtCarryingValue": r"^cash (and|&) (cash )?equivalents$",
    "InventoryNet": r"inventor",
    "AccountsReceivableNetCurrent": r"receivable",
    "AccountsPayableCurrent": r"payable",
    "PropertyPlantAndEquipmentNet": r"^(net )?property",
    "PaymentsToAcquirePropertyPlantAndEquipment": r"property|capital expenditures",
    "CostOfRevenue": r"^(total )?cost of (revenue|sales)",
    "GrossProfit": r"gross (profit|margin)",
    "OperatingExpenses": r"operating expense",
    "OperatingIncomeLoss": r"^operating (income|profit)|from operations",
    "EarningsPerShare": r"per share",
    "Pretax": r"before (income )?taxes",
    "IncomeTaxExpenseBenefit": r"^income tax(es$| expense| provision)|^provision",
    "NetIncomeLoss": r"^net (income|earnings)",
    "PaymentsOfDividends": r"dividends",
    "ResearchAndDevelopmentExpense": r"research",
    "SellingGeneralAndAdministrativeExpense": r"selling",
    "InterestExpense": r"^interest (expense|on|cost)",
    "DepreciationDepletionAndAmortization": r"depreciation",
    "Revenues": r"^(?!.*deferred).*revenue",
}
RATIOS: Mapping[str, Callable[[Mapping[str, Fraction]], Fraction]] = {
    "gross margin": lambda f: f["GrossProfit"] / f["Revenues"],
    "operating margin": lambda f: f["OperatingIncomeLoss"] / f["Revenues"],
    "net profit margin": lambda f: f["NetIncomeLoss"] / f["Revenues"],
    "effective tax rate": lambda f: f["IncomeTaxExpenseBenefit"] / f["Pretax"],
    "research intensity": lambda f: f["ResearchAndDevelopmentExpense"] / f["Revenues"],
    "selling expense ratio": lambda f: f["SellingGeneralAndAdministrativeExpense"] / f["Revenues"],
    "interest coverage": lambda f: f["OperatingIncomeLoss"] / abs(f["InterestExpense"]),
    "current ratio": lambda f: f["AssetsCurrent"] / f["LiabilitiesCurrent"],
    "quick ratio": lambda f: f["AssetsCurrent"] / f["LiabilitiesCurrent"] - f["InventoryNet"] / f["LiabilitiesCurrent"],
    "cash ratio": lambda f: f["CashAndCashEquivalentsAtCarryingValue"] / f["LiabilitiesCurrent"],
    "working capital": lambda f: f["AssetsCurrent"] - f["LiabilitiesCurrent"],
    "liabilities-to-assets ratio": lambda f: f["Liabilities"] / f["Assets"],
    "liabilities-to-equity ratio": lambda f: f["Liabilities"] / f["StockholdersEquity"],
    "long-term-debt-to-equity ratio": lambda f: f["LongTermDebtNoncurrent"] / f["StockholdersEquity"],
    "equity ratio": lambda f: f["StockholdersEquity"] / f["Assets"],
    "equity multiplier": lambda f: f["Assets"] / f["StockholdersEquity"],
    "return on assets": lambda f: f["NetIncomeLoss"] / f["Assets"],
    "return on equity": lambda f: f["NetIncomeLoss"] / f["StockholdersEquity"],
    "fixed asset turnover": lambda f: f["Revenues"] / f["PropertyPlantAndEquipmentNet"],
    "asset turnover": lambda f: f["Revenues"] / f["Assets"],
    "inventory turnover": lambda f: f["CostOfRevenue"] / f["InventoryNet"],
    "receivables turnover": lambda f: f["Revenues"] / f["AccountsReceivableNetCurrent"],
    "payables turnover": lambda f: f["CostOfRevenue"] / f["AccountsPayableCurrent"],
    "days sales outstanding": lambda f: f["AccountsReceivableNetCurrent"] / (f["Revenues"] / 365),
    "days inventory outstanding": lambda f: f["InventoryNet"] / (f["CostOfRevenue"] / 365),
    "days payable outstanding": lambda f: f["AccountsPayableCurrent"] / (f["CostOfRevenue"] / 365),
    "operating cash flow ratio": lambda f: f["NetCashProvidedByUsedInOperatingActivities"] / f["LiabilitiesCurrent"],
    "cash flow margin": lambda f: f["NetCashProvidedByUsedInOperatingActivities"] / f["Revenues"],
    # Capital expenditure is an outflow: the statement shows it in parentheses, the tagged payment is positive.
    "free cash flow": lambda f: (
        f["NetCashProvidedByUsedInOperatingActivities"] - abs(f["PaymentsToAcquirePropertyPlantAndEquipment"])
    ),
    "dividend payout ratio": lambda f: abs(f["PaymentsOfDividends"]) / f["NetIncomeLoss"],
    "EBITDA": lambda f: f["OperatingIncomeLoss"] + f["DepreciationDepletionAndAmortization"],
}
OUTFLOWS = {"InterestExpense", "PaymentsToAcquirePropertyPlantAndEquipment", "PaymentsOfDividends"}


@cache
def rows(split: str) -> list[Row]:
    return [json.loads(line) for line in (FOLDER / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()]


def of_kind(kind: str, *splits: str) -> list[Row]:
    return [row for split in splits or SPLITS for row in rows(split) if row["kind"] == kind]


def read_number(text: str) -> Fraction:
    sign = -1 if text.startswith("(") else 1
    return sign * Fraction(text.strip("()").replace(",", ""))


def read_table(context: str) -> Table:
    """Labels to fiscal years to figures, from the text alone."""
    lines = [line.split(" | ") for line in context.split("\n")]
    start = next(i for i, line in enumerate(lines) if len(line) > 1 and all(re.fullmatch("20..", c) for c in line[1:]))
    years = [int(cell) for cell in lines[start][1:]]
    return {line[0]: dict(zip(years, map(read_number, line[1:]), strict=True)) for line in lines[start + 1 :]}


def asked_line(row: Row) -> str:
    """The line that the question names: the longest label in it."""
    found = [label for label in read_table(row["context"]) if label.lower() in row["question"].lower()]
    return max(found, key=len)


def asked_years(row: Row) -> list[int]:
    return [int(year) for year in re.findall(r"\b20\d\d\b", row["question"])]


def recognise(label: str) -> str | None:
    """What a line is by its wording, a key of `LINES`."""
    return next((key for key, pattern in LINES.items() if re.search(pattern, label.lower())), None)


def recognised(row: Row, year: int) -> dict[str, Fraction]:
    """Lines by what they are, as recognised from their wording."""
    found: dict[str, Fraction] = {}
    for label, figures in read_table(row["context"]).items():
        key = recognise(label)
        if key:
            assert key not in found or key in ("Flow", "CashFlow", "EarningsPerShare"), (label, key)
            found[key] = figures[year]
    return found


def asked_ratio(row: Row) -> str | None:
    """The ratio that the question names; none where it asks for the change of a line between two years."""
    if len(asked_years(row)) == 2:
        return None
    return max((name for name in RATIOS if name in row["question"]), key=len, default=None)
