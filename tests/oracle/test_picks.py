"""The rules of picking an option, and the files of a stopped comparison; lm-eval itself is not needed."""

from __future__ import annotations

import json
from pathlib import Path

from harness import Example
from harness.data import registry
from tests.oracle import lm_eval_tasks, picks


def question(**changes: str) -> Example:
    return Example(changes.get("id", "1"), "The sky is", "blue", ("blue", "green"), slices={"subject": "art"})


def test_a_sum_a_character_and_a_byte_pick_differently() -> None:
    options = ("a", "ab", "é" * 3)
    assert picks.by_sum((-1.0, -1.5, -2.0), options) == 0
    assert picks.by_character((-1.0, -1.5, -2.1), options) == 2
    assert picks.by_byte((-1.0, -1.5, -4.8), options) == 1


def test_the_first_of_equals_is_picked() -> None:
    assert {pick((-2.0, -2.0), ("ab", "cd")) for pick in picks.PICKS.values()} == {0}


def test_a_changed_prompt_has_another_key() -> None:
    first, second = registry.task("openbookqa"), registry.task("arc_challenge")
    assert picks.key(first, question()) == picks.key(first, question())
    assert picks.key(first, question()) != picks.key(second, question())


def test_a_stopped_comparison_asks_only_what_is_lacking(tmp_path: Path) -> None:
    task, examples = registry.task("openbookqa"), [question(id=str(number)) for number in range(picks.PIECE + 3)]
    path, sizes = tmp_path / "project.jsonl", []
    for _, piece in picks.pieces(path, task, examples):
        sizes.append(len(piece))
        with path.open("a") as file:
            file.write("".join(json.dumps({"key": picks.key(task, example)}) + "\n" for example in piece))
    assert sizes == [picks.PIECE, 3, 0]


def test_rows_have_the_hubs_columns_and_the_answers_place() -> None:
    texts = ("blue", "green")
    stem = lm_eval_tasks.row(registry.task("openbookqa"), question(), texts)
    assert stem == {
        "question_stem": "The sky is",
        "choices": {"text": ["blue", "green"], "label": ["A", "B"]},
        "answerKey": "A",
    }
    lettered = Example("1", "Which?\nA. blue\nB. green", "B", ("A", "B"), slices={"subject": "art"})
    row = lm_eval_tasks.row(registry.task("mmlu"), lettered, texts)
    assert row == {"question": "Which?", "choices": ["blue", "green"], "answer": 1, "subject": "art"}
