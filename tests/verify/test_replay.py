"""The verdict on a replay, from answers and steps alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from harness.record import Answer, Record
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


@pytest.mark.parametrize(("right", "faults"), [(14, 1), (13, 0), (7, 0)])
def test_rounding_turns_answers_to_either_side(right: int, faults: int) -> None:
    options = ("a", "b")
    stored = [
        Answer(f"q{n}", f"g{n}", "a", text, text, options, (-1.0, -1.01))
        for n, text in enumerate("a" * right + "b" * (14 - right))
    ]
    again = [replace(a, text="b" if a.text == "a" else "a", parsed="b" if a.text == "a" else "a") for a in stored]
    outcome = replay.judge(make_record(make_spec(dtype="bf16")), stored, [], Evidence(again), exact=False)
    assert len(outcome.faults) == faults
    assert all("rounding favours neither" in fault for fault in outcome.faults)


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


def test_the_final_loss_is_that_of_the_stored_weights() -> None:
    last = make_record().final_loss
    assert last is not None
    assert judged(last_loss=last + 0.04).faults == ()
    assert f"{last:.4g} is logged" in judged(last_loss=last + 0.2).faults[0]
    assert judged(last_loss=last + 0.04, dtype="fp32").faults


def test_the_peak_is_that_of_the_largest_step() -> None:
    record = make_record()
    assert record.cost is not None
    peak = record.cost.phases["train"].peak_bytes
    assert judged(peak=peak).faults == ()
    torch = make_environment().packages["torch"]
    assert "bytes by its shapes" in judged(peak=round(peak * 1.1), torch=torch).faults[0]
    assert judged(peak=round(peak * 1.1), torch="1.0").faults == ()


def test_the_tokens_of_the_test_are_those_of_prompts_and_texts() -> None:
    record = make_record(make_spec(scoring="generate"))
    assert record.cost is not None
    tokens = record.cost.phases["evaluate"].tokens
    stored = [Answer(f"q{n}", f"g{n}", "7", "7", "7", loglik=(-0.5,)) for n in range(60)]
    for more, faults in ((0, 0), (3, 0), (4, 1), (-150, 1)):
        again = Evidence(stored, test_tokens=tokens + more)
        assert len(replay.judge(record, stored, [], again, exact=False).faults) == faults
    assert judged(test_tokens=tokens + 1).faults  # of options every token counts


def outcome(equal: int = 4, equal_steps: int = 3, steps: int = 3) -> Outcome:
    return Outcome(4, equal, 0.0, steps, equal_steps=equal_steps)


def beside(record: Record, result: Outcome, *others: tuple[Record, Outcome]) -> list[str]:
    """Return the faults of a run beside others."""
    records, outcomes = zip((record, result), *others, strict=True)
    return replay.Reference(records, outcomes).faults(record, result)


BASE = make_record(make_spec(method="base", rank=0, train_examples=0, epochs=0.0))
LORA, TWIN, FULL = (
    make_record(make_spec(method=method, seed=seed)) for method, seed in (("lora", 0), ("lora", 1), ("full", 0))
)


def test_if_other_runs_are_equal_to_the_last_digit_all_must_be() -> None:
    assert beside(LORA, outcome(equal=3), (TWIN, outcome())) == [
        "1 of 4 answers differ in the last digit, those of 1 run of its environment do not"
    ]
    assert beside(LORA, outcome(equal_steps=1), (TWIN, outcome())) == [
        "the loss of step 2 differs in the last digit, those of 1 run of its environment do not"
    ]
    assert beside(LORA, outcome(), (TWIN, outcome(equal=0, equal_steps=0))) == []


def test_equal_steps_and_an_equal_base_row_show_that_answers_must_be_equal() -> None:
    base = (BASE, outcome(steps=0, equal_steps=0))
    assert beside(LORA, outcome(equal=3), base)
    assert beside(LORA, outcome(equal=3, equal_steps=2), base) == []  # another arithmetic may train it


def test_an_equal_first_step_shows_that_later_ones_must_be_equal() -> None:
    assert beside(LORA, outcome(equal_steps=1), (FULL, outcome()))
    assert beside(LORA, outcome(equal_steps=0), (FULL, outcome())) == []


def test_runs_of_another_machine_or_precision_are_no_reference() -> None:
    elsewhere = replace(TWIN, environment=make_environment(machine="Another processor"))
    precise = replace(TWIN, spec=replace(TWIN.spec, dtype="bf16"))
    for other in (elsewhere, precise):
        assert beside(LORA, outcome(equal=0, equal_steps=0), (other, outcome())) == []


def test_what_the_last_digits_depend_on_is_listed() -> None:
    other = make_environment(threads=8, packages={"torch": "2.14.0", "transformers": "5.23.0"})
    assert replay.differences(make_environment(), other) == ["threads", "torch"]
