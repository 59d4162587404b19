"""Metrics: gold scores one, wrong and unparsed score zero, numbers are numbers, F1 comes from a real matrix."""

from __future__ import annotations

import random
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from harness import HarnessError, metrics
from harness.record import Answer
from harness.schema import Example, Metric


def said(target: str, parsed: str | None) -> Answer:
    return Answer(id="q", group="", target=target, text=parsed or "", parsed=parsed)


def of(metric: Metric, answers: list[Answer]) -> float:
    if metric.combine:
        return metric.combine(answers)
    return sum(map(metric.score, answers)) / len(answers)


ALL = [metrics.by_name(name) for name in metrics.names() if metrics.by_name(name).unit == "share"]
PLAIN = [metrics.accuracy, metrics.exact_match, metrics.macro_f1, metrics.numeric()]


@pytest.mark.parametrize("metric", PLAIN, ids=lambda metric: metric.name)
def test_gold_scores_one_and_wrong_or_unparsed_scores_zero(metric: Metric) -> None:
    targets = ["12", "$7,600.00", "-3", "12"]
    assert of(metric, [said(t, t) for t in targets]) == 1.0
    assert of(metric, [said(t, "no such thing") for t in targets]) == 0.0
    assert of(metric, [said(t, None) for t in targets]) == 0.0


@pytest.mark.parametrize("metric", PLAIN, ids=lambda metric: metric.name)
def test_permuted_answers_score_near_chance(metric: Metric) -> None:
    targets = ["10", "20", "30"] * 400
    shuffled = random.Random(1).sample(targets, len(targets))
    assert of(metric, [said(t, s) for t, s in zip(targets, shuffled, strict=True)]) == pytest.approx(1 / 3, abs=0.05)


def test_accuracy_looks_past_case_and_spacing_and_no_further() -> None:
    assert metrics.accuracy.score(said("It  fell", " it FELL ")) == 1.0
    assert metrics.accuracy.score(said("It fell", "It fell by 3")) == 0.0
    assert metrics.accuracy.score(said("fell", "It fell")) == 0.0


def test_an_empty_answer_is_not_a_right_one() -> None:
    assert metrics.accuracy.score(said("", None)) == 0.0


def test_exact_match_keeps_case_and_inner_spacing() -> None:
    assert metrics.exact_match.score(said("us-gaap:Assets", " us-gaap:Assets\n")) == 1.0
    assert metrics.exact_match.score(said("us-gaap:Assets", "us-gaap:assets")) == 0.0
    assert metrics.exact_match.score(said("a b", "a  b")) == 0.0


def test_numbers_are_compared_as_numbers() -> None:
    exact = metrics.numeric()
    assert exact.score(said("7600.0", "$7,600.00")) == 1.0
    assert exact.score(said("5.0", "5.09")) == 0.0
    assert exact.score(said("-123", "(123)")) == 1.0
    assert exact.score(said("1200000", "1.2 million")) == 1.0
    assert exact.score(said("12", "12 or 13")) == 0.0


def test_an_absolute_tolerance_is_inclusive_and_exact() -> None:
    cent = metrics.numeric(Decimal("0.01"))
    assert cent.score(said("0.30", "0.31")) == 1.0  # in floats the gap is wider than 0.01
    assert cent.score(said("0.30", "0.3101")) == 0.0
    assert cent.score(said("0.30", "0.29")) == 1.0


def test_a_relative_tolerance_is_a_fraction_of_the_target() -> None:
    percent = metrics.numeric(Decimal("0.01"), relative=True)
    assert percent.score(said("-200", "-202")) == 1.0
    assert percent.score(said("-200", "-202.01")) == 0.0
    assert percent.score(said("0", "0.0001")) == 0.0
    assert percent.score(said("0", "0")) == 1.0


def test_a_target_that_is_no_number_is_compared_as_text() -> None:
    assert metrics.numeric(Decimal(1)).score(said("not stated", "Not stated")) == 1.0
    assert metrics.numeric(Decimal(1)).score(said("not stated", "5")) == 0.0


@pytest.mark.parametrize("tolerance", ["-1", "NaN", "Infinity"])
def test_a_tolerance_that_is_no_distance_is_refused(tolerance: str) -> None:
    with pytest.raises(HarnessError, match="tolerance"):
        metrics.numeric(Decimal(tolerance))


labels = st.sampled_from(["a", "b", "c"])


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(labels, labels), min_size=1, max_size=60))
def test_macro_f1_agrees_with_scikit_learn_where_all_answers_are_parsed(pairs: list[tuple[str, str]]) -> None:
    answers = [said(t, p) for t, p in pairs]
    true, predicted = zip(*pairs, strict=True)
    expected = f1_score(true, predicted, labels=sorted(set(true)), average="macro", zero_division=0)
    assert of(metrics.macro_f1, answers) == pytest.approx(expected, abs=1e-12)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(labels, st.none() | labels), min_size=1, max_size=60))
def test_macro_f1_agrees_with_scikit_learn_given_unparsed_as_a_class(pairs: list[tuple[str, str | None]]) -> None:
    true = [t for t, _ in pairs]
    predicted = [p or "(unparsed)" for _, p in pairs]
    expected = f1_score(true, predicted, labels=sorted(set(true)), average="macro", zero_division=0)
    assert of(metrics.macro_f1, [said(t, p) for t, p in pairs]) == pytest.approx(expected, abs=1e-12)


def test_unparsed_answers_lower_macro_f1_and_never_lift_it_above_accuracy() -> None:
    right = [said("a", "a"), said("b", "b")]
    lost = [said("a", None), said("b", None)]
    assert of(metrics.macro_f1, right) == 1.0
    assert of(metrics.macro_f1, right + lost) == pytest.approx(2 / 3)  # recall one half, precision one
    wrong = [said("a", "b"), said("b", "a")]
    assert of(metrics.macro_f1, right + wrong) == pytest.approx(0.5)


def test_a_label_outside_the_classes_is_a_miss_and_no_class_of_its_own() -> None:
    answers = [said("a", "a"), said("a", "gibberish one"), said("b", "b"), said("b", "gibberish two")]
    assert of(metrics.macro_f1, answers) == pytest.approx(2 / 3)


def test_the_confusion_matrix_has_an_unparsed_column_and_no_unparsed_row() -> None:
    matrix = metrics.confusion([said("a", "a"), said("a", None), said("Unparsed", "A"), said("None", None)])
    assert matrix == {("a", "a"): 1, ("a", metrics.UNPARSED): 1, ("unparsed", "a"): 1, ("none", metrics.UNPARSED): 1}
    assert all(true is not metrics.UNPARSED for true, _ in matrix)


def test_macro_f1_of_a_key_sees_the_keys_classes_only() -> None:
    decision = metrics.macro_f1_of(lambda text: text.split(";")[0], name="decision_f1")
    answers = [said("pay; 100", "pay; 90"), said("deny; 0", "deny; 5")]
    assert decision.name == "decision_f1"
    assert of(decision, answers) == 1.0
    assert decision.score(answers[0]) == 1.0
    assert of(metrics.macro_f1, answers) == 0.0


CHOICE = Example(id="q", question="?", target="It fell", choices=("It rose", "It fell", "It stayed"))
FREE = Example(id="q", question="?", target="12")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (" It fell", "It fell"),
        ("it  FELL\nOptions:", "It fell"),
        ("\n It fell", "It fell"),
        ("I think it fell", None),
        ("It fell.", None),
        ("It", None),
        ("B", None),
        ("", None),
        (" \n ", None),
    ],
)
def test_a_choice_is_read_only_where_the_first_line_is_an_option(text: str, expected: str | None) -> None:
    assert metrics.default_parse(text, CHOICE) == expected


def test_an_answer_that_fits_two_options_is_not_read() -> None:
    twins = replace(CHOICE, choices=("Up", "up", "Down"))
    assert metrics.default_parse("UP", twins) is None
    assert metrics.default_parse("down", twins) == "Down"


@pytest.mark.parametrize(("text", "expected"), [(" 12 \nand more", "12"), ("", None), ("\n\n", None)])
def test_free_text_is_its_first_line(text: str, expected: str | None) -> None:
    assert metrics.default_parse(text, FREE) == expected


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=30))
def test_only_an_option_of_the_example_ever_comes_out_of_a_choice(text: str) -> None:
    assert metrics.default_parse(text, CHOICE) in {None, *CHOICE.choices}


def test_metrics_are_found_by_name_and_a_misspelt_one_is_named() -> None:
    assert metrics.by_name("accuracy") is metrics.accuracy
    assert {"accuracy", "exact_match", "macro_f1"} <= set(metrics.names())
    with pytest.raises(HarnessError) as caught:
        metrics.by_name("acuracy")
    assert "did you mean 'accuracy'" in caught.value.fix


def test_looking_up_names_leaves_metrics_and_factories_in_place() -> None:
    metrics.names()
    assert isinstance(metrics.accuracy, Metric)
    assert isinstance(metrics.macro_f1, Metric)
    assert callable(metrics.numeric)
    with pytest.raises(AttributeError):
        _ = metrics.no_such_metric


@pytest.mark.parametrize("metric", ALL, ids=lambda metric: metric.name)
def test_every_named_share_metric_gives_nothing_for_an_unparsed_answer(metric: Metric) -> None:
    assert metric.score(said("12", None)) == 0.0
