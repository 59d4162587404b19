"""Times and speeds of an honest run agree on a machine whose speed changes, too; a shorter time than any such run does not."""

from __future__ import annotations

from dataclasses import replace

from harness.record import Record
from harness.verify.checks.record import pace
from tests.support.records import make_record, make_spec
from tests.support.run_costs import cost_of


def with_train_share(share: float) -> Record:
    """A record whose training took a share of its tokens' time by their speed."""
    spec = make_spec(method="lora", rank=16, alpha=32.0, train_examples=228, batch_size=16, epochs=2)
    cost = cost_of(spec)
    train = replace(cost.phases["train"], seconds=share * cost.train_tokens / cost.train_tokens_per_second)
    return make_record(spec, cost=replace(cost, phases={**cost.phases, "train": train}))


def token_check(record: Record) -> bool:
    return next(check for check in pace.run_checks(record) if check.name == pace.TOKENS).ok


def test_the_counted_step_may_have_been_the_fastest() -> None:
    assert token_check(with_train_share(1.02))
    assert token_check(
        with_train_share(0.99)
    )  # as measured: 6.278 s where 18,136 tokens at 2,859.9 a second take 6.342
    assert not token_check(with_train_share(0.9))


def test_a_step_of_a_short_training_that_a_busy_machine_held_up_is_no_fault() -> None:
    spec = make_spec(method="lora", rank=4, alpha=32.0, train_examples=24, batch_size=8, epochs=2)
    cost = cost_of(spec)

    def record(seconds: float, needed: float) -> Record:
        train = replace(cost.phases["train"], seconds=seconds)
        rate = cost.train_tokens / needed
        changed = replace(cost, phases={**cost.phases, "train": train}, train_tokens_per_second=rate)
        return make_record(spec, cost=changed)

    assert token_check(record(0.201, 0.240))  # as measured: 2,774 tokens at 11,534.7 a second
    assert not token_check(record(0.1, 0.240))
    assert not token_check(record(20.1, 24.0))
