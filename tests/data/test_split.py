"""Dividing examples: groups whole, duplicates together, the same whatever the order."""

from __future__ import annotations

import random
from collections import Counter, defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.data.split import partition, question_key, sample
from harness.errors import HarnessError
from harness.schema import Example


def example(number: int, *, group: str = "", question: str = "", context: str = "") -> Example:
    return Example(id=str(number), question=question or f"question {number}", target="x", group=group, context=context)


rows = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 8)), min_size=1, max_size=60).map(
    lambda pairs: [
        example(i, group=f"g{g}" if g else "", question=f"q{q}" if q else "") for i, (g, q) in enumerate(pairs)
    ]
)


def pieces(examples: list[Example]) -> int:
    """Count what must stay together, the slow way: merge sets that share a group or a question until none do."""
    sets = [{f"q {question_key(e)}", f"g {e.group}" if e.group else f"q {question_key(e)}"} for e in examples]
    merged: list[set[str]] = []
    for keys in sets:
        touching = [other for other in merged if other & keys]
        merged = [other for other in merged if not other & keys] + [keys.union(*touching)]
    return len(merged)


@settings(max_examples=100, deadline=None)
@given(examples=rows, seed=st.integers(0, 9))
def test_a_partition_keeps_groups_and_questions_whole_and_ignores_the_order(examples: list[Example], seed: int) -> None:
    if pieces(examples) < 3:
        with pytest.raises(HarnessError, match="too few"):
            partition(examples)
        return
    splits = partition(examples)
    assert sorted(e.id for part in splits.values() for e in part) == sorted(e.id for e in examples)
    assert all(splits.values())
    homes = defaultdict(set)
    for split, part in splits.items():
        for e in part:
            homes["question", *question_key(e)].add(split)
            if e.group:
                homes["group", e.group].add(split)
    assert all(len(home) == 1 for home in homes.values())
    shuffled = random.Random(seed).sample(examples, len(examples))
    again = partition(shuffled)
    assert {s: {e.id for e in part} for s, part in again.items()} == {
        s: {e.id for e in part} for s, part in splits.items()
    }


def test_shares_are_60_10_30_where_groups_are_small() -> None:
    splits = partition([example(i, group=f"g{i // 3}") for i in range(3000)])
    assert {split: len(part) for split, part in splits.items()} == pytest.approx(
        {"train": 1800, "validation": 300, "test": 900}, abs=3
    )


def test_one_huge_group_leaves_something_for_every_split() -> None:
    splits = partition([*(example(i, group="huge") for i in range(80)), example(80), example(81)])
    assert len(splits["train"]) == 80
    assert len(splits["validation"]) == len(splits["test"]) == 1


def test_a_file_sorted_by_label_is_mixed() -> None:
    test = partition([example(i) for i in range(1000)])["test"]
    assert 0.4 < sum(int(e.id) < 500 for e in test) / len(test) < 0.6


def test_two_groups_tied_by_one_shared_question_go_together() -> None:
    tied = [example(i, group="a" if i % 2 else "b", question="same" if i < 2 else "") for i in range(20)]
    with pytest.raises(HarnessError, match="20 rows make 1 separate"):
        partition(tied)


def test_questions_are_compared_without_case_and_spacing_and_with_their_context_or_options() -> None:
    assert question_key(example(1, question="What  is\nIT?", context="c")) == question_key(
        example(2, question="what is it?", context="C ")
    )
    plain = Example("1", "Which is right?", "a", ("a", "b"))
    assert question_key(plain) == question_key(Example("2", "Which is right?", "b", ("b", "A")))
    assert question_key(plain) != question_key(Example("3", "Which is right?", "a", ("a", "c")))


@settings(max_examples=60, deadline=None)
@given(examples=rows, limit=st.integers(1, 70), seed=st.integers(0, 9))
def test_a_sample_is_within_its_limit_in_order_and_of_whole_groups(
    examples: list[Example], limit: int, seed: int
) -> None:
    found = sample(tuple(examples), limit)
    assert 0 < len(found) <= limit
    assert list(found) == [e for e in examples if e in found]
    sizes, taken = (Counter(e.group or e.id for e in part) for part in (examples, found))
    if any(size <= limit for size in sizes.values()):
        assert all(taken[group] == sizes[group] for group in taken)
    shuffled = random.Random(seed).sample(examples, len(examples))
    if any(size <= limit for size in sizes.values()):
        assert {e.id for e in sample(tuple(shuffled), limit)} == {e.id for e in found}


def test_a_limit_of_zero_is_all() -> None:
    examples = tuple(example(i) for i in range(5))
    assert sample(examples, 0) == examples
