"""Thoughts are no part of an answer."""

from __future__ import annotations

import pytest

from harness.metrics import default_parse, thoughts
from harness.record import Answer
from harness.schema import Example
from harness.verify.checks.answers.arithmetic import reparse
from tests.support.tiny_models import toy_task


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("yes", "yes"),
        (" yes, 3 < 4", " yes, 3 < 4"),
        ("<think>\n\n</think>\n\nyes", "yes"),
        ("<think>Hail is no.\nBut a storm is.</think>yes", "yes"),
        ("Hail is no.</think>\nyes", "yes"),
        ("<think>a</think> no <think>b</think> yes", "yes"),
        ("<think>Hail is", ""),
        ("yes <think>or not", "yes"),
        ("[THINK]no[/THINK]yes", "yes"),
        ("◁think▷no◁/think▷yes", "yes"),
    ],
)
def test_an_answer_stands_behind_the_thoughts(text: str, answer: str) -> None:
    assert thoughts.answer(text) == answer
    first, second = thoughts.divide(text)
    assert text.startswith(first + second)


def test_the_thoughts_name_another_option_and_the_answer_counts() -> None:
    example = Example("q", question="?", target="yes", choices=("yes", "no"))
    text = "<think>no\nno</think>\nyes"
    assert default_parse(thoughts.answer(text), example) == "yes"
    answer = Answer("q", "", "yes", text, "yes", ("yes", "no"))
    assert reparse(answer, toy_task("generate"), "generate") == "yes"


@pytest.mark.parametrize(
    ("args", "on"),
    [((), False), (("enable_thinking=false",), False), (("enable_thinking=true",), True), (("thinking=1",), True)],
)
def test_a_switch_of_the_template_lets_a_model_think_and_gives_it_room(args: tuple[str, ...], on: bool) -> None:
    assert thoughts.allowed(args) is on
    assert thoughts.room(8, 4096, args) == 8 + 2048 * on
    assert thoughts.room(8, 100, args) == 8 + 50 * on
