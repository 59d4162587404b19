"""What `check` says about a task's examples: near-duplicates, repeats, balance and length."""

from __future__ import annotations

import random
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.cli.app import main
from harness.data import profile
from harness.data.profile import COMMON, ENOUGH, NEAR, RUN, Runs, balance, lengths, near_duplicates, repeats
from harness.schema import Example
from tests.support.data_files import written

WORDS = st.lists(st.sampled_from(["a", "b", "c", "d", "e", "f"]), min_size=0, max_size=14).map(" ".join)
TEXTS = st.lists(WORDS, min_size=1, max_size=6)


def examples(texts: list[str], name: str = "q") -> list[Example]:
    return [Example(f"{name}{i}", text, "yes") for i, text in enumerate(texts)]


def long_text(seed: int, words: int = 40) -> str:
    draw = random.Random(seed)
    return " ".join(f"w{draw.randrange(10**6)}" for _ in range(words))


def shingles(text: str) -> set[tuple[str, ...]]:
    words = text.split()
    return {tuple(words[i : i + RUN]) for i in range(max(1, len(words) - RUN + 1))} if words else set()


def slow(train: list[str], test: list[str]) -> tuple[list[tuple[int, int, float]], int]:
    """The same by comparing every pair, run by run."""
    seen = Counter(run for text in (*train, *test) for run in shingles(text))
    result, unjudged = [], 0
    for i, text in enumerate(test):
        left = {run for run in shingles(text) if seen[run] <= COMMON}
        if len(left) < min(ENOUGH, len(shingles(text))):
            unjudged += 1
            continue
        shares = [(len(left & shingles(other)) / len(left) if left else 0.0) for other in train]
        if max(shares) >= NEAR:
            result.append((i, shares.index(max(shares)), max(shares)))
    return result, unjudged


@given(TEXTS, TEXTS)
@settings(max_examples=100, deadline=None)
def test_the_fast_search_finds_what_comparing_every_pair_finds(train: list[str], test: list[str]) -> None:
    found, unjudged = near_duplicates(examples(train, "a"), examples(test, "b"))
    assert ([(int(n.test.id[1:]), int(n.train.id[1:]), n.share) for n in found], unjudged) == slow(train, test)


@given(st.integers(0, 10**6), st.integers(0, 39))
@settings(max_examples=25, deadline=None)
def test_one_changed_word_leaves_a_near_duplicate_and_other_texts_none(seed: int, place: int) -> None:
    words = long_text(seed).split()
    words[place] = "another"
    (near,), _ = near_duplicates(examples([long_text(seed + 1), long_text(seed)]), examples([" ".join(words)], "t"))
    assert near.train.id == "q1"
    assert near.share >= 1 - RUN / (40 - RUN + 1)
    assert near_duplicates(examples([long_text(seed + 1)]), examples([" ".join(words)])) == ([], 0)


def test_case_spacing_and_punctuation_do_not_count_and_numbers_do() -> None:
    runs = Runs()
    assert runs.of_text("The rate,  IS 3.5 per cent!") == runs.of_text("the rate is 3.5 PER cent")
    assert runs.of_text("The rate is 3.5 per cent") != runs.of_text("The rate is 3.6 per cent")
    assert runs.of_text("!?") == frozenset()


def test_wording_that_all_share_makes_no_two_alike() -> None:
    form = long_text(0, 60)
    texts = [f"{form} {long_text(i + 1, 8)}" for i in range(30)]
    assert near_duplicates(examples(texts[:20]), examples(texts[20:])) == ([], 0)


def test_an_example_of_common_wording_only_is_counted_as_not_judged() -> None:
    form = long_text(0, 30)
    texts = [f"{form} {i}" for i in range(30)]
    assert near_duplicates(examples(texts[:20]), examples(texts[20:])) == ([], 10)


def test_ten_thousand_examples_take_seconds_even_where_they_share_their_form() -> None:
    form = long_text(0, 40)
    made = [Example(f"q{i}", f"{form} {long_text(i % 4000 + 1, 40)}", "yes") for i in range(10_000)]
    start = time.process_time()
    near_duplicates(made[:8000], made[8000:])
    repeats(made)
    assert time.process_time() - start < 15


def test_a_question_asked_twice_in_a_split_is_found_with_the_first() -> None:
    asked = examples(["Is it covered?", "Is  it COVERED?", "Is it?", "is it covered?"])
    assert [(one.id, other.id) for one, other in repeats(asked)] == [("q0", "q1"), ("q0", "q3")]


@given(st.lists(st.sampled_from("abc"), min_size=20, max_size=40))
@settings(max_examples=30, deadline=None)
def test_the_balance_of_few_answers_counts_each_example_once(answers: list[str]) -> None:
    counted = balance([Example(str(i), "?", answer, ("a", "b", "c", "d")) for i, answer in enumerate(answers)])
    assert counted == {**dict.fromkeys("abc", 0), **Counter(answers), "d": 0}


def test_options_of_each_question_are_counted_by_the_place_of_the_right_one() -> None:
    made = [Example(str(i), "?", f"{'xyz'[i % 2]}{i}", (f"x{i}", f"y{i}", f"z{i}")) for i in range(30)]
    assert balance(made) == {"option 1": 15, "option 2": 15, "option 3": 0}
    assert balance([Example(str(i), "?", str(i)) for i in range(30)]) == {}


def test_lengths_are_median_95_per_cent_and_longest() -> None:
    assert lengths("x" * n for n in range(1, 101)) == (50, 95, 100)
    assert lengths(["abc"]) == (3, 3, 3)


def test_what_is_said_is_short_and_names_two_examples() -> None:
    train = [Example(f"a{i}", long_text(i), "yes", ("no", "yes")) for i in range(5)]
    test = [Example(f"b{i}", f"{long_text(i)} more", "no", ("no", "yes")) for i in range(5)]
    said = profile.notes(
        [("train", train), ("validation", train), ("test", [*test, replace(test[0], id="b9")])], lambda e: e.question
    )
    text = "\n".join(f"{heading}: {line}" for heading, line in said)
    assert "alike: near-duplicates in train of 6 of 6 test examples" in text
    assert text.count(" is in ") == 2
    assert "repeated: test 1\n: b9 as b0" in text
    assert "train gold: no 0.0 % · yes 100.0 %" in text
    assert all(len(line) < 250 for _, line in said)


@pytest.mark.parametrize(("last", "code"), [("today", 0), ("tomorrow", 2)])
def test_check_reports_near_duplicates_and_refuses_equal_ones(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], last: str, code: int
) -> None:
    rows = [
        {
            "context": f"{long_text(i % 10)} {'tomorrow' if split == 'train' else last}",
            "target": "ab"[i % 2],
            "split": split,
        }
        for i, split in enumerate(["train"] * 10 + ["test"] * 10)
    ]
    assert main(["check", str(written(tmp_path, rows))]) == code
    out, err = capsys.readouterr()
    assert ("near-duplicates in train of" in out) == (code == 0)
    assert ("the test would measure memory" in err) == (code == 2)
