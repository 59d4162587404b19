"""Promises of `sec_qa`'s gold answers: every answer again from the text alone, by a second route."""

from __future__ import annotations

import re
from fractions import Fraction

from tasks.data.sec_qa.filer import (
    PRETAX,
)
from tests.support.sec_qa_reader import (
    RATIOS,
    Row,
    asked_head,
    heads_of,
    line_of,
    of_kind,
    read_number,
    read_table,
    recognise,
    recognised,
    year_of,
)

COSTS = re.compile(r"cost|research|selling|restructuring|tax(?!es$)|^(provision|income taxes)|taxes$", re.IGNORECASE)
SCALED = r"(?i)\b(in|whole) (thousands|dollars)\b"


# --- the second route, from the text alone


def test_every_lookup_is_the_cell_that_the_question_names() -> None:
    for row in of_kind("lookup"):
        (year,) = re.findall(r"\b20\d\d\b", row["question"])
        table = read_table(row["context"])
        label = max((label for label in table if label.lower() in row["question"].lower()), key=len)
        assert read_number(row["answer"]) == table[label][year]
        assert len(set(table[label].values())) == len(table[label])  # so that the year decides


def test_every_twin_is_one_cell_and_no_near_twin_has_its_figure() -> None:
    for row in of_kind("twin"):
        table, (label,) = read_table(row["context"]), row["lines"]
        figure = table[label][asked_head(row)]
        assert [asked_head(row)] == row["columns"], (row["id"], row["question"])
        times = {"dollars": 1000, "thousands": 1000 if "millions" in row["context"] else 1}.get(row["unit"], 1)
        if row["unit"] in ("dollars", "thousands") and not re.search(SCALED, row["question"]):
            times = 1
        assert read_number(row["answer"]) == figure * times, row["id"]
        if row["form"] != "lines":
            assert list(table[label].values()).count(figure) == 1


def test_every_change_follows_from_the_excerpt() -> None:
    for row in of_kind("change"):
        table = read_table(row["context"])
        first, last = row["columns"]
        if row["form"] in ("points", "measure"):
            value = measured(row, last)[1] - measured(row, first)[1]
            assert row["answer"] == f"{float(value):.{int(row['form'] == 'points')}f}", row["id"]
            continue
        if row["form"] == "lead":
            growth = [100 * (table[label][last] / table[label][first] - 1) for label in row["lines"]]
            assert row["answer"] == f"{float(growth[0] - growth[1]):.1f}", row["id"]
            continue
        (label,) = row["lines"]
        before, after = table[label][first], table[label][last]
        assert first != last
        if row["form"] == "amount":
            scaled = re.search(SCALED, row["question"])
            answer = read_number(row["answer"].replace("-", "(") + ")" * row["answer"].startswith("-"))
            assert answer == (after - before) * (1000 if scaled else 1), row["id"]
        elif row["form"] == "organic":
            remarks = [
                line for line in row["context"].split("\n") if re.search("bought|acquired|purchased|taken over", line)
            ]
            (amount,) = [int(n.replace(",", "")) for n in re.findall(r"[\d,]*\d", remarks[0]) if n not in heads_of(row)]
            assert len(remarks) == 1
            assert last in remarks[0]
            assert row["answer"] == f"{float(100 * (after - amount - before) / before):.1f}%", row["id"]
        elif row["form"] == "percent":
            assert row["answer"] == f"{float(100 * (after - before) / before):.1f}%", row["id"]
        else:
            assert len(heads_of(row)) == 3
            assert row["answer"] == f"{100 * (float(after / before) ** 0.5 - 1):.1f}%", row["id"]


def test_a_change_runs_between_the_columns_that_the_question_names() -> None:
    for row in of_kind("change"):
        heads, question = sorted(heads_of(row), key=year_of), row["question"]
        years = sorted(set(re.findall(r"\b20\d\d\b", question)))
        first, last = row["columns"]
        if re.search("restate|correct", question):
            assert re.search("(?i)reported", first)
            assert re.search("(?i)restated", last)
        elif re.search("quarter|half", question):
            word = "(?i)half|6 months|six" if re.search("half", question) else "(?i)quarter|3 months|three"
            assert re.search(word, first)
            assert re.search(word, last)
            assert year_of(first) + 1 == year_of(last)
        elif years:
            assert [first, last] == years
        elif re.search("latest year against|year before last|previous year|most recent of these", question):
            assert [first, last] == heads[-2:]
        else:
            assert [first, last] == [heads[0], heads[-1]], question


def measured(row: Row, head: str) -> tuple[int, Fraction]:
    """Return the decimals and the value of a measure of a row, whose name is its form or, for points, its lines."""
    name = points_of(row) if row["form"] in ("points", "measure") else row["form"]
    known = [entry for pattern, entry in RATIOS.items() if re.search(pattern, name)]
    longest = max((pattern for pattern in RATIOS if re.search(pattern, name)), key=len, default="")
    assert known, name
    decimals, value = RATIOS[longest]
    before = str(year_of(head) - 1)
    return decimals, value(recognised(row, head), recognised(row, before) if before in heads_of(row) else {})


def points_of(row: Row) -> str:
    """Return the name of a measure that both columns show, by its lines as recognised."""
    names = {
        ("gross profit", "revenue"): "gross margin",
        ("EBIT", "revenue"): "operating margin",
        ("net income", "revenue"): "net margin",
        ("tax", "pretax"): "effective tax",
        ("research", "revenue"): "R&D",
        ("selling", "revenue"): "SG&A",
        ("gross profit", "cost"): "markup",
        ("equity", "assets"): "equity ratio",
        ("liabilities", "assets"): "debt ratio",
        ("operating cash", "revenue"): "operating cash flow margin",
        ("operating cash", "capital expenditure", "revenue"): "free cash flow margin",
        ("dividends", "net income"): "retention" if re.search("not paid|retention|kept", row["question"]) else "payout",
        ("EBIT", "depreciation", "revenue"): "EBITDA margin",
        ("EBIT", "depreciation"): "EBITDA",
        ("operating cash", "capital expenditure"): "free cash flow",
        ("current assets", "current liabilities"): "working capital",
        ("debt", "cash"): "noncurrent debt less cash",
    }
    return names[tuple(recognise(label) or "" for label in row["lines"])]


def test_every_measure_follows_from_the_excerpt_with_averages_where_the_question_says_so() -> None:
    averaged = 0
    for row in of_kind("computed"):
        if row["form"] in ("first quarter", "adjusted"):
            continue
        head = asked_head(row)
        assert head == row["columns"][0], (row["id"], row["question"])
        decimals, value = measured(row, head)
        assert row["answer"].rstrip("%") == f"{float(value):.{decimals}f}", row["id"]
        averaged += len(row["columns"]) == 2
        assert (len(row["columns"]) == 2) == bool(re.search(r"averag|\bmean\b", row["question"])), row["question"]
    assert averaged > 80


def test_a_first_quarter_is_the_half_year_less_the_second_quarter() -> None:
    for row in of_kind("computed"):
        if row["form"] == "first quarter":
            (label,), (half, quarter) = row["lines"], row["columns"]
            figures = read_table(row["context"])[label]
            assert re.search("(?i)half|6 months|six", half)
            assert re.search("(?i)quarter|3 months|three", quarter)
            assert year_of(half) == year_of(quarter) == int(re.findall(r"20\d\d", row["question"])[0])
            assert Fraction(row["answer"]) == figures[half] - figures[quarter]


GAINS = ("insurance", "grant", "refund", "patent dispute")


def test_an_adjusted_result_leaves_out_the_item_that_is_named_and_no_other() -> None:
    seen = 0
    for row in of_kind("computed"):
        if row["form"] == "adjusted":
            word = next(w for w in WORDS_OF_MATTERS if w in row["question"])
            (remark,) = [
                line for line in row["context"].split("\n") if MATTER_IN_TEXT[word] in line.lower() and "|" not in line
            ]
            amount = next(
                int(n.replace(",", "")) for n in re.findall(r"[\d,]*\d", remark) if not re.fullmatch("20[12]\\d", n)
            )
            cost = -1 if word in GAINS else 1  # a charge made the expense larger and the result smaller
            label = row["lines"][0]
            is_expense = len(row["lines"]) == 1
            assert asked_head(row) in remark
            figure = read_table(row["context"])[label][asked_head(row)]
            assert int(row["answer"]) == figure + cost * amount * (-1 if is_expense else 1), row["id"]
            seen += 1
    assert seen > 40


MATTER_IN_TEXT = {
    "lawsuit": "lawsuit",
    "plant closure": "closing a plant",
    "insurance": "insurance",
    "grant": "grant",
    "merger": "merger",
    "recall": "recall",
    "flood": "flood",
    "refund": "refund",
    "patent dispute": "patent dispute",
}
WORDS_OF_MATTERS = (*MATTER_IN_TEXT,)
MATTER_IN_TEXT["refund"] = "efund"


# --- explanations

DOWN = "lowered|pulled down|took from|depressed|shrank|drove down"
UP = "raised|pushed up|added to|lifted|swelled|drove up"
OPERATING = r"from operations|operating (income|profit)"


def test_no_explanation_is_a_total_and_its_line_leads_in_the_direction_asked_for() -> None:
    for row in of_kind("explain"):
        table = read_table(row["context"])
        effects = {label: effect(row, label, figures) for label, figures in table.items()}
        down = bool(re.search(DOWN, row["question"]))
        assert down != bool(re.search(UP, row["question"]))
        gain = effects[row["answer"]] * (-1 if down else 1)
        assert gain > 0, row["id"]
        assert not re.search(
            "(?i)^(total )?current (assets|liab)|^total (assets|liab|gross)|gross (profit|margin)|before|^net cash",
            row["answer"],
        )
        rivals = [label for label in table if label != row["answer"] and part_of_the_total(row, label)]
        assert rivals
        assert all(effects[label] * (-1 if down else 1) < gain for label in rivals), (row["id"], row["question"])


def effect(row: Row, label: str, figures: dict[str, Fraction]) -> Fraction:
    """Return what a line adds to income, to a sum of balances or to cash: costs printed without brackets count negative."""
    columns = [figures[head] for head in row["columns"]]
    moved = columns[1] - columns[0] if len(columns) > 1 else columns[0]
    income = is_income(list(read_table(row["context"])))
    is_cost = income and COSTS.search(label) and not re.search("before|interest", label.lower())
    return -moved if is_cost else moved


# The lines of a total by their wording, in lower case.
BELOW = r"|before|provision|tax|^net (income|earn)"
NOT_PARTS = {
    "OperatingIncomeLoss": "interest|other" + BELOW,
    PRETAX: BELOW[1:],
    "NetIncomeLoss": "before|^net (income|earn)",
}
PARTS = {
    "AssetsCurrent": r"^cash|restricted|short-term|receivable|inventor|prepaid",
    "LiabilitiesCurrent": r"payable|accrued|deferred revenue|contract liab|current (oper|portion|part|mat)"
    r"|lease liabilities, current|long-term debt.*(, current|within one)",
    "NetCashProvidedByUsedInOperatingActivities": r"^net (income|earn)|depreciation|compensation|(receivable|payable|inventor)"
    r"|payables|other (operating )?assets and liab",
    "NetCashProvidedByUsedInFinancingActivities": r"proceeds|issuance|repayment|payments on long|dividends|repurchase|treasury",
}
ASIDES = {
    "sales and their direct|sales and cost of sales|cost of the goods\\.|below gross": r"revenue|cost of",
    "cash and securities|liquid funds and|receivables, stock": r"^cash|restricted|short-term",
    "net income aside|net income does|the profit itself|adjustments to net": r"^net (income|earnings)",
    "retained earnings|undistributed|retained profits": r"retained",
}


def part_of_the_total(row: Row, label: str) -> bool:
    """Return whether the line may be the answer: a part of the total that the question does not leave aside."""
    question, name = row["question"], label.lower()
    for words, lines in ASIDES.items():
        if re.search(words, question, re.IGNORECASE) and re.search(lines, name):
            return False
    total = line_of(re.split(f"(?:{DOWN}|{UP}) ", question)[1], first=True)
    if total in NOT_PARTS:
        outside = f"gross|operating expense|per share|shares|{OPERATING}|{NOT_PARTS[total]}"
        return not re.search(outside, name)
    if total == "StockholdersEquity":
        is_roll = any("beginning" in line for line in read_table(row["context"]))
        return (
            not re.search("equity|balance", name)
            if is_roll
            else bool(re.search("common|paid|retained|accumulated", name))
        )
    return bool(re.search(PARTS[total], name)) and not re.search(
        "^net cash|acquisition|less current|net of current|noncurrent", name
    )


def is_income(labels: list[str]) -> bool:
    return any(re.search("cost of|^(?!.*deferred).*revenues?$|research|selling", label.lower()) for label in labels)
