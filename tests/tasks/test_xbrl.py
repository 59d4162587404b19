"""Reading XBRL filings: facts, statements and sums of a filing written here and of three real ones; hostile files."""

from __future__ import annotations

import re
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import tests.support.filings as filings
from harness.errors import HarnessError
from tasks._xbrl import Period, read_instance
from tasks._xbrl_statements import Filing, Statement, number_text, read_filing

REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "sec_xbrl_filings"
INSTANCES = ("nflx-2010q3/nflx-20100930.xml", "tsla-2024q2/tsla-20240630_htm.xml", "unp-2012fy/unp-20121231.xml")


def read(path: Path) -> Filing:
    found = read_filing(path)
    assert found is not None
    return found


def real(name: str) -> Path:
    if not REAL.is_dir():
        pytest.skip(f"no filings beside the project: ../shared/data/{REAL.name}")
    return REAL / name


def statement(filing: Filing, title: str) -> Statement:
    (found,) = [one for one in filing.statements if one.title == title]
    return found


def test_statements_follow_the_presentation_and_show_values_as_the_filing_prints_them(tmp_path: Path) -> None:
    filing = read(filings.write(tmp_path))
    assert filing.issuer == "0000000001"
    assert [str(one) for one in filing.statements] == [
        "Balance Sheets\nin thousands of USD, unless a line says otherwise\nline | 2023-12-31 | 2022-12-31\n"
        "Cash | 120 | 80\nInventory | 300 | 350\nTotal current assets | 420 | 430\nTotal current liabilities | 200 | 215",
        "Statements of Operations\nin thousands of USD, unless a line says otherwise\n"
        "line | 2023-01-01 to 2023-12-31 | 2022-01-01 to 2022-12-31\nRevenues | 1,500 | 1,200\n"
        "Cost of revenues | 900 | 800\nGross profit | 600 | 400\nLamps given away | 7 | 9",
        "Statements of Cash Flows\nin thousands of USD, unless a line says otherwise\n"
        "line | 2023-01-01 to 2023-12-31 | 2022-01-01 to 2022-12-31\nRent paid | -50 | -40\nRevenues | 1,500 | 1,200\n"
        "Cash / first day | 80 | 60\nCash, last day | 120 | 80",
    ]


def test_what_is_left_out_is_counted(tmp_path: Path) -> None:
    assert read(filings.write(tmp_path)).left_out == filings.LEFT_OUT


def test_of_repeated_facts_the_more_exact_one_is_kept_and_of_contradictory_ones_none(tmp_path: Path) -> None:
    instance = read_instance(filings.write(tmp_path))
    assert instance is not None
    assert instance.facts["us-gaap:Cash"][Period("", "2023-12-31")].value == 120_000
    assert not instance.facts["us-gaap:Debt"]


def test_a_fact_is_rounded_to_its_decimals(tmp_path: Path) -> None:
    fact = '<g:Cash contextRef="end2" unitRef="usd" decimals="{}">{}</g:Cash>'
    for decimals, value, want in (
        ("-3", "1499", "1000"),
        ("-3", "-2500", "-2000"),
        ("2", "1.005", "1.00"),
        ("INF", "7.1", "7.1"),
    ):
        instance = read_instance(filings.write(tmp_path, facts=fact.format(decimals, value)))
        assert instance is not None
        assert instance.facts["us-gaap:Cash"][Period("", "2023-12-31")].value == Decimal(want)


def test_sums_carry_weights_and_values_as_reported(tmp_path: Path) -> None:
    first, *others = read(filings.write(tmp_path)).sums
    assert str(first) == (
        'Parts of "Total current assets" for 2023-12-31, in thousands of USD\npart | weight | value\n'
        "Cash | 1 | 120\nInventory | 1 | 300"
    )
    assert [first.values[0], int(first.gap), int(first.rounding)] == ["420", 0, 1500]
    assert str(others[1]).endswith("Revenues | 1 | 1,500\nCost of revenues | -1 | 900")
    assert len(others) == 3


def test_lines_of_one_name_are_told_apart_by_heading_or_marked(tmp_path: Path) -> None:
    rows = {"BalanceSheet": [("Cash", "label"), ("Cash", "terseLabel"), ("Inventory", "label")]}
    lines = read(filings.write(tmp_path, rows=rows)).statements[0].lines
    assert [(line.name, line.unique) for line in lines] == [
        ("Statement: Cash", False),
        ("Statement: Cash", False),
        ("Inventory", True),
    ]


def test_without_presentation_the_calculation_gives_the_order_and_without_schema_the_roles_tell_statements(
    tmp_path: Path,
) -> None:
    filing = read(filings.write(tmp_path / "a", pre=""))
    assert [[line.name for line in one.lines] for one in filing.statements] == [
        ["Total current assets", "Cash", "Inventory"],
        ["Gross profit", "Revenues", "Cost of revenues"],
    ]
    titles = [one.title for one in read(filings.write(tmp_path / "b", xsd="")).statements]
    assert titles == ["Balance Sheet", "Statement Of Income", "Statement Of Cash Flows"]
    assert not read(filings.write(tmp_path / "c", cal="")).sums


def test_a_loop_of_arcs_ends(tmp_path: Path) -> None:
    loop = filings.SUMS | {"Revenues": [("GrossProfit", "1")]}
    assert read(filings.write(tmp_path, pre="", sums=loop | {"Cash": [("Revenues", "1")]})).statements


@pytest.mark.parametrize("file", [".xml", "_lab.xml", "_pre.xml"])
@pytest.mark.parametrize(
    "declared",
    [
        '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>',
        '<!DOCTYPE x [<!ENTITY secret SYSTEM "file:///etc/hostname">]>',
        '<!DOCTYPE x SYSTEM "http://example.test/x.dtd">',
    ],
)
def test_a_document_type_is_refused_before_anything_is_expanded(file: str, declared: str, tmp_path: Path) -> None:
    instance = filings.write(tmp_path)
    path = tmp_path / f"lan-20231231{file}"
    text = re.sub(r"^<\?xml[^>]*\?>\n", "", path.read_text())
    path.write_text(f"{declared}\n{text}")
    with pytest.raises(HarnessError, match="declares a document type") as caught:
        read_filing(instance)
    assert caught.value.where == f"{path}, line 1"
    assert "DOCTYPE" in caught.value.fix


@pytest.mark.parametrize(
    "text",
    ["", "<xbrl>", "<a>&undefined;</a>", "not XML", '<?xml version="1.0" encoding="x-none"?><a/>', "<a>\x00</a>"],
)
def test_malformed_xml_is_refused_with_its_place(text: str, tmp_path: Path) -> None:
    instance = filings.write(tmp_path)
    instance.write_text(text)
    with pytest.raises(HarnessError, match="cannot be read") as caught:
        read_filing(instance)
    assert (caught.value.where, bool(caught.value.fix)) == (str(instance), True)


@pytest.mark.parametrize(
    ("parts", "says", "needs"),
    [
        ({"lab": ""}, "no labels", "lan-20231231_lab.xml"),
        ({"pre": "", "cal": ""}, "no statement", "lan-20231231_pre.xml"),
        ({"facts": ""}, "no statement", "lan-20231231_pre.xml"),
    ],
)
def test_a_missing_linkbase_is_named(parts: dict[str, Any], says: str, needs: str, tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match=says) as caught:
        read_filing(filings.write(tmp_path, **parts))
    assert needs in caught.value.fix


@pytest.mark.parametrize("day", ["2023-13-45", "0001-01-01", "soon", "2023-12-31T00:00:00"])
def test_facts_without_dates_that_can_be_read_are_left_out(day: str, tmp_path: Path) -> None:
    path = filings.write(tmp_path)
    path.write_text(path.read_text().replace("<startDate>2022-01-01", f"<startDate>{day}"))
    filing = read(path)
    assert filing.left_out == filings.LEFT_OUT | {"fact without readable dates": 5}
    assert len(statement(filing, "Statements of Cash Flows").periods) == 1


def test_other_xml_files_are_no_filings(tmp_path: Path) -> None:
    filings.write(tmp_path)
    (tmp_path / "FilingSummary.xml").write_text("<FilingSummary/>")
    assert [p.name for p in sorted(tmp_path.glob("*.xml")) if read_filing(p)] == ["lan-20231231.xml"]


@pytest.mark.parametrize(
    ("value", "text"), [("-0.0", "0"), ("1234567.50", "1,234,567.5"), ("1E+3", "1,000"), ("-26941", "-26,941")]
)
def test_numbers_are_written_plainly(value: str, text: str) -> None:
    assert number_text(Decimal(value)) == text


@pytest.mark.parametrize(
    ("name", "title", "line", "values"),
    [  # looked up in the instances by hand
        (INSTANCES[0], "Consolidated Balance Sheets", "Total assets", "770,283 679,734"),
        (INSTANCES[0], "Consolidated Statements of Operations", "Net income", "37,967 113,758 30,141 84,947"),
        (INSTANCES[0], "Consolidated Statements of Operations", "Interest expense", "-4,945 -14,797 -674 -2,018"),
        (INSTANCES[1], "Consolidated Balance Sheets", "Inventory", "14,195 13,626"),
        (INSTANCES[1], "Consolidated Statements of Cash Flows", "Debt issuance costs", "-5 -13"),
        (INSTANCES[2], "Consolidated Statements Of Income", "Earnings per share - diluted", "8.27 6.72 5.53"),
        (
            INSTANCES[2],
            "Consolidated Statements Of Cash Flows",
            "Cash and cash equivalents at beginning of year",
            "1,217 1,086 1,850",
        ),
    ],
)
def test_real_values_are_those_of_the_instance(name: str, title: str, line: str, values: str) -> None:
    one = statement(read(real(name)), title)
    (found,) = [other for other in one.lines if other.name == line]
    assert " ".join(number_text(found.printed_value(column)) for column in found.columns) == values


@pytest.mark.parametrize("name", INSTANCES)
def test_real_values_are_found_again_in_the_text_of_the_instance(name: str) -> None:
    """A second route: every fact shown is an element of this name and value in the file, searched as text."""
    path = real(name)
    text = re.sub(r"\s+", " ", path.read_text())
    found = re.findall(r"<([a-z-]+:[A-Za-z0-9]+) [^>]*unitRef=[^>]*>(-?[0-9.]+)</", text)
    reported = {(element, Decimal(value)) for element, value in found}
    facts = [fact for one in read(path).statements for line in one.lines for fact in line.cells if fact]
    assert len(facts) > 150
    assert [fact for fact in facts if (fact.element, fact.value) not in reported] == []


def test_what_is_left_out_of_the_real_filings_is_as_counted_by_hand() -> None:
    counts = [dict(read(real(name)).left_out) for name in INSTANCES]
    text, dimension, nil = "fact that is text", "fact with a dimension", "fact that is nil"
    assert counts[0] == {text: 21}
    assert counts[1] == {text: 71, dimension: 566, nil: 2, "fact repeated": 50}
    assert counts[2] == {text: 105, dimension: 831, nil: 2}


def test_real_sums_add_up_but_for_those_that_leave_parts_to_dimensions() -> None:
    sums = {name: read(real(name)).sums for name in INSTANCES}
    assert [len(of) for of in sums.values()] == [52, 81, 78]
    gaps = Counter((one.total.element, str(one.total.period)) for of in sums.values() for one in of if one.gap)
    assert gaps == {("us-gaap:Assets", "2024-06-30"): 2, ("us-gaap:Assets", "2023-12-31"): 2}
