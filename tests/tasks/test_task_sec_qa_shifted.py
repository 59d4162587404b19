"""The shifted questions of `sec_qa`: insurers that tie from year to year, and gold again from both kinds of accounts."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Mapping
from fractions import Fraction

import pytest

from tasks.data.sec_qa import insurer
from tasks.data.sec_qa_shifted.insurers import LINES
from tests.support.sec_qa_reader import FOLDER, Row, Table, read_number, read_table, year_of

ROWS: list[Row] = [
    json.loads(line)
    for line in (FOLDER.parent / "sec_qa_shifted" / "test.jsonl").read_text(encoding="utf-8").splitlines()
]
Figures = Mapping[str, Fraction]
MEASURES: Mapping[
    str, Callable[[Figures, Figures], Fraction]
] = {  # of a year and the year before, by the insurer's lines
    "the loss ratio": lambda f, _: 100 * f["claims"] / f["earned"],
    "the expense ratio on premiums earned": lambda f, _: 100 * (f["acquisition"] + f["overheads"]) / f["earned"],
    "the combined ratio on premiums earned": lambda f, _: (
        100 * (f["claims"] + f["acquisition"] + f["overheads"]) / f["earned"]
    ),
    "the underwriting result": lambda f, _: f["earned"] - f["claims"] - f["acquisition"] - f["overheads"],
    "the yield on average bonds": lambda f, g: 200 * f["yield"] / (f["bonds"] + g["bonds"]),
    "the insurer's return on average equity": lambda f, g: 200 * f["profit"] / (f["equity"] + g["equity"]),
    "premiums written to equity": lambda f, _: f["written"] / f["equity"],
    "claims reserves to equity": lambda f, _: f["reserves"] / f["equity"],
}
NAMES = {
    "written": "premiums written",
    "earned": "premiums earned",
    "claims": "^losses and loss",
    "acquisition": "^amortization of deferred|^policy acquisition",
    "overheads": "underwriting expenses",
    "yield": "^(net )?investment income",
    "profit": "^net profit",
    "bonds": "available for sale",
    "reserves": "^reserve for losses|^unpaid losses",
    "equity": "shareholders' equity",
}


def of(shift: str, *kinds: str) -> list[Row]:
    return [row for row in ROWS if row["shift"] == shift and row["kind"] in kinds]


def table_of(row: Row) -> Table:
    """Labels to heads to figures, of either kind of accounts."""
    if row["shift"] == "industry":
        return read_table(row["context"])
    lines = [line.split("; ") for line in row["context"].split("\n")]
    head = next(line for line in lines if "Note" in line)
    heads = [cell for cell in head[head.index("Note") + 1 :] if not cell.startswith("in ")]
    body = [line for line in lines if len(line) == len(heads) + 2 and line is not head]
    return {
        line[0]: dict(zip(heads, (Fraction(cell.replace(",", "")) for cell in line[2:]), strict=True)) for line in body
    }


def test_both_shifts_have_all_kinds_alike() -> None:
    for shift in ("presentation", "industry"):
        assert len(of(shift, "twin", "change", "computed", "explain")) == 144
        for kind in ("twin", "change", "computed", "explain"):
            assert len(of(shift, kind)) == 36


@pytest.mark.parametrize("seed", range(20))
def test_an_insurers_statements_tie_from_year_to_year(seed: int) -> None:
    rng = random.Random(seed)
    while (table := insurer.figures(rng, (2021, 2022, 2023), "millions")) is None:
        pass
    v = {key: {year: int(value) for year, value in values.items()} for key, values in table.items()}
    for year in (2021, 2022, 2023):
        grown = {key: v[key][year] - v[key][year - 1] for key in v if year - 1 in v[key]}
        assert v["Assets"][year] == v["Liabilities"][year] + v["StockholdersEquity"][year]
        assert v[insurer.WRITTEN][year] - v[insurer.EARNED][year] == grown[insurer.UNEARNED]
        profit = v[insurer.REVENUES][year] - v[insurer.COSTS][year] - v["IncomeTaxExpenseBenefit"][year]
        assert v["NetIncomeLoss"][year] == profit
        assert grown[insurer.RETAINED] <= max(profit, 0) or profit < 0  # the rest is paid as dividends


def test_every_twin_is_a_cell_and_every_change_follows() -> None:
    for row in ROWS:
        table = table_of(row)
        if row["kind"] == "twin":
            (label,), (head,) = row["lines"], row["columns"]
            times = (
                1000
                if re.search("whole currency|in (whole )?(thousands|dollars)|whole dollars", row["question"])
                else 1
            )
            answer = (
                read_number(row["answer"]) if row["shift"] == "industry" else Fraction(row["answer"].replace(",", ""))
            )
            assert answer == table[label][head] * times, row["id"]
        elif row["form"] in ("percent", "lead"):
            first, last = row["columns"]
            growth = [100 * (table[label][last] / table[label][first] - 1) for label in row["lines"]]
            value = growth[0] - (growth[1] if len(growth) > 1 else 0)
            assert row["answer"].rstrip("%") == f"{float(value):.1f}", row["id"]


def test_every_measure_of_an_insurer_follows_from_the_excerpt() -> None:
    seen = set()
    for row in of("industry", "computed"):
        table = read_table(row["context"])
        heads = list(next(iter(table.values())))

        def known(head: str, table: Table = table) -> dict[str, Fraction]:
            return {
                name: figures[head]
                for name, words in NAMES.items()
                for label, figures in table.items()
                if re.search(words, label.lower())
            }

        head = row["columns"][0]
        before = str(year_of(head) - 1)
        value = MEASURES[row["form"]](known(head), known(before) if before in heads else {})
        decimals = len(row["answer"].rstrip("%").partition(".")[2])
        assert row["answer"].rstrip("%") == f"{float(value):.{decimals}f}", row["id"]
        assert (len(row["columns"]) == 2) == bool(re.search(r"average\b|mean", row["question"]))
        seen.add(row["form"])
    assert seen == set(MEASURES)


def test_an_explanation_is_a_printed_line_that_moved() -> None:
    for row in ROWS:
        if row["kind"] == "explain":
            figures = table_of(row)[row["answer"]]
            assert len({figures[head] for head in row["columns"]}) == len(row["columns"])
            assert not re.search("(?i)^total|^sum|balance sheet total", row["answer"])


def test_lines_of_insurers_are_new_but_for_totals() -> None:
    printed = {label.lower() for texts in LINES.values() for label in texts}
    known = set()
    for file in ("train", "test"):
        for line in (FOLDER / f"{file}.jsonl").read_text(encoding="utf-8").splitlines():
            known |= {label.lower() for label in read_table(json.loads(line)["context"])}
    assert printed & known <= {"total assets", "total liabilities"}
