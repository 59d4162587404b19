"""How an example becomes the model's input: one renderer for training and testing, for every method.

A prompt is a function of the example alone. The model is trained and scored on " " + target + the end-of-text token.
Prompts of the project's own tasks end with "Answer:", and their options are shown and answered as text, never as letters.
A task in the form of published numbers follows its protocol instead: `labelled_question`, `bare_question` and `lettered`
render the usual forms.
"""

from __future__ import annotations

from collections.abc import Sequence
from string import ascii_uppercase

from harness.errors import HarnessError
from harness.schema import Example


def multiple_choice(example: Example) -> str:
    """Return the prompt with context, question and the options, one per line, in the order of `example.choices`.

    Raises:
        HarnessError: the example has no options.
    """
    if not example.choices:
        raise HarnessError(
            "a multiple-choice prompt needs options and this example has none",
            where=f"example {example.id}",
            fix="give the example `choices`, or let the task use prompts.question_answer",
        )
    options = "".join(f"- {option}\n" for option in example.choices)
    return f"{_head(example)}\nOptions:\n{options}Answer:"


def question_answer(example: Example) -> str:
    """Return the prompt with context, a blank line, the question and "Answer:"; a missing context is left out."""
    return f"{_head(example)}\nAnswer:"


def labelled_question(example: Example) -> str:
    """Return "Question: …" and "Answer:" on lines of their own, below the context if there is one."""
    context = f"{example.context.strip()}\n" if example.context.strip() else ""
    return f"{context}Question: {example.question.strip()}\nAnswer:"


def bare_question(example: Example) -> str:
    """Return the question alone, without a cue: each option continues it."""
    return example.question.strip()


def lettered(question: str, options: Sequence[str]) -> str:
    """Return a question with its options below it, one per line, as "A. …"; the answer is a letter."""
    lines = (f"\n{letter}. {option}" for letter, option in zip(ascii_uppercase, options, strict=False))
    return question.strip() + "".join(lines)


def _head(example: Example) -> str:
    """Return context and question with a blank line between; a missing one leaves no blank line behind."""
    return "\n\n".join(part for part in (example.context.strip(), example.question.strip()) if part)
