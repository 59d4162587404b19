"""Tasks in the form of published numbers: their prompts and options, letter for letter, on rows as the hub has them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from harness import Answer, Example
from harness.data import loading, published, registry

COPIES = Path(__file__).resolve().parents[3] / "shared" / "data"
FOUR = {"text": ["the Sun", "the Moon", "Mars", "dust"], "label": ["1", "2", "3", "4"]}
Cells = Mapping[str, Any]

# name: (a row of the hub, the prompt, the options, the answer)
FORMS: dict[str, tuple[Cells, str, tuple[str, ...], str]] = {
    "arc_easy": (
        {"question": "Which is hot?", "choices": FOUR, "answerKey": "1"},
        "Question: Which is hot?\nAnswer:",
        ("the Sun", "the Moon", "Mars", "dust"),
        "the Sun",
    ),
    "arc_challenge": (
        {"question": "Which is near? ", "choices": FOUR, "answerKey": "2"},
        "Question: Which is near?\nAnswer:",
        ("the Sun", "the Moon", "Mars", "dust"),
        "the Moon",
    ),
    "openbookqa": (
        {"question_stem": "At night one sees", "choices": FOUR, "answerKey": "2"},
        "At night one sees",
        ("the Sun", "the Moon", "Mars", "dust"),
        "the Moon",
    ),
    "boolq": (
        {"passage": "Sun -- The Sun is a star.", "question": "is the sun a planet", "label": 0},
        "Sun -- The Sun is a star.\nQuestion: is the sun a planet?\nAnswer:",
        ("no", "yes"),
        "no",
    ),
    "hellaswag": (
        {
            "activity_label": "Removing ice from car",
            "ctx_a": "[header] How to begin [title] Scrape.",
            "ctx_b": "then the Man",
            "endings": ["sings. [step] He  bows.", "scrapes.", "sleeps.", "swims."],
            "label": "1",
            "source_id": "wikihow~1",
        },
        "Removing ice from car: How to begin. Scrape. Then the man",
        ("sings. He bows.", "scrapes.", "sleeps.", "swims."),
        "scrapes.",
    ),
    "piqa": (
        {"goal": "Cool a drink.", "sol1": "Add ice. ", "sol2": "Add salt.", "label": 0},
        "Question: Cool a drink.\nAnswer:",
        ("Add ice.", "Add salt."),
        "Add ice.",
    ),
    "winogrande": (
        {
            "sentence": "The cup fits in the box because the _ is small.",
            "option1": "cup",
            "option2": "box",
            "answer": "1",
        },
        "The cup fits in the box because the",
        ("cup is small.", "box is small."),
        "cup is small.",
    ),
    "mmlu": (
        {"question": " Which is near?", "choices": FOUR["text"], "answer": 1, "subject": "high_school_physics"},
        "The following are multiple choice questions (with answers) about high school physics.\n\n"
        "Which is near?\nA. the Sun\nB. the Moon\nC. Mars\nD. dust\nAnswer:",
        ("A", "B", "C", "D"),
        "B",
    ),
    "mmlu_cloze": (
        {"question": "Which is near?", "choices": FOUR["text"], "answer": 1, "subject": "high_school_physics"},
        "The following are questions about high school physics.\nQuestion: Which is near?\nAnswer:",
        ("the Sun", "the Moon", "Mars", "dust"),
        "the Moon",
    ),
    "gsm8k": (
        {"question": "What is 2 + 2?", "answer": "2 + 2 = <<2+2=4>>4\n#### 4"},
        "Question: What is 2 + 2?\nAnswer:",
        (),
        "2 + 2 = <<2+2=4>>4\n#### 4",
    ),
}


def read(name: str, cells: Cells) -> Example:
    load = registry.task(name).load
    assert isinstance(load, published.Load)
    example = load.example(cells, "1")
    assert isinstance(example, Example)
    return example


@pytest.mark.parametrize("name", sorted(FORMS))
def test_prompt_and_options_are_those_of_the_protocol(name: str) -> None:
    cells, prompt, choices, target = FORMS[name]
    example = read(name, cells)
    assert registry.task(name).prompt(example) == prompt
    assert (example.choices, example.target) == (choices, target)


@pytest.mark.parametrize("name", sorted(FORMS))
def test_a_task_says_which_protocol_it_follows_and_where_it_differs(name: str) -> None:
    source = Path(loading.tasks_folder() / f"{name}.py").read_text(encoding="utf-8")
    text = source.split('"""')[1]
    assert "Protocol: " in text
    assert "ifferences" in text
    assert "lm-evaluation-harness" in text


def test_a_question_answered_from_memory_has_no_empty_line_before_it() -> None:
    question = "Please answer the following question with true or false, question: is ice cold?\n\nAnswer format: x"
    example = read("boolq", {"instruction": question, "answer": "true"})
    assert registry.task("boolq").prompt(example) == "Question: is ice cold?\nAnswer:"
    assert example.target == "yes"


def test_the_hubs_columns_of_google_are_read_as_well() -> None:
    example = read("boolq", {"passage": "It is.", "question": "is it", "answer": False})
    assert example.target == "no"


def test_a_sentence_that_begins_with_the_blank_is_left_out_with_the_reason() -> None:
    load = registry.task("winogrande").load
    assert isinstance(load, published.Load)
    row = {"sentence": "_ is small.", "option1": "cup", "option2": "box", "answer": "1"}
    assert load.example(row, "1") == "nothing before the blank"


def test_letters_of_equal_options_are_left_out_with_the_reason() -> None:
    load = registry.task("mmlu").load
    assert isinstance(load, published.Load)
    row = {"question": "Which?", "choices": ["a", "A ", "b", "c"], "answer": 0, "subject": "virology"}
    assert load.example(row, "1") == "options the same"


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("2 + 2 = 4\n#### 4", "4"),
        ("#### 1,002.", "1002"),
        ("#### -3\n#### 7", "-3"),
        ("\n\nQuestion: else?\nAnswer: 5\n#### 5", None),
        ("The answer is 4.", None),
        ("####4", None),
    ],
)
def test_strict_match_reads_the_first_number_behind_its_mark(text: str, parsed: str | None) -> None:
    task = registry.task("gsm8k")
    assert task.parse is not None
    example = Example("1", "", "2 + 2 = 4\n#### 4")
    assert task.parse(text, example) == parsed
    answer = Answer("1", "", example.target, text, parsed)
    assert task.metrics[0].score(answer) == float(parsed == "4")


def test_the_same_questions_in_both_forms_of_mmlu() -> None:
    if not COPIES.is_dir():
        pytest.skip("no copies of the public data beside the project")
    parts = [loading.load_splits(registry.task(name), data_dir=COPIES).test for name in ("mmlu", "mmlu_cloze")]
    letters, texts = ({e.id: e for e in part} for part in parts)
    assert len(letters.keys() & texts.keys()) > 0.99 * max(len(letters), len(texts))
    for id in letters.keys() & texts.keys():
        assert f"\n{letters[id].target}. {texts[id].target}" in letters[id].question


def test_hellaswag_reads_the_rows_of_its_repository_too(tmp_path: Path) -> None:
    cells = FORMS["hellaswag"][0]
    for split in ("train", "val"):
        rows = [{**cells, "ctx_a": f"{split} {n}", "source_id": f"{split}~{n}"} for n in range(9)]
        (tmp_path / f"hellaswag_{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    splits = loading.load_splits(registry.task("hellaswag"), data_dir=tmp_path)
    assert len(splits.test) == 9
    assert len(splits.train) + len(splits.validation) == 9
