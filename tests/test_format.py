"""Numbers as people read them, and back: what a shown text sorts by."""

from __future__ import annotations

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from harness.format import NONE, counted, duration, interval, magnitude, number, quantity, size


@given(st.floats(-1e6, 1e6), st.sampled_from(["share", "", "EUR"]), st.booleans())
def test_a_shown_number_is_read_back_to_its_last_digit(value: float, unit: str, sign: bool) -> None:
    scale, digits = (100, 0.05) if unit == "share" else (1, 0.005 if unit else 0.0005)
    found = magnitude(number(value, unit, sign=sign))
    assert found is not None
    assert abs(found - value * scale) <= digits * (1 + 1e-6) + abs(value) * 1e-12


@pytest.mark.parametrize(
    ("shown", "step"),
    [
        (size, lambda v: max(1.0, v / 10)),
        (duration, lambda v: 0.06 if v < 9.95 else max(0.5, v / 60)),
        (quantity, lambda v: max(0.6, v / 10)),
    ],
    ids=["size", "duration", "quantity"],
)
@given(value=st.floats(0, 9e11))
def test_sizes_times_and_counts_are_read_back_within_their_rounding(shown, step, value: float) -> None:  # type: ignore[no-untyped-def]
    found = magnitude(shown(value))
    assert found is not None
    assert abs(found - value) <= step(value)


@given(st.lists(st.floats(0, 9e11), min_size=2, max_size=20))
def test_a_column_sorts_by_what_it_shows_as_by_what_it_means(values: list[float]) -> None:
    for shown in (size, duration, quantity, number):
        found = [magnitude(shown(value)) for value in sorted(values)]
        assert found == sorted(found, key=lambda value: value or 0.0)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("79.8 ◀", 79.8),
        ("79.8 ≈", 79.8),
        ("-3.0 %", -3.0),
        ("±8.1", 8.1),
        ("0.01 of 0.003, 0.01", 0.01),
        ("1e-05", 1e-5),
        ("512 B", 512.0),
        ("8.0 B", 8e9),
        ("1.5 KiB", 1536.0),
        ("2h 05m", 7500.0),
        ("7m 35s", 455.0),
        ("9.5s", 9.5),
        (interval(-0.02, 0.3), -2.0),
        ("[-∞, ∞]", -math.inf),
        (number(1234567.0, ""), 1234567.0),
    ],
)
def test_marks_units_and_intervals_do_not_hide_the_number(text: str, value: float) -> None:
    assert magnitude(text) == pytest.approx(value)


@pytest.mark.parametrize("text", ["", NONE, "✗ oom", "lora r8", "2026-01-01", ",", "-", "s", "h", "[", "12ab", "3f1c"])
def test_what_is_no_number_is_none(text: str) -> None:
    assert magnitude(text) is None


@given(st.text(alphabet="0123456789.,+-[]±∞ hmsKMGiBke%x", max_size=14))
@example(",e0")
@example("+,")
def test_no_text_breaks_it(text: str) -> None:
    found = magnitude(text)
    assert found is None or not math.isnan(found)


def test_a_count_has_its_noun_in_the_right_number() -> None:
    assert [counted(n, "group") for n in (0, 1, 2000)] == ["0 groups", "1 group", "2,000 groups"]
    assert counted(1.0, "epoch") == "1 epoch"
    assert counted(0.5, "epoch") == "0.5 epochs"
