"""The cfa task: the promises of its data, and that nothing but question and vignette tells the right option."""

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
from tasks.data.cfa.parts import TOPICS, read_cases, read_concepts, read_dilemmas, read_wording
from tasks.data.cfa.text import articles, content, stem_of

FOLDER = Path(__file__).parents[2] / "tasks" / "data" / "cfa"
ROWS: dict[str, list[dict[str, Any]]] = {
    split: [json.loads(line) for line in (FOLDER / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()]
    for split in SPLITS
}
EVERY = [row for rows in ROWS.values() for row in rows]
EXAMPLES: dict[str, list[Example]] = {split: list(TASK.load(FOLDER, split)) for split in SPLITS}
CONCEPTS = [concept for topic in TOPICS for concept in read_concepts(topic)]
KINDS = ("recall", "transfer", "calculation", "judgement")
PAIRS = [(a, b) for a in SPLITS for b in SPLITS if a < b]
pairs_of_splits = pytest.mark.parametrize(("one", "other"), PAIRS)


def words(text: str) -> set[str]:
    return set(re.findall(r"[a-z0-9']+", text.lower()))


def of_kind(kind: str, split: str = "test") -> list[dict[str, Any]]:
    return [row for row in ROWS[split] if row["kind"] == kind]


# ---- what is shipped


def test_the_maker_writes_the_shipped_files_again_byte_for_byte(tmp_path: Path) -> None:
    make.write(tmp_path)
    for split in SPLITS:
        assert (tmp_path / f"{split}.jsonl").read_bytes() == (FOLDER / f"{split}.jsonl").read_bytes()


def test_the_checksum_in_the_source_is_that_of_the_shipped_files() -> None:
    assert TASK.source.sha256 == hash_folder(FOLDER)


def test_the_harness_accepts_the_data_and_finds_no_overlap() -> None:
    assert len(load_splits(TASK).test) == 783


def test_sizes_and_kinds_are_as_promised() -> None:
    assert {split: len(rows) for split, rows in ROWS.items()} == {"train": 1807, "validation": 261, "test": 783}
    assert Counter(row["kind"] for row in ROWS["test"]) == {
        "recall": 80,
        "transfer": 180,
        "calculation": 130,
        "judgement": 393,
    }
    assert {row["kind"] for row in ROWS["train"]} == {"recall", "calculation", "judgement"}
    assert len({row["id"] for row in EVERY}) == len(EVERY)


def test_each_split_covers_ten_topics_and_three_levels() -> None:
    for rows in ROWS.values():
        assert {row["topic"] for row in rows} == set(TOPICS)
        assert {row["level"] for row in rows} == {"I", "II", "III"}


def test_vignettes_have_up_to_three_questions_on_one_case_and_level_one_has_none() -> None:
    for rows in ROWS.values():
        cases = defaultdict(list)
        for row in rows:
            assert (row["level"] == "I") == (row["vignette"] == "") == (row["context"] == "")
            assert (row["level"] == "I") == (row["kind"] in ("recall", "transfer"))
            cases[row["vignette"]].append(row)
        cases.pop("")
        for members in cases.values():
            assert 1 <= len(members) <= 3
            assert len({(row["context"], row["level"], row["topic"], row["kind"]) for row in members}) == 1


def test_prompts_are_short() -> None:
    for examples in EXAMPLES.values():
        assert statistics.median(len(TASK.prompt(example)) for example in examples) <= 400
        assert max(len(TASK.prompt(example)) for example in examples) <= 800


def test_level_topic_kind_and_step_are_slices() -> None:
    assert {tuple(example.slices) for examples in EXAMPLES.values() for example in examples} == {
        ("level", "topic", "kind", "step")
    }
    steps = {row["step"]: row["kind"] for row in EVERY if row["kind"] != "transfer"}
    judged = dict.fromkeys(("facts", "rule", "limit", "comparison", "lookup", "record", "threshold"), "judgement")
    assert steps == {"term": "recall", "formula": "calculation"} | judged


@pytest.mark.parametrize(
    ("text", "natural"),
    [
        ("a 8.75% coupon", "an 8.75% coupon"),
        ("A 11-year bond", "An 11-year bond"),
        ("a 18% loss and a $8 fee", "an 18% loss and an $8 fee"),
        ("a 80% share", "an 80% share"),
        ("a 1.8 ratio, a 180 day bill, a 110% rise", "a 1.8 ratio, a 180 day bill, a 110% rise"),
    ],
)
def test_a_number_has_the_article_of_its_sound(text: str, natural: str) -> None:
    assert articles(text) == natural


def test_no_text_has_an_open_slot_or_a_wrong_article() -> None:
    for row in EVERY:
        text = f"{row['context']} {row['question']} {' '.join(row['options'])}"
        assert not re.search(r"[{}]|\ba (?:8|11\b|18\b)|  ", text.strip()), row["id"]


# ---- recall and transfer


def test_every_concept_is_trained_with_several_stems() -> None:
    assert len({concept.name for concept in CONCEPTS}) == len(CONCEPTS) >= 220
    trained = Counter(row["concept"] for row in of_kind("recall", "train"))
    assert trained == {concept.name: make.STEMS for concept in CONCEPTS}
    for concept in CONCEPTS:
        assert not any(concept.name.lower() in stem.lower() for stems in concept.stems.values() for stem in stems)


def test_a_transfer_question_shares_no_content_word_with_the_training_questions_of_its_concept() -> None:
    trained: defaultdict[str, set[str]] = defaultdict(set)
    for row in of_kind("recall", "train"):
        trained[row["concept"]] |= content(row["question"]) | content(row["answer"])
    for split in ("validation", "test"):
        for row in of_kind("transfer", split):
            assert not content(row["question"]) & trained[row["concept"]], row["question"]


def test_a_distractor_of_most_transfer_questions_shares_a_content_word_with_the_question() -> None:
    trained: defaultdict[str, set[str]] = defaultdict(set)
    for row in of_kind("recall", "train"):
        trained[row["concept"]] |= content(row["question"]) | content(row["answer"])
    shared = [
        sum(bool(content(row["question"]) & trained[option]) for option in row["options"])
        for row in of_kind("transfer")
    ]
    assert statistics.fmean(count >= 1 for count in shared) >= 0.5


def test_nearly_every_transfer_question_has_a_distractor_that_candidates_confuse_with_the_answer() -> None:
    rivals = {concept.name: concept.rivals for concept in CONCEPTS}
    hits = [bool(rivals[row["answer"]] & set(row["options"])) for row in of_kind("transfer")]
    assert statistics.fmean(hits) >= 0.95


def test_recall_questions_share_words_with_the_training_questions_of_their_concept() -> None:
    trained: defaultdict[str, set[str]] = defaultdict(set)
    for row in of_kind("recall", "train"):
        trained[row["concept"]] |= content(row["question"])
    assert (
        statistics.fmean(bool(content(row["question"]) & trained[row["concept"]]) for row in of_kind("recall")) > 0.95
    )


def test_forms_of_a_word_have_one_stem() -> None:
    assert len({stem_of(word) for word in ("trade", "trades", "traded", "trader", "trading")}) == 1


# ---- judgement


def test_every_vignette_of_judgement_has_each_action_as_the_right_one_of_one_question() -> None:
    for split in SPLITS:
        cases = defaultdict(list)
        for row in of_kind("judgement", split):
            cases[row["vignette"]].append(row)
        for members in cases.values():
            assert len(members) == 3
            assert {row["answer"] for row in members} == set(members[0]["options"])
            assert len({frozenset(row["options"]) for row in members}) == 1


def test_the_questions_of_a_judgement_vignette_differ_in_the_name_alone() -> None:
    cases = defaultdict(list)
    for row in (row for row in of_kind("judgement") if row["step"] not in ("lookup", "threshold")):
        name = row["stem"].split("/")[-1]
        assert name in row["question"]
        assert name in row["context"]
        cases[row["vignette"]].append(row["question"].replace(name, "…"))
    assert all(len(set(questions)) == 1 for questions in cases.values())


def test_a_judgement_family_has_three_actions_with_facts_in_every_split() -> None:
    dilemmas = list(read_dilemmas())
    assert len({dilemma.name for dilemma in dilemmas}) == len(dilemmas) >= 35
    for dilemma in dilemmas:
        assert len(dilemma.actions) == 3
        for action in dilemma.actions:
            assert dilemma.step == "threshold" or (len(action.facts["train"]) >= 3 and len(action.facts["test"]) >= 2)


# ---- nothing crosses from one split into another


@pairs_of_splits
@pytest.mark.parametrize("field", ["vignette", "stem", "question", "context"])
def test_splits_share_no_group_stem_question_or_case(field: str, one: str, other: str) -> None:
    shared = {row[field] for row in ROWS[one]} & {row[field] for row in ROWS[other]}
    assert shared <= {""}


@pairs_of_splits
def test_splits_share_no_set_of_numbers(one: str, other: str) -> None:
    used = [{tuple(sorted(row["numbers"])) for row in ROWS[split] if row["numbers"]} for split in (one, other)]
    assert not used[0] & used[1]


@pairs_of_splits
def test_splits_share_no_name_and_no_wording_of_a_case(one: str, other: str) -> None:
    wording = read_wording()
    tables: list[Any] = [wording[key] for key in make.NAMES]
    for case in read_cases():
        tables += [case.text, *(ask.wording for ask in case.asks)]
    for dilemma in read_dilemmas():
        tables += [dilemma.opening, dilemma.ask, *(text for a in dilemma.actions for text in (a.facts, a.ask))]
    for table in tables:
        lists = [{text.lower() for text in table.get(split, [])} for split in (one, other)]
        assert not lists[0] & lists[1]


# ---- options


def test_the_right_option_is_among_three_different_ones() -> None:
    for row in EVERY:
        assert len(set(row["options"])) == 3
        assert row["answer"] in row["options"]


@pytest.mark.parametrize("kind", KINDS)
def test_the_right_option_stands_first_second_and_third_equally_often(kind: str) -> None:
    for split in SPLITS:
        places = Counter(row["options"].index(row["answer"]) for row in of_kind(kind, split))
        assert not places or max(places.values()) - min(places.values()) <= 1


@pytest.mark.parametrize(("kind", "split"), [("recall", "train"), ("recall", "test"), ("transfer", "test")])
def test_a_concept_is_a_distractor_exactly_twice_as_often_as_it_is_right(kind: str, split: str) -> None:
    shown = Counter(option for row in of_kind(kind, split) for option in row["options"])
    right = Counter(row["answer"] for row in of_kind(kind, split))
    assert shown == Counter({option: 3 * count for option, count in right.items()})


def test_distractors_come_from_the_same_topic_and_are_not_defensible_too() -> None:
    by_name = {concept.name: concept for concept in CONCEPTS}
    for row in EVERY:
        if row["kind"] in ("recall", "transfer"):
            trio = [by_name[option] for option in row["options"]]
            assert {concept.topic for concept in trio} == {row["topic"]}
            assert not set(row["options"]) & (by_name[row["answer"]].near - {row["answer"]})


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("pick", [min, max])
def test_neither_the_longest_nor_the_shortest_option_is_right_more_often(pick: Any, kind: str) -> None:
    hits = [pick(row["options"], key=len) == row["answer"] for row in of_kind(kind)]
    assert statistics.fmean(hits) <= 0.40


def test_no_last_word_of_a_stem_tells_whether_the_term_starts_with_a_vowel() -> None:
    assert not any(re.search(r"\ban?:$", row["question"]) for row in EVERY)
