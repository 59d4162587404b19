"""The verdict on a replay, from answers and steps alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from harness.record import Answer
from harness.store import withhold
from harness.verify import replay
from harness.verify.replay import Evidence, Outcome
from tests.support.records import make_answers, make_environment, make_record, make_spec

STORED = tuple(replace(answer, loglik=(-1.0, -4.0, -6.0)) for answer in make_answers(9, 3))
STEPS = [{"loss": 2.0, "tokens": 50}, {"loss": 1.5, "tokens": 40}]


def moved(by: float, count: int = len(STORED)) -> list[Answer]:
    """Return the stored answers with the log-likelihoods of the first ones changed."""
    changed = [replace(a, loglik=tuple(value + by for value in a.loglik)) for a in STORED[:count]]
    return [*changed, *STORED[count:]]


def judged(answers: Any = STORED, *, exact: bool = False, dtype: str = "bf16", **again: Any) -> Outcome:
    record = make_record(make_spec(dtype=dtype))
    return replay.judge(record, STORED, STEPS, Evidence(answers, **again), exact=exact)


def test_equal_answers_and_steps_are_no_fault() -> None:
    outcome = judged(exact=True, losses=(2.0, 1.5), tokens=(50, 40))
    assert (outcome.questions, outcome.equal, outcome.gap, outcome.steps, outcome.faults) == (12, 12, 0.0, 2, ())


def test_in_the_same_environment_the_last_digit_counts() -> None:
    assert judged(moved(1e-7, 1), exact=True).faults
    assert judged(exact=True, losses=(2.0, 1.5000001), tokens=(50, 40)).faults


@pytest.mark.parametrize(("dtype", "by"), [("fp32", 1e-4), ("bf16", 0.03)])
def test_elsewhere_rounding_is_no_fault(dtype: str, by: float) -> None:
    outcome = judged(moved(by), dtype=dtype)
    assert outcome.faults == ()
    assert outcome.equal == 0
    assert outcome.gap == pytest.approx(by)


@pytest.mark.parametrize(("dtype", "by", "count"), [("fp32", 0.01, 1), ("bf16", 0.1, 12), ("bf16", 0.7, 1)])
def test_elsewhere_more_than_rounding_is_a_fault(dtype: str, by: float, count: int) -> None:
    assert "log-likelihoods differ by up to" in judged(moved(by, count), dtype=dtype).faults[0]


def test_sharpened_likelihoods_are_a_fault() -> None:
    sharp = [replace(a, loglik=tuple(value / 1.5 for value in a.loglik)) for a in STORED]
    assert judged(sharp).faults


def test_another_answer_is_a_fault_unless_two_options_are_equal_but_for_rounding() -> None:
    first = STORED[0]
    other = next(choice for choice in first.choices if choice != first.text)
    turned = replace(first, text=other, parsed=other)
    assert f"another answer to {first.id}" in judged([turned, *STORED[1:]]).faults[0]
    assert judged([replace(turned, loglik=(-1.0, -1.1, -6.0))]).faults == ("log-likelihoods differ by up to 2.9 nats, 0.967 on average; 0.5 and 0.06 are allowed",)  # fmt: skip


def test_answers_of_fp32_under_a_spec_of_bf16_are_a_fault() -> None:
    assert judged(moved(0.03), fp32_answers=STORED).faults == ("the answers are those of fp32, the spec states bf16",)
    assert judged(moved(0.03), fp32_answers=moved(0.02)).faults == ()


def test_written_answers_must_be_equal_in_fp32_and_mostly_so_in_bf16() -> None:
    stored = [Answer(f"q{n}", f"g{n}", "7", "7", "7", loglik=(-0.5,)) for n in range(8)]
    again = [*stored[:7], replace(stored[7], text="8", parsed="8", loglik=(-0.7,))]
    for dtype, faults in (("fp32", 1), ("bf16", 0)):
        record = make_record(make_spec(dtype=dtype, scoring="generate"))
        assert len(replay.judge(record, stored, [], Evidence(again), exact=False).faults) == faults


def test_withheld_answers_are_compared_by_their_stand_ins() -> None:
    stored = withhold.stand_in_answers(STORED)
    assert replay.judge(make_record(), stored, [], Evidence(STORED), exact=True).faults == ()


def test_steps_of_another_seed_or_another_rate_are_faults() -> None:
    assert "from step 2 on" in judged(losses=(2.0,), tokens=(50, 41)).faults[0]
    assert "from step 3 on" in judged(losses=(2.0,), tokens=(50, 40, 40)).faults[0]
    assert (
        "step 2, taken again, has the loss 1.8; 1.5 is logged" in judged(losses=(2.0, 1.8), tokens=(50, 40)).faults[0]
    )


def test_the_questions_depend_on_the_seed_and_on_everything_stored() -> None:
    record = make_record(make_spec(test_examples=500))
    assert replay.draw("a", record, 16) == replay.draw("a", record, 16) != replay.draw("b", record, 16)
    assert replay.draw("a", make_record(), 99) == list(range(12))
    seeds = {replay.default_seed([replace(record, answers_sha256=name)]) for name in "abc"}
    assert len(seeds) == 3


def test_what_the_last_digits_depend_on_is_listed() -> None:
    other = make_environment(threads=8, packages={"torch": "2.14.0", "transformers": "5.23.0"})
    assert replay.differences(make_environment(), other) == ["threads", "torch"]
