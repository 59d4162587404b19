"""Promises of the formula parser: what is a formula, what is not, and when two formulas are the same."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tests.support.hash_seeds as hash_seeds
from harness.metrics.expression import equal, parse_expression

NAMES = st.sampled_from(["Revenues", "Assets", "GrossProfit", "NetIncomeLoss"])
LEAVES = NAMES | st.integers(1, 400).map(str) | st.decimals("0.1", "99.9", places=1).map(str)
FORMULAS = st.recursive(
    LEAVES,
    lambda inner: st.tuples(inner, st.sampled_from("+-*/"), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
    max_leaves=6,
)
POINT = {name: Fraction(value) for name, value in zip(("Revenues", "Assets", "GrossProfit", "NetIncomeLoss"), (7, 11, 3, 5), strict=True)}  # fmt: skip


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("(GrossProfit / Revenues) * 100", "100 * GrossProfit / Revenues"),
        ("us-gaap:GrossProfit / us-gaap:Revenues", "GrossProfit/Revenues"),
        ("US-GAAP:GrossProfit ÷ Revenues × 2", "2 * GrossProfit / Revenues"),
        ("(a - b) / c", "a / c - b / c"),
        ("a − b", "-(b - a)"),
        ("0.1 * a", "a / 10"),
        ("a / (b / c)", "a * c / b"),
    ],
)
def test_formulas_of_the_same_value_are_equal(a: str, b: str) -> None:
    assert equal(a, b)
    assert equal(b, a)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("GrossProfit / Revenues", "100 * GrossProfit / Revenues"),
        ("GrossProfit / Revenues", "Revenues / GrossProfit"),
        ("AssetsCurrent - InventoryNet / LiabilitiesCurrent", "(AssetsCurrent - InventoryNet) / LiabilitiesCurrent"),
        ("a - b", "b - a"),
        ("a", "A"),
        ("a / b", "a / c"),
        ("a * 1.0000001", "a"),
        ("a / (b - b)", "a / (b - b)"),
        ("a", "not a formula"),
        ("", ""),
    ],
)
def test_formulas_of_different_value_are_not_equal(a: str, b: str) -> None:
    assert not equal(a, b)
    assert not equal(b, a)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "gross profit over revenues",
        "a b",
        "a /",
        "(a / b",
        "a ** b",
        "a // b",
        "a % b",
        "a = b",
        "a == b",
        "a, b",
        "1,000 * a",
        "f(a)",
        "a.b",
        "a if b else c",
        "lambda: a",
        "__import__('os')",
        "True + a",
        "1j * a",
        "1e400 * a",
        "a; b",
        "a\nb",
        "a # b",
        "us-gaap: a",
        "other:a",
        "-" * 399 + "a",
        "-" * 500 + "a",
        "a+" * 190 + "a",
    ],
)
def test_what_is_not_a_formula_is_refused(text: str) -> None:
    assert parse_expression(text) is None


def test_a_formula_knows_its_names_and_its_value_at_a_point() -> None:
    formula = parse_expression("365 * us-gaap:InventoryNet / CostOfRevenue")
    assert formula is not None
    assert formula.names == {"InventoryNet", "CostOfRevenue"}
    assert formula.at({"InventoryNet": Fraction(2), "CostOfRevenue": Fraction(5)}) == 146
    assert formula.at({"InventoryNet": Fraction(2), "CostOfRevenue": Fraction(0)}) is None


@given(FORMULAS)
@settings(max_examples=50, deadline=None)
def test_the_value_is_that_of_exact_arithmetic(text: str) -> None:
    formula = parse_expression(text)
    assert formula is not None
    # The reference is Python itself on exact fractions; safe here because the test wrote the text.
    exact = "".join(f"Fraction('{part}')" if part[0].isdigit() else part for part in _pieces(text))
    try:
        expected = eval(exact, {"Fraction": Fraction, **POINT})
    except ZeroDivisionError:
        expected = None
    assert formula.at(POINT) == expected


def _pieces(text: str) -> list[str]:
    return text.replace("(", "( ").replace(")", " )").split()


@given(FORMULAS, FORMULAS)
@settings(max_examples=50, deadline=None)
def test_swapping_what_may_be_swapped_keeps_the_value(a: str, b: str) -> None:
    for one, other in ((f"{a} + {b}", f"{b} + {a}"), (f"{a} * {b}", f"{b} * {a}"), (f"{a} - {b}", f"-({b} - {a})")):
        first = parse_expression(one)
        assert first is not None
        if first.at({name: Fraction(i + 101, 13) for i, name in enumerate(sorted(first.names))}) is not None:
            assert equal(one, other)
            assert not equal(one, f"{other} + 1")


@given(FORMULAS)
@settings(max_examples=50, deadline=None)
def test_the_canonical_text_is_a_fixed_point(text: str) -> None:
    formula = parse_expression(text)
    assert formula is not None
    again = parse_expression(formula.text)
    assert again is not None
    assert again.text == formula.text
    assert again.at(POINT) == formula.at(POINT)


@given(st.text(max_size=60))
@settings(max_examples=50, deadline=None)
def test_no_text_makes_the_parser_fail(text: str) -> None:
    formula = parse_expression(text)
    assert formula is None or isinstance(formula.text, str)


def test_equality_does_not_depend_on_the_hash_seed() -> None:
    code = (
        "from harness.metrics.expression import _coordinate, equal;"
        "print(_coordinate('Assets', 0), equal('a/b*100', '100*a/b'), equal('a', 'b'))"
    )
    (text,) = hash_seeds.said(code)
    assert text.endswith("True False\n")
