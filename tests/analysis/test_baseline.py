"""The base model at its best: the untrained row that is best on validation questions, whatever the test says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from harness import metrics
from harness.analysis.compare import Cell, cells
from harness.analysis.items import Run
from harness.analysis.sections import sections
from harness.record import ProbeResult
from harness.report import notes
from harness.report.names import baseline_words
from harness.report.verdict import verdict
from tests.support.finished_runs import make_run


def run(method: str, share: float, validation: float | None = None, **spec: object) -> Run:
    """Return a run with a share of right test answers and a validation score."""
    untrained = {"epochs": 0.0, "train_examples": 0, "learning_rate": 0.0} if method != "full" else {}
    record, answers = make_run(method, 0, share, n=200, spec=untrained | spec)
    if validation is not None:
        scores = {name: replace(score, value=validation) for name, score in record.scores.items()}
        record = replace(record, validation=ProbeResult("0", "choices", scores, 1.0, None, "", 0, 300))
    return record, answers


def rows(*runs: Run) -> Mapping[str, Cell]:
    return {cell.spec.method: cell for cell in cells(runs, {"cfa": (metrics.accuracy,)})}


def test_differences_are_from_the_untrained_row_that_is_best_on_validation_questions() -> None:
    table = rows(run("base", 0.3, 0.3), run("calibrated", 0.4, 0.45), run("fewshot", 0.5, 0.4), run("full", 0.7))
    best = table["calibrated"]
    assert best.vs_base is None
    for name in ("base", "fewshot", "full"):
        assert table[name].baseline == best.spec, name
        difference = table[name].vs_base
        assert difference is not None
        assert difference.value == pytest.approx((table[name].value or 0) - (best.value or 0))


def test_the_test_decides_nothing_about_the_choice_and_no_trained_row_is_a_baseline() -> None:
    table = rows(run("base", 0.3, 0.5), run("fewshot", 0.6, 0.4), run("full", 0.7, 0.9))
    assert {cell.baseline for cell in table.values()} == {table["base"].spec, None}


def test_without_validation_scores_the_plain_base_row_is_the_baseline() -> None:
    table = rows(run("base", 0.3), run("fewshot", 0.6), run("full", 0.7))
    assert table["full"].baseline == table["fewshot"].baseline == table["base"].spec


def test_a_lower_score_is_the_better_one_if_the_metric_counts_errors() -> None:
    errors = replace(metrics.accuracy, higher_is_better=False)
    runs = [run("base", 0.3, 0.3), run("fewshot", 0.6, 0.6), run("full", 0.1)]
    runs = [
        (replace(r, scores={k: replace(s, higher_is_better=False) for k, s in r.scores.items()}), a) for r, a in runs
    ]
    table = {cell.spec.method: cell for cell in cells(runs, {"cfa": (errors,)})}
    assert table["full"].baseline == table["base"].spec


def test_the_report_names_the_row_its_validation_scores_and_the_gain_that_is_form() -> None:
    runs = [run("base", 0.3, 0.3), run("fewshot", 0.5, 0.45), run("full", 0.8)]
    (section,) = sections(cells(runs, {"cfa": (metrics.accuracy,)}))
    assert baseline_words(section) == "the base model at its best (fewshot)"
    assert "the base model at its best (fewshot)" in verdict(section)
    choice, form = notes.baseline(section)
    assert choice == "fewshot is the best untrained row on validation questions (base 30.0, fewshot 45.0)."
    assert "20.0 points" in form
    assert "needs no training" in form


def test_a_row_that_validation_chose_and_that_is_worse_in_the_test_has_no_gain() -> None:
    runs = [run("base", 0.5, 0.3), run("fewshot", 0.3, 0.45), run("full", 0.8)]
    (section,) = sections(cells(runs, {"cfa": (metrics.accuracy,)}))
    _, form = notes.baseline(section)
    assert form.startswith("On the test questions it is 20.0 points [")
    assert "worse than base" in form
    assert "gains" not in form
