"""The cfa task: the promises of its data, and that nothing but the question tells the right option."""

from __future__ import annotations

import json
import re
import statistics
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest

from harness import SPLITS, Example
from harness.data.loading import hash_folder, load_splits
from tasks.cfa import TASK
from tasks.data.cfa import make
from tasks.data.cfa.parts import TOPICS, read_concepts, read_families, read_wording

FOLDER = Path(__file__).parents[2] / "tasks" / "data" / "cfa"
ROWS: dict[str, list[dict[str, Any]]] = {
    split: [json.loads(line) for line in (FOLDER / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()]
    for split in SPLITS
}
EVERY = [row for rows in ROWS.values() for row in rows]
EXAMPLES: dict[str, list[Example]] = {split: list(TASK.load(FOLDER, split)) for split in SPLITS}
CONCEPTS = [concept for topic in TOPICS for concept in read_concepts(topic)]
PAIRS = [(a, b) for a in SPLITS for b in SPLITS if a < b]
pairs_of_splits = pytest.mark.parametrize(("one", "other"), PAIRS)


def words(text: str) -> set[str]:
    return set(re.findall(r"[a-z0-9']+", text.lower()))


def asks_for_name(row: dict[str, Any]) -> bool:
    return bool(row["kind"] == "concept" and row["answer"] == row["concept"])


# ---- what is shipped


def test_the_maker_writes_the_shipped_files_again_byte_for_byte(tmp_path: Path) -> None:
    make.write(tmp_path)
    for split in SPLITS:
        assert (tmp_path / f"{split}.jsonl").read_bytes() == (FOLDER / f"{split}.jsonl").read_bytes()


def test_the_checksum_in_the_source_is_that_of_the_shipped_files() -> None:
    assert TASK.source.sha256 == hash_folder(FOLDER)


def test_the_harness_accepts_the_data_and_finds_no_overlap() -> None:
    assert len(load_splits(TASK).test) == 600


def test_sizes_and_groups_are_as_promised() -> None:
    assert {split: len(rows) for split, rows in ROWS.items()} == {"train": 2250, "validation": 300, "test": 600}
    assert len({row["vignette"] or row["id"] for row in ROWS["test"]}) == 320
    assert len({row["id"] for row in EVERY}) == len(EVERY)


def test_each_split_covers_ten_topics_and_three_levels() -> None:
    for rows in ROWS.values():
        assert set(Counter(row["topic"] for row in rows).values()) == {len(rows) // 10}
        assert {row["level"] for row in rows} == {"I", "II", "III"}


def test_about_fifteen_percent_of_each_split_is_numeric() -> None:
    for rows in ROWS.values():
        assert statistics.fmean(row["kind"] == "numeric" for row in rows) == pytest.approx(0.15, abs=0.005)


def test_vignettes_have_four_to_six_questions_on_one_case_and_level_one_has_none() -> None:
    for rows in ROWS.values():
        cases = defaultdict(list)
        for row in rows:
            assert (row["level"] == "I") == (row["vignette"] == "") == (row["context"] == "")
            cases[row["vignette"]].append(row)
        cases.pop("")
        for members in cases.values():
            assert 4 <= len(members) <= 6
            assert len({(row["context"], row["level"], row["topic"]) for row in members}) == 1
            assert len(members[0]["context"]) <= 300
            numeric = [row for row in members if row["kind"] == "numeric"]
            assert numeric
            assert all(
                n in row["context"] and n not in words(row["question"]) for row in numeric for n in row["numbers"]
            )


def test_prompts_are_short() -> None:
    for examples in EXAMPLES.values():
        assert statistics.median(len(TASK.prompt(example)) for example in examples) <= 420
        assert max(len(TASK.prompt(example)) for example in examples) <= 750


def test_level_topic_and_kind_are_slices() -> None:
    assert {tuple(example.slices) for examples in EXAMPLES.values() for example in examples} == {
        ("level", "topic", "kind")
    }


# ---- concepts


def test_two_hundred_distinct_concepts_have_several_stems_each() -> None:
    assert len({concept.name for concept in CONCEPTS}) == len(CONCEPTS) >= 220
    assert len({concept.answer for concept in CONCEPTS}) == len(CONCEPTS)
    for concept in CONCEPTS:
        assert [len(concept.stems[split]) for split in SPLITS] == [4, 1, 2]
        assert 5 <= len(concept.answer.split()) <= 14
        assert not any(concept.name.lower() in stem.lower() for stems in concept.stems.values() for stem in stems)


def test_training_holds_every_stem_and_both_kinds_of_every_concept() -> None:
    questions = {row["question"] for row in ROWS["train"]}
    by_answer = {row["concept"] for row in ROWS["train"] if row["kind"] == "concept" and not asks_for_name(row)}
    for concept in CONCEPTS:
        assert set(concept.stems["train"]) <= questions
        assert concept.name in by_answer


def test_the_test_asks_for_every_concept() -> None:
    assert {row["concept"] for row in ROWS["test"]} >= {concept.name for concept in CONCEPTS}


# ---- nothing crosses from one split into another


@pairs_of_splits
@pytest.mark.parametrize("field", ["vignette", "stem", "question"])
def test_splits_share_no_group_stem_or_question(field: str, one: str, other: str) -> None:
    shared = {row[field] for row in ROWS[one]} & {row[field] for row in ROWS[other]}
    assert shared <= {""}


@pairs_of_splits
def test_splits_share_no_set_of_numbers(one: str, other: str) -> None:
    used = [{tuple(sorted(row["numbers"])) for row in ROWS[split] if row["numbers"]} for split in (one, other)]
    assert not used[0] & used[1]


@pairs_of_splits
def test_splits_share_no_template_firm_or_opening(one: str, other: str) -> None:
    wording = read_wording()
    families = [f for topic in TOPICS for f in read_families(topic)]
    tables = [wording["answer"], wording["answer_in_case"], wording["firm"], *wording["opening"].values()]
    for table in [*tables, *(f.facts for f in families), *(f.ask for f in families)]:
        assert not {text.lower() for text in table[one]} & {text.lower() for text in table[other]}


@pairs_of_splits
def test_splits_share_no_wording_of_a_formula_across_families(one: str, other: str) -> None:
    families = [f for topic in TOPICS for f in read_families(topic)]
    asked = [{text.lower() for f in families for text in f.ask[split]} for split in (one, other)]
    assert not asked[0] & asked[1]


def test_no_test_stem_is_nearly_a_training_stem() -> None:
    for concept in CONCEPTS:
        seen = [words(stem) for split in ("train", "validation") for stem in concept.stems[split]]
        for stem in concept.stems["test"]:
            near = max(len(words(stem) & old) / len(words(stem) | old) for old in seen)
            assert near <= 0.8, stem


# ---- options


def test_the_right_option_is_among_three_different_ones() -> None:
    for row in EVERY:
        assert len(set(row["options"])) == 3
        assert row["answer"] in row["options"]


def test_the_right_option_stands_first_second_and_third_equally_often() -> None:
    for rows in ROWS.values():
        for kind in ("concept", "numeric"):
            places = Counter(row["options"].index(row["answer"]) for row in rows if row["kind"] == kind)
            assert max(places.values()) - min(places.values()) <= 1


def test_a_concept_is_a_distractor_exactly_twice_as_often_as_it_is_right() -> None:
    for rows in ROWS.values():
        concept_rows = [row for row in rows if row["kind"] == "concept"]
        shown = Counter(option for row in concept_rows for option in row["options"])
        right = Counter(row["answer"] for row in concept_rows)
        assert shown == Counter({option: 3 * count for option, count in right.items()})


def test_distractors_come_from_the_same_topic_and_are_not_defensible_too() -> None:
    by_text = {text: concept for concept in CONCEPTS for text in (concept.name, concept.answer)}
    for row in EVERY:
        if row["kind"] == "concept":
            trio = [by_text[option] for option in row["options"]]
            assert {concept.topic for concept in trio} == {row["topic"]}
            right = by_text[row["answer"]]
            assert not any(concept.name in right.near for concept in trio if concept is not right)


def test_options_alone_do_not_tell_the_answer() -> None:
    shown: Counter[str] = Counter()
    right: Counter[str] = Counter()
    for row in ROWS["train"]:
        for option in row["options"]:
            for feature in (option, *words(option)):
                shown[feature] += 1
                right[feature] += option == row["answer"]

    def score(option: str) -> float:
        return statistics.fmean((right[f] + 1) / (shown[f] + 3) for f in (option, *words(option)))

    hits = [max(row["options"], key=score) == row["answer"] for row in ROWS["test"]]
    assert statistics.fmean(hits) <= 0.38


@pytest.mark.parametrize("pick", [min, max])
def test_neither_the_longest_nor_the_shortest_option_is_right_more_often(pick: Any) -> None:
    hits = [pick(row["options"], key=len) == row["answer"] for row in ROWS["test"] if row["kind"] == "concept"]
    assert statistics.fmean(hits) <= 0.38


def test_the_option_that_repeats_most_words_of_the_question_is_right_no_more_often() -> None:
    hits = []
    for row in (row for row in ROWS["test"] if row["kind"] == "concept"):
        overlap = [len(words(option) & words(row["question"])) for option in row["options"]]
        best = [option for option, n in zip(row["options"], overlap, strict=True) if n == max(overlap)]
        hits.append((row["answer"] in best) / len(best))
    assert statistics.fmean(hits) <= 0.40


def test_no_last_word_of_a_stem_tells_whether_the_term_starts_with_a_vowel() -> None:
    assert not any(re.search(r"\ban?:$", row["question"]) for row in EVERY)


# ---- the question does tell


def test_words_of_the_question_point_to_the_concept() -> None:
    """A bag of words from the training questions is right nearly always: the test can be learnt from the training."""
    known: dict[str, Counter[str]] = defaultdict(Counter)
    spread: Counter[str] = Counter()
    for row in (row for row in ROWS["train"] if row["kind"] == "concept"):
        known[row["concept"]].update(words(row["question"] + " " + row["answer"]))
    for counts in known.values():
        spread.update(counts.keys())
    by_text = {text: concept.name for concept in CONCEPTS for text in (concept.name, concept.answer)}
    hits = []
    for row in (row for row in ROWS["test"] if row["kind"] == "concept"):

        def score(option: str, question: str = row["question"]) -> float:
            return sum(1 / spread[w] for w in words(question) if w in known[by_text[option]])

        hits.append(max(row["options"], key=score) == row["answer"])
    assert statistics.fmean(hits) >= 0.9
