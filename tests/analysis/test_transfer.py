"""The four numbers of training one task after the other, on matrices made by hand."""

from __future__ import annotations

import pytest

from harness.analysis import sequence
from harness.analysis.sequence import Term
from harness.metrics.stats import Interval

# base, then after tasks 0, 1, 2
MATRIX = [
    [0.20, 0.30, 0.10],
    [0.80, 0.40, 0.10],
    [0.90, 0.70, 0.05],
    [0.60, 0.50, 0.90],
]


def value(name: str, matrix: sequence.ScoreMatrix = MATRIX) -> float:
    return sequence.mean_of_terms(matrix, sequence.MEASURES[name](matrix))


def test_average_accuracy_is_the_mean_of_the_last_row() -> None:
    assert value("average accuracy") == pytest.approx((0.6 + 0.5 + 0.9) / 3)


def test_backward_transfer_is_the_last_row_less_the_diagonal_without_the_last_task() -> None:
    assert value("backward transfer") == pytest.approx(((0.6 - 0.8) + (0.5 - 0.7)) / 2)


def test_forward_transfer_is_the_row_before_a_tasks_own_less_the_base_model() -> None:
    assert value("forward transfer") == pytest.approx(((0.4 - 0.3) + (0.05 - 0.1)) / 2)


def test_forgetting_is_the_best_earlier_stage_less_the_last_and_the_base_model_is_no_stage() -> None:
    assert value("forgetting") == pytest.approx(((0.9 - 0.6) + (0.7 - 0.5)) / 2)
    better_base = [[0.99, 0.99, 0.99], *MATRIX[1:]]
    assert value("forgetting", better_base) == value("forgetting")


def test_with_two_tasks_forgetting_is_backward_transfer_turned_round() -> None:
    two = [[0.1, 0.2], [0.7, 0.3], [0.5, 0.6]]
    assert value("forgetting", two) == pytest.approx(-value("backward transfer", two)) == pytest.approx(0.2)
    assert sequence.forgetting_terms(two) == [Term(0, 1, 2)]


def test_a_mean_of_equal_intervals_is_narrower_by_the_root_of_their_number() -> None:
    found = sequence.mean_of_intervals([Interval(0.5, 0.3, 0.6)] * 4)
    assert found == pytest.approx((0.5, 0.4, 0.55))


def test_an_interval_that_has_a_width_where_nothing_differs_keeps_one_in_the_mean() -> None:
    found = sequence.mean_of_intervals([Interval(0.0, -0.1, 0.1), Interval(0.0, -0.1, 0.1)])
    assert found.low < 0 < found.high


def test_the_mean_of_one_interval_is_that_interval() -> None:
    assert sequence.mean_of_intervals([Interval(0.4, 0.1, 0.9)]) == pytest.approx((0.4, 0.1, 0.9))
