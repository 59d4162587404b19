"""Answers to scores: clustered, order-free, exactly repeatable."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

import tests.support.hash_seeds as hash_seeds
from harness import HarnessError, metrics
from harness.data import prompts
from harness.metrics import stats
from harness.metrics.scoring import breakdown, chance, cluster_key, parse_rate, score_answers
from harness.record import Answer
from harness.schema import Example, Metric, Source, Task


def answers(count: int = 60) -> list[Answer]:
    """Three in four right, one in ten unparsed, three to a group, two topics."""
    said = [None if i % 10 == 9 else ("a" if i % 4 else "b") for i in range(count)]
    return [
        Answer(
            id=f"q{i}",
            group=f"g{i // 3}",
            target="a" if i % 5 else "c",
            text=parsed or "?",
            parsed=parsed,
            slices={"topic": "ethics" if i % 2 else "equity"},
        )
        for i, parsed in enumerate(said)
    ]


def test_a_score_is_the_mean_with_its_interval_and_its_counts() -> None:
    some = answers()
    score = score_answers(some, [metrics.accuracy])["accuracy"]
    right = [float(a.parsed == a.target) for a in some]
    assert (score.value, score.n, score.groups, score.unit) == (sum(right) / 60, 60, 20, "share")
    assert (score.value, score.low, score.high) == stats.clustered_interval(right, [a.group for a in some], share=True)


def test_an_answer_without_a_group_is_a_group_of_its_own_and_never_mixed_up_with_one() -> None:
    some = [replace(a, group="" if i % 2 else "q1") for i, a in enumerate(answers(10))]
    assert score_answers(some, [metrics.accuracy])["accuracy"].groups == 6
    assert cluster_key(Example(id="q1", question="", target="")) != cluster_key(some[0])


def test_the_order_of_the_answers_changes_no_digit() -> None:
    some = answers()
    mixed = random.Random(0).sample(some, len(some))
    every = [metrics.accuracy, metrics.macro_f1]
    assert score_answers(some, every) == score_answers(mixed, every)


def test_a_metric_with_combine_gets_its_own_value_and_a_bootstrap() -> None:
    some = answers()
    score = score_answers(some, [metrics.macro_f1])["macro_f1"]
    assert metrics.macro_f1.combine is not None
    assert score.value == metrics.macro_f1.combine(some)
    assert score.low < score.value < score.high
    assert score == score_answers(some, [metrics.macro_f1])["macro_f1"]


def test_a_metric_in_money_keeps_its_unit_and_direction_and_may_leave_zero_to_one() -> None:
    overpaid = Metric(
        name="overpaid",
        title="Overpaid",
        score=lambda answer: 250.0 if answer.parsed == "b" else 0.0,
        higher_is_better=False,
        unit="USD per claim",
    )
    score = score_answers(answers(), [overpaid])["overpaid"]
    assert score.value == pytest.approx(250 * 15 / 60)
    assert score.high > 1
    assert (score.unit, score.higher_is_better) == ("USD per claim", False)


def test_no_answers_are_refused() -> None:
    with pytest.raises(HarnessError, match="no answers"):
        score_answers([], [metrics.accuracy])


def test_the_parse_rate_counts_what_could_be_read() -> None:
    assert parse_rate(answers()) == pytest.approx(54 / 60)
    assert parse_rate([]) == 0.0


def task_of(metric: Metric) -> Task:
    return Task("toy", 1, "Toy", Source("toy"), lambda folder, split: [], prompts.multiple_choice, (metric,))


def options(*counts: int) -> list[Example]:
    return [Example(f"q{i}", "?", "0", tuple(map(str, range(count)))) for i, count in enumerate(counts)]


def test_guessing_among_options_scores_one_over_their_number_on_average() -> None:
    assert chance(task_of(metrics.accuracy), options(2, 4, 4)) == pytest.approx(1 / 3)


def test_a_task_s_own_chance_goes_before_that_of_its_options() -> None:
    own = replace(task_of(metrics.accuracy), chance=lambda examples: 0.9)
    assert chance(own, options(2, 4)) == 0.9


MONEY = Metric("lost", "Lost", lambda answer: 1.0, higher_is_better=False, unit="USD")


@pytest.mark.parametrize("metric", [metrics.macro_f1, MONEY], ids=lambda metric: metric.name)
def test_no_chance_is_made_up_for_a_metric_that_is_no_share_of_right_answers(metric: Metric) -> None:
    assert chance(task_of(metric), options(2, 4)) is None


def test_no_chance_is_made_up_where_an_answer_is_written_freely() -> None:
    assert chance(task_of(metrics.exact_match), [*options(2), Example("q9", "?", "free")]) is None
    assert chance(task_of(metrics.exact_match), []) is None


def test_a_breakdown_scores_each_value_of_each_slice() -> None:
    some = answers()
    found = breakdown(some, metrics.accuracy)
    assert list(found) == ["topic"]
    assert list(found["topic"]) == ["equity", "ethics"]
    for topic, score in found["topic"].items():
        part = [a for a in some if a.slices["topic"] == topic]
        assert score == score_answers(part, [metrics.accuracy])["accuracy"]


def test_answers_without_slices_have_no_breakdown() -> None:
    assert breakdown([replace(a, slices={}) for a in answers()], metrics.accuracy) == {}


PROGRAM = """
from tests.metrics.test_scoring import answers; from harness import metrics; from harness.metrics.scoring import score_answers
print(score_answers(answers(), [metrics.accuracy, metrics.macro_f1, metrics.exact_match]))
"""


def test_scores_do_not_depend_on_pythons_hash_seed() -> None:
    (text,) = hash_seeds.said(PROGRAM)
    assert "accuracy" in text
