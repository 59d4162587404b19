"""A model behind an OpenAI-compatible address. It is not trained; it reads the task's own prompts, each by itself.

Options are scored by the log-likelihood of their own tokens if the server echoes log-probabilities, otherwise the model is
asked to repeat one of them, and its reply counts only if it is one word for word (`metrics.text.named_option`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.metrics import thoughts
from harness.metrics.options import by_character
from harness.schema import Challenger, Example, Task

if TYPE_CHECKING:
    from harness.endpoint.connection import Respondent


@dataclass(frozen=True)
class Fitted:
    """The model, the task, and whether no training answer has a second line."""

    respondent: Respondent
    task: Task
    one_line: bool


def fit(examples: Sequence[Example], task: Task, seed: int, respondent: Respondent) -> Fitted:
    """Return the model with the task; nothing is learned from training examples but the number of lines of an answer."""
    return Fitted(respondent, task, not any("\n" in example.target for example in examples))


def answer(fitted: Fitted, examples: Sequence[Example]) -> Sequence[str | Sequence[float]]:
    """Return the log-likelihoods of the options, or the text that the model writes."""
    has_options = fitted.task.scoring == "choices"
    if has_options and fitted.respondent.scores_options:
        return _scores(fitted, examples)
    prompts = [_prompt(fitted.task, example, has_options=has_options) for example in examples]
    texts = fitted.respondent.write(prompts, has_options=has_options, one_line=fitted.one_line)
    return [_first_line(text) for text in texts] if fitted.one_line and not has_options else texts


def _scores(fitted: Fitted, examples: Sequence[Example]) -> list[list[float]]:
    """Return the log-likelihood of each option, per character of its text if the headline metric picks by that."""
    prompts = [fitted.task.prompt(example) for example in examples]
    pairs = [(p, f" {option}") for p, example in zip(prompts, examples, strict=True) for option in example.choices]
    values = iter(fitted.respondent.score(pairs))
    divides = fitted.task.metrics[0].pick is by_character
    return [[next(values) / (max(1, len(o)) if divides else 1) for o in example.choices] for example in examples]


def _prompt(task: Task, example: Example, *, has_options: bool) -> str:
    """Return the task's prompt; the options come before it unless it shows them all."""
    prompt = task.prompt(example)
    if not has_options or _shows(prompt, example.choices):
        return prompt
    options = "".join(f"- {option}\n" for option in example.choices)
    return f"One of these options answers the question below:\n{options}\n{prompt}"


def _shows(prompt: str, options: Sequence[str]) -> bool:
    """Return whether a prompt has a line for each option, which ends with its text or begins with its letter."""
    lines = [line.strip() for line in prompt.splitlines()]
    return all(any(line.endswith(option) or line.startswith(f"{option}.") for line in lines) for option in options)


def _first_line(text: str) -> str:
    """Return a text up to the end of its first line, as runs of the harness are read; thoughts before it stay."""
    front, answer = thoughts.divide(text)
    return (front + answer.strip().split("\n", 1)[0]).strip()


CHALLENGER = Challenger(
    "endpoint", "a model behind an OpenAI-compatible address, with --endpoint", fit, answer, remote=True
)
