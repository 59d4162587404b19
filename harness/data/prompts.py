"""How an example becomes the model's input: one renderer for training and testing, for every method.

A prompt is a function of the example alone. It ends with "Answer:". The model is trained and scored on
" " + target + the end-of-text token. Options are shown and answered as text, never as letters.
"""

from __future__ import annotations

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


def _head(example: Example) -> str:
    """Return context and question with a blank line between; a missing one leaves no blank line behind."""
    return "\n\n".join(part for part in (example.context.strip(), example.question.strip()) if part)
