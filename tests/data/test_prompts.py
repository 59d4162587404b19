"""The shared prompts: one renderer, whole text pinned."""

from __future__ import annotations

import pytest

from harness import HarnessError
from harness.data.prompts import multiple_choice, question_answer
from harness.schema import Example

EXAMPLE = Example(
    id="q1", question="What happened?", target="It fell", choices=("It rose", "It fell"), context="Prices moved."
)


def test_a_choice_prompt_has_context_question_options_and_ends_where_the_answer_begins() -> None:
    expected = "Prices moved.\n\nWhat happened?\nOptions:\n- It rose\n- It fell\nAnswer:"
    assert multiple_choice(EXAMPLE) == expected


def test_a_question_prompt_has_no_options() -> None:
    assert question_answer(EXAMPLE) == "Prices moved.\n\nWhat happened?\nAnswer:"


@pytest.mark.parametrize("context", ["", "  \n"])
def test_an_empty_context_leaves_no_blank_lines(context: str) -> None:
    bare = Example(id="q", question="Why?", target="a", choices=("a", "b"), context=context)
    assert question_answer(bare) == "Why?\nAnswer:"
    assert multiple_choice(bare) == "Why?\nOptions:\n- a\n- b\nAnswer:"


def test_an_empty_question_leaves_no_blank_lines() -> None:
    assert question_answer(Example(id="q", question="", target="a", context="Text.")) == "Text.\nAnswer:"


def test_the_prompt_never_shows_the_target() -> None:
    assert question_answer(EXAMPLE).count("It fell") == 0
    assert multiple_choice(EXAMPLE).count("It fell") == 1  # as an option, and nowhere else


def test_a_choice_prompt_without_options_names_the_example() -> None:
    with pytest.raises(HarnessError, match="needs options") as caught:
        multiple_choice(Example(id="q9", question="Why?", target="a"))
    assert "q9" in caught.value.where
