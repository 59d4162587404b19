"""What a merged adapter keeps: a share of the single adapter's score, or a word where there is nothing to keep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from harness.adapters import retention
from harness.adapters.cross import AdapterScores, TrainedAdapter
from harness.metrics.scoring import score_answers
from harness.record import Answer
from tests.support.tiny_models import toy_spec, toy_task

TASK = toy_task()


def row(name: str, right: Sequence[int]) -> AdapterScores:
    answers = tuple(
        Answer(f"q{n}", f"g{n // 2}", "yes", "", "yes" if hit else "no", ("yes", "no")) for n, hit in enumerate(right)
    )
    return AdapterScores(name, (), (), "toy", 1, "x", score_answers(answers, TASK.metrics), 1.0, answers)


def measured(merged: Sequence[int], own: Sequence[int], base: Sequence[int]) -> retention.Retention:
    (found,) = retention.measure(
        [row("base", base), row("own", own), row("merged", merged)], [("toy", "own")], {"toy": TASK}
    )
    return found


def test_retention_is_the_ratio_of_the_two_scores_with_an_interval_around_it() -> None:
    found = measured([1, 1, 0, 1] * 15, [1, 1, 1, 1] * 15, [0, 0, 0, 1] * 15)
    assert found.share
    assert found.share.value == pytest.approx(0.75)
    assert found.share.low < 0.75 < found.share.high
    assert found.gain.low > 0
    assert retention.tables([found], [])[0].rows[0][1].startswith("75.0 [")


def test_a_row_that_answers_as_the_single_adapter_does_retains_all_whatever_the_questions() -> None:
    own = [1, 1, 0, 1] * 15
    found = measured(own, own, [0] * 60)
    assert found.share == pytest.approx((1.0, 1.0, 1.0))


def test_retention_is_paired_so_that_hard_questions_are_hard_for_both() -> None:
    import random

    chance = random.Random(0)
    own = [int(chance.random() < 0.6) for _ in range(120)]
    lost = [hit and int(n % 10 > 0) for n, hit in enumerate(own)]
    shuffled = lost[:]
    chance.shuffle(shuffled)
    paired, apart = (measured(some, own, [0] * 120).share for some in (lost, shuffled))
    assert paired
    assert apart
    assert paired.value == pytest.approx(apart.value)
    assert paired.high - paired.low < apart.high - apart.low


def test_where_the_single_adapter_is_not_above_base_there_is_no_number() -> None:
    found = measured([1, 0] * 20, [1, 0] * 20, [1, 0, 0, 1] * 10)
    assert found.share is None
    assert found.reason == retention.NO_GAIN
    assert retention.tables([found], [])[0].rows[0][1] == "nothing to retain"


def test_references_began_at_the_base_model_one_saw_the_task_alone_and_one_several() -> None:
    spec = toy_spec(method="lora", rank=4)
    made = {
        "chained": replace(spec, start="0"),
        "joint": replace(spec, joined=("other@0",)),
        "other": replace(spec, task="other"),
        "own": spec,
        "second": replace(spec, seed=1),
    }
    tuned = [TrainedAdapter("merged", Path("m"), (spec,), single=False)]
    tuned += [TrainedAdapter(name, Path(name), (one,), single=True) for name, one in made.items()]
    assert retention.references(tuned, [TASK]) == [("toy", "own"), ("toy", "joint")]


def test_the_adapter_of_several_tasks_is_a_reference_of_its_own_in_a_table_of_its_own() -> None:
    tasks = {name: replace(TASK, name=name) for name in ("one", "two")}
    hits = {"base": [0, 0, 0, 1], "first": [1, 1, 1, 1], "joint": [1, 1, 0, 1], "merged": [1, 0, 0, 1]}
    trained = {"joint": ("one+two",)}
    rows = [
        replace(row(name, right * 15), task=task, trained_on=trained.get(name, ()))
        for name, right in hits.items()
        for task in tasks
    ]
    found = retention.measure(rows, [("one", "first"), ("one", "joint"), ("two", "joint")], tasks)
    shares = {(one.adapter, one.task, one.single): one.share.value for one in found if one.share}
    assert shares["merged", "one", "first"] == pytest.approx(0.5)
    assert shares["merged", "two", "joint"] == pytest.approx(2 / 3)
    own, joint = retention.tables(found, rows)
    assert own.columns == ("adapter", "one of first")
    assert joint.columns == ("adapter", "one of joint", "two of joint")
    assert [line[0] for line in joint.rows] == ["first", "merged"]
    own, joint = retention.tables([one for one in found if one.task == "one"], rows)
    assert own.columns == ("adapter", "one of first")
    assert joint.columns == ("adapter", "one of joint")
