"""Calibrated rows: the prior of an option is its log-likelihood behind a prompt without content."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from harness.model import answer as evaluate
from harness.model import calibrate
from harness.schema import Calibration
from tests.support.tiny_models import toy_examples, toy_model, toy_spec, toy_task, toy_tokenizer


def test_the_prior_by_domain_is_the_log_likelihood_behind_the_last_line_of_the_prompt() -> None:
    examples, model, tokenizer = toy_examples(5), toy_model(), toy_tokenizer()
    rows = evaluate.answer(model, tokenizer, examples, toy_task(), toy_spec(), calibration="domain")
    for example, row in zip(examples, rows, strict=True):
        premise = replace(toy_task(), prompt=lambda e: toy_task().prompt(e).rsplit("\n", 1)[-1])
        (alone,) = evaluate.answer(model, tokenizer, [example], premise, toy_spec())
        assert row.prior == pytest.approx(alone.loglik, abs=1e-3)


def test_the_content_free_prior_is_the_mean_probability_over_three_fillers() -> None:
    examples, model, tokenizer = toy_examples(4), toy_model(), toy_tokenizer()
    rows = evaluate.answer(model, tokenizer, examples, toy_task(), toy_spec(), calibration="content-free")
    for example, row in zip(examples, rows, strict=True):
        shares = []
        for filler in ("N/A", "[MASK]", ""):
            blank = replace(example, question=filler, context=filler if example.context else "")
            (alone,) = evaluate.answer(model, tokenizer, [blank], toy_task(), toy_spec())
            weights = np.exp(np.array(alone.loglik))
            shares.append(weights / weights.sum())
        assert np.exp(row.prior) == pytest.approx(np.mean(shares, axis=0), abs=1e-4)
        assert math.fsum(np.exp(row.prior)) == pytest.approx(1.0)


@pytest.mark.parametrize("calibration", ["content-free", "domain"])
def test_a_calibrated_answer_is_the_option_that_gains_most_and_the_likelihoods_are_those_of_base(
    calibration: Calibration,
) -> None:
    examples, model, tokenizer = toy_examples(9), toy_model(), toy_tokenizer()
    plain = evaluate.answer(model, tokenizer, examples, toy_task(), toy_spec())
    rows = evaluate.answer(model, tokenizer, examples, toy_task(), toy_spec(), calibration=calibration)
    for before, row in zip(plain, rows, strict=True):
        assert row.loglik == before.loglik
        assert row.text == row.choices[int(np.argmax(np.array(row.loglik) - row.prior))]
    assert [row.text for row in rows] != [row.text for row in plain]


def test_a_prompt_of_one_line_has_a_premise_of_its_own() -> None:
    task = replace(toy_task(), prompt=lambda example: example.question)
    (blank,) = calibrate.blanks(toy_examples(2), task, "domain")
    assert {blank.task.prompt(example) for example in blank.examples} == {calibrate.PREMISE}
