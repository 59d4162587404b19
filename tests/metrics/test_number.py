"""Numbers as people in finance write them, read exactly or not at all."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.metrics.number import parse_number

READ = {
    "0": "0",
    "12": "12",
    "0012": "12",
    ".5": "0.5",
    "1,234.5": "1234.5",
    "1,234,567": "1234567",
    "  42\n": "42",
    "+3": "3",
    "-5": "-5",
    "\u22125": "-5",
    "\u20135": "-5",
    "- 5": "-5",
    "(123)": "-123",
    "( 1,234.50 )": "-1234.50",
    "$7,600.00": "7600",
    "-$5": "-5",
    "$-5": "-5",
    "$(1,200)": "-1200",
    "($1,200)": "-1200",
    "EUR 12": "12",
    "12 usd": "12",
    "12 dollars": "12",
    "US$ 3.2bn": "3200000000",
    "€\u00a01,000": "1000",
    "-5%": "-5",
    "12.3%": "12.3",
    "12.3 percent": "12.3",
    "(12.3)%": "-12.3",
    "(12.3%)": "-12.3",
    "25 bp": "0.25",
    "150 basis points": "1.5",
    "1.2 million": "1200000",
    "$1.2m": "1200000",
    "$(1.5) million": "-1500000",
    "(1.5 million)": "-1500000",
    "3k": "3000",
    "2 thousand": "2000",
    "4bn": "4000000000",
    "1 trillion": "1000000000000",
    "1.2 million dollars": "1200000",
    "5e3": "5000",
    "1.5E-2": "0.015",
    "2.5x": "2.5",
    "1'000": "1000",
    "CHF 1’234’567.50": "1234567.50",
    "CHF 50.\u2013": "50",
    "1'000.--": "1000",
    "-1'200": "-1200",
    "1\u202f234.5": "1234.5",
    "1\u00a0234\u00a0567": "1234567",
    "1,23,456": "123456",
    "₹ 12,34,567.89": "1234567.89",
    "Rs. 1,00,000": "100000",
    "1.5 crore": "15000000",
    "2 lakh": "200000",
    "3 Mrd": "3000000000",
}

WITH_COMMA = {
    "12,5": "12.5",
    "1.234,56": "1234.56",
    "1.234": "1234",
    "1.234.567": "1234567",
    "-1.234,5": "-1234.5",
    "(1.234,50)": "-1234.50",
    "1.234,50 €": "1234.50",
    "EUR 0,05": "0.05",
    "1'234,50": "1234.50",
    "1\u202f234,56": "1234.56",
    "1 234,56 EUR": "1234.56",
    "3,5 %": "3.5",
    "1,5 Mio.": "1500000",
    "1,5e3": "1500",
    "42": "42",
    ",5": "0.5",
}

REFUSED = """
|abc|about 5|5 or 6|5 6|1,23|12,5|1,2345|0,123|1.234,5|1,2,345|1,23,45|12'34|1'00|'100|1'000,5|1,000'000|
1.2.3|5.|.|-|--5|-(5)|(-5)|(5|5)|()|$|%|million|5%%
5 million %|$5%|$5 usd|$$5|1 million thousand|5e|e3|1,000e3|5e3.5|1e99999|\u0663|5\u00b2|\u00bd|nan|inf|1_000|0x10|12 apples|5 = 5|1/2
"""


@pytest.mark.parametrize(("text", "value"), READ.items())
def test_a_number_in_a_known_notation_is_read_exactly(text: str, value: str) -> None:
    assert parse_number(text) == Decimal(value)


@pytest.mark.parametrize(("text", "value"), WITH_COMMA.items())
def test_a_decimal_comma_is_read_if_it_is_asked_for(text: str, value: str) -> None:
    assert parse_number(text, decimal_comma=True) == Decimal(value)


@pytest.mark.parametrize("text", ["1,234.5", "1.23", "12.5", "1.2345", "1,2,3", "1,", "0.123", "", "n/a", "1.23,4"])
def test_a_decimal_point_is_no_number_beside_decimal_commas(text: str) -> None:
    assert parse_number(text, decimal_comma=True) is None


@pytest.mark.parametrize("text", REFUSED.replace("\n", "|").split("|"))
def test_anything_else_is_no_number(text: str) -> None:
    assert parse_number(text) is None


def test_percent_stays_as_written() -> None:
    assert parse_number("12.3%") == parse_number("12.3")
    assert parse_number("12.3%") != parse_number("0.123")


def test_digits_beyond_decimals_default_precision_are_kept() -> None:
    digits = "1234567890" * 5 + ".01"
    assert str(parse_number(digits)) == digits
    assert parse_number(f"{digits} million") == Decimal("1234567890" * 5 + "010000")


finite = st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**12), max_value=10**12)


@settings(max_examples=50, deadline=None)
@given(finite)
def test_every_number_survives_every_way_of_writing_it(value: Decimal) -> None:
    size = f"{abs(value):,f}"
    sign = "-" if value < 0 else ""
    ways = [f"{value:f}", f"{value:,f}", f"{sign}${size}", f"{sign}{size}%", f"{sign}{size} EUR", f"{value:E}"]
    ways += [f"(${size})", f"$({size})", f"\u2212{size}"] if value < 0 else [f"${size}", f"+{size}"]
    assert {parse_number(way) for way in ways} == {value}


@settings(max_examples=50, deadline=None)
@given(finite, st.sampled_from([("thousand", 3), ("k", 3), ("million", 6), ("m", 6), ("billion", 9), ("bn", 9)]))
def test_a_scale_word_multiplies_by_its_power_of_ten(value: Decimal, scale: tuple[str, int]) -> None:
    word, power = scale
    assert parse_number(f"{value:f} {word}") == value.scaleb(power)


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="0123456789.,()$%-+ekmbn x", max_size=12))
def test_no_text_breaks_the_parser_and_parentheses_never_make_a_positive_number(text: str) -> None:
    value = parse_number(text)
    assert value is None or value.is_finite()
    assert value is None or "(" not in text or value <= 0


@settings(max_examples=50, deadline=None)
@given(finite, finite)
def test_two_numbers_in_a_row_are_no_number(a: Decimal, b: Decimal) -> None:
    assert parse_number(f"{a:f} {abs(b):f}") is None


@settings(max_examples=100, deadline=None)
@given(finite, st.sampled_from(["'", "’", "\u202f", "\u00a0"]), st.booleans())
def test_every_number_survives_every_way_of_grouping_it(value: Decimal, mark: str, comma: bool) -> None:
    text = f"{value:,f}".replace(",", mark)
    assert parse_number(text.replace(".", "," if comma else "."), decimal_comma=comma) == value


@settings(max_examples=100, deadline=None)
@given(finite)
def test_a_number_with_a_decimal_comma_is_its_mirror_with_a_point(value: Decimal) -> None:
    mirror = f"{value:,f}".translate(str.maketrans(",.", ".,"))
    assert parse_number(mirror, decimal_comma=True) == parse_number(f"{value:,f}") == value


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10**12))
def test_a_number_in_lakhs_and_crores_is_the_number(value: int) -> None:
    head, tail = divmod(value, 1000)
    pairs: list[str] = []
    while head > 99:
        head, pair = divmod(head, 100)
        pairs.insert(0, f"{pair:02}")
    text = ",".join([str(head), *pairs, f"{tail:03}"]) if value >= 1000 else str(value)
    assert parse_number(text) == value


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="0123456789.,'\u202f-()", max_size=12))
def test_the_two_notations_agree_unless_a_mark_is_read_in_two_ways(text: str) -> None:
    point, comma = parse_number(text), parse_number(text, decimal_comma=True)
    if point is not None and comma is not None and point != comma:
        assert "." in text or "," in text
