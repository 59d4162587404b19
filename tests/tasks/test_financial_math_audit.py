"""The gold audit of Financial Math: what the reader promises, and its values by a second route.

The second route is arithmetic written out here from a person's reading of the rows: loops over periods, an integral for
the option, no formula of the audit. No wording of the source is repeated.
"""

from __future__ import annotations

import csv
import math
import re
from collections import Counter
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.data.financial_math import audit
from tasks.data.financial_math.reader import Reading, UnreadableProblem, amount, numbers_of, ratio, read

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
with audit.FILE.open(encoding="utf-8", newline="") as lines:
    ROWS = {row["id"]: row for row in csv.DictReader(lines)}


def worth(flows: list[float], rate: float) -> float:
    """Today's worth of flows at the ends of coming periods, rolled back from the last one."""
    value = 0.0
    for flow in reversed(flows):
        value = (value + flow) / (1 + rate)
    return value


def grown(money: float, rate: float, periods: int) -> float:
    for _ in range(periods):
        money += money * rate
    return money


def call(spot: float, strike: float, rate: float, years: float, sigma: float, steps: int = 40_000) -> float:
    """The expected payoff of a call where the share ends lognormal, discounted: a sum over the bell curve."""
    total, width = 0.0, 16 / steps
    for place in range(steps):
        z = -8 + (place + 0.5) * width
        end = spot * math.exp((rate - sigma**2 / 2) * years + sigma * math.sqrt(years) * z)
        total += max(0.0, end - strike) * math.exp(-z * z / 2) * width
    return total / math.sqrt(2 * math.pi) * math.exp(-rate * years)


DIFFERS = {
    "train-1": worth([6000] * 4, 0.08),
    "train-2": worth([10_000] * 5, 0.1),
    "train-3": worth([12_000] * 2, 0.03),
    "train-4": worth([4500] * 6, 0.07),
    "train-5": worth([3000] * 8, 0.06),
    "train-8": worth([9000, 10_000, 11_000], 0.09),
    "train-9": worth([20_000] * 10, 0.02),
    "train-10": worth([15_000, 16_000, 17_000, 18_000], 0.05),
    "train-13": worth([50_000] * 15, 0.07),
    "train-15": worth([4000] * 6, 0.05) - 20_000,
    "train-16": worth([4400] * 3, 0.11),
    "train-38": worth([8000] * 3, 0.04),
    "train-39": worth([5000] * 6, 0.035),
    "train-563": 2_000_000 - 0.12 * 2_000_000,
    "train-564": 0.08 * 250_000,
    "train-568": 0.06 * 10_000_000,
    "train-569": 0.05 * 1_500_000 - 0.04 * 1_500_000,
    "train-571": 0.11 * 200_000 - 0.08 * 200_000,
    "train-575": 0.05 * 500_000,
    "train-623": 310 * 24 / 25,
    "train-773": (85 + 7 - 12) * 1.01,
    "train-778": (63 + 10 - 18) * 1.012 ** (10 / 12),
    "train-783": 155 - 160 / 1.018**2,
    "test-1": worth([3500] * 5, 0.08) - 13_000,
    "test-2": worth([600] * 4, 0.03) - 2000,
    "test-4": worth([20_000, 30_000, 50_000], 0.09),
    "test-141": 130_000 / 0.95,
    "test-142": 0.06 * 25_000 - 0.04 * 25_000,
}
AGREES = {
    "train-11": 5000 + worth([6500, 8000], 0.06),
    "train-12": 2200 + worth([2200] * 9, 0.1),
    "train-18": grown(15_000, 0.01, 60),
    "train-41": 20_000 / 1.07**3 + 30_000 / 1.07**6,
    "train-106": grown(1, 0.02, 6) - 1,
    "train-209": 150_000 + 50_000 - 10_000,
    "train-323": 2_500_000 / 500_000,
    "train-518": (400 + 100 - 50) / 45,
    "train-595": 0.009 * 1.025 / 0.999,
    "train-597": 1.25 * 1.005 / 1.025,
    "train-625": 0.625,
    "train-724": 400 / 600 * 0.09 + 200 / 600 * 0.06 * 0.67,
    "train-756": call(120, 100, 0.04, 2, 0.3),
    "train-779": 11 - 9 + 100 / 1.04**0.75,
    "test-5": grown(5500, 0.02, 4),
    "test-7": grown(90_000, 0.02, 20),
    "test-9": 100_000 / grown(1, 0.025, 20),
    "test-13": grown(22_000, 0.05, 10),
    "test-15": grown(15_000, 0.045 / 4, 20),
    "test-17": 3200 * 0.055 * 7,
    "test-21": (250 + 3000) / 25_000 * 365 / 360,
    "test-26": grown(1, 0.055 / 12, 12) - 1,
    "test-29": (70 - 20) / 15,
    "test-36": 78 / 9,
    "test-37": 8 / 50,
    "test-42": 3 / 9,
    "test-47": 180 / 90,
    "test-50": (800 - 300) / 400,
    "test-51": 100 / 50,
    "test-57": 75_000 - 25_000,
    "test-61": 130 / 350 * 100,
    "test-65": 33 / 220 * 100,
    "test-72": 180 / 1000 * 100,
    "test-76": 120 / 1250 * 100,
    "test-77": 50 / 200 * 100,
    "test-84": 500 / 80,
    "test-88": 40 / 200 * 365,
    "test-89": 200 / 25,
    "test-93": 950 / 700,
    "test-97": 0.035 + 2 * 0.115,
    "test-104": 12 / 240,
    "test-107": 2.1 / 7,
    "test-112": 900 / 180,
    "test-116": 600_000,
    "test-118": 80_000 * 100,
    "test-122": 120 / 40,
    "test-128": (600 + 220 - 130) * 1e6,
    "test-132": 960 / 120,
    "test-133": (150 + 50 + 70 + 55 - 45) * 1e6,
    "test-139": 5.88 / 142 * 100,
    "test-144": 3 / 60 * 100,
    "test-145": 150e6,
    "test-153": 0.02 * 450 / 300,
    "test-156": 320 * 2.70 / 2.65,
    "test-157": 11 / 15,
    "test-161": (13 - 2.8) / 16,
    "test-167": 0.18 - (0.04 + 2 * 0.08),
    "test-170": (0.13 - 0.012) / 1.6,
    "test-173": (12 - 3.3) / 4.2,
    "test-177": 640_000 + 0.24 * 120_000,
    "test-181": 0.25 * 0.06 + 0.75 * 0.04 * 0.82,
    "test-185": 0.25 / 0.1,
    "test-192": call(132, 135, 0.022, 1.5, 0.21),
    "test-193": 20 + 300 - 290 / 1.05**3,
    "test-194": 25 - 200 + 195 / 1.008,
    "test-199": 6 / 150 + 0.07,
}


@pytest.mark.parametrize("name", [*DIFFERS, *AGREES])
def test_what_was_recomputed_comes_out_again_by_hand(name: str) -> None:
    row = ROWS[f"formula_{name}"]
    by_hand = {**DIFFERS, **AGREES}[name]
    assert float(row["recomputed"]) == pytest.approx(by_hand, abs=0.005 + 1e-9)
    assert row["verdict"] == ("differs" if name in DIFFERS else "agrees")


def test_every_label_that_is_called_wrong_was_worked_by_hand_and_every_formula_was() -> None:
    assert {f"formula_{name}" for name in DIFFERS} == {id for id, row in ROWS.items() if row["verdict"] == "differs"}
    worked = {ROWS[f"formula_{name}"]["formula"] for name in (*DIFFERS, *AGREES)}
    assert worked == {row["formula"] for row in ROWS.values()}
    assert len(worked) == 50


def test_the_table_is_complete_and_its_counts_are_known() -> None:
    counts = Counter((row["split"], row["verdict"]) for row in ROWS.values())
    assert counts == {
        ("train", "agrees"): 695,
        ("train", "differs"): 23,
        ("train", "not recomputed"): 82,
        ("test", "agrees"): 171,
        ("test", "differs"): 5,
        ("test", "not recomputed"): 24,
    }
    for row in ROWS.values():
        assert bool(row["recomputed"]) == (row["verdict"] != "not recomputed") == (not row["reason"])
        assert not re.search(r"[\d$%?]", re.sub(r"\b[ps] [01]\b", "", row["reason"])), "a reason quotes no problem"


def test_the_table_is_rebuilt_to_the_byte_from_the_source(tmp_path: Path) -> None:
    if not (SHARED / "finlora_formula").is_dir():
        pytest.skip("public data is not beside the project: ../shared/data/finlora_formula")
    audit.main(["--data", str(SHARED), "--out", str(tmp_path / "audit.csv")])
    assert (tmp_path / "audit.csv").read_bytes() == audit.FILE.read_bytes()


@pytest.mark.parametrize(
    ("label", "value", "verdict"),
    [
        ("0.62", "0.625", "agrees"),
        ("0.63", "0.625", "agrees"),
        ("0.61", "0.615", "agrees"),
        ("0.61", "0.6151", "near"),
        ("100.0", "101", "near"),
        ("100.0", "101.02", "differs"),
        ("-5.0", "5", "differs"),
        ("0.0", "0", "agrees"),
        ("15092.44", "974.4851", "differs"),
    ],
)
def test_a_label_agrees_within_half_a_cent_and_is_near_within_one_per_cent(
    label: str, value: str, verdict: str
) -> None:
    assert audit.judge(label, Fraction(value)) == verdict


@given(st.fractions(-(10**9), 10**9, max_denominator=10**6))
@settings(max_examples=100, deadline=None)
def test_two_decimals_are_those_of_decimal_arithmetic_and_agree_with_their_value(value: Fraction) -> None:
    cents = (Decimal(value.numerator) / Decimal(value.denominator)).quantize(Decimal("0.01"), ROUND_HALF_UP)
    written = audit.two_decimals(value)
    assert Decimal(written) == cents
    assert re.fullmatch(r"-?\d+\.\d\d", written)
    assert audit.judge(written, value) == "agrees"


def test_numbers_are_read_as_finance_writes_them() -> None:
    text, values = numbers_of("In 2022 S_0 was $1,234.5 and -0.1% of 2.5 million; twice -$10,000 over 6-month terms.")
    assert text == "in that year s_0 was <m0> and <p1> of <n2>; <w3> <m4> over <n5>-month terms."
    assert values == [Fraction("1234.5"), Fraction(-1, 1000), 2_500_000, 2, -10_000, 6]


ASSETS = ratio(amount("current assets"), amount("current liabilities"))


@given(st.integers(1, 10**7), st.integers(1, 10**7), st.booleans())
@settings(max_examples=50, deadline=None)
def test_the_order_of_the_words_does_not_matter(top: int, bottom: int, swapped: bool) -> None:
    said = [f"${top:,} in current assets", f"${bottom:,} in current liabilities"]
    text = f"A shop has {' and '.join(said[::-1] if swapped else said)}. What is the ratio?"
    assert read(text, ASSETS) == Fraction(top, bottom)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Current assets are $5.", "no value for denominator"),
        ("Current assets are $5, current liabilities are $2, and sales are $9.", "plays no part"),
        ("Current assets are $5, current liabilities are $2, for three years.", "plays no part"),
        (
            "Current assets of $5, later current assets of $6, current liabilities of $2.",
            "several values for numerator",
        ),
        ("Current assets are $5, current liabilities are $0.", "no value here"),
        ("Current assets $5 current liabilities $2.", "several values"),
    ],
)
def test_what_is_left_over_claimed_twice_or_missing_is_not_guessed(text: str, why: str) -> None:
    with pytest.raises(UnreadableProblem, match=why):
        read(text, ASSETS)


def test_a_quantity_that_is_stated_twice_alike_is_one_value() -> None:
    assert read("Current assets of $5, thus current assets of $5, current liabilities of $2.", ASSETS) == Fraction(5, 2)


def test_what_is_refused_is_refused_with_its_reason() -> None:
    reading = Reading({"rate": ("#p",)}, lambda rate: rate, refused={"affect": "asks for a change"})
    assert read("The rate is 5%.", reading) == Fraction(1, 20)
    with pytest.raises(UnreadableProblem, match="asks for a change"):
        read("How does a rate of 5% affect this?", reading)


def test_an_unknown_formula_is_not_recomputed() -> None:
    found = audit.finding("x-1", "test", "Unknown", "What is 1 + 1?", "2")
    assert (found.verdict, found.recomputed, found.reason) == ("not recomputed", "", "the formula is not known here")
