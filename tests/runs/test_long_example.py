"""A training example far longer than the others is named with the window that would do for nearly all."""

from __future__ import annotations

from harness.runs.forecast.preflight import LongExample, long_example


def test_one_example_far_longer_than_the_others_is_named() -> None:
    totals = [90] * 60 + [2_000] + [100] * 39
    assert long_example(totals) == LongExample(position=60, tokens=2_000, median=90, window=128, shortened=1)


def test_examples_of_similar_length_and_none_at_all_have_no_such_example() -> None:
    assert long_example([90] * 50 + [170]) is None
    assert long_example([]) is None
    assert long_example([10, 60]) is None  # both fit the smallest window that is suggested
