"""A challenger's results as answers, in the form of a model's, from which every score can be recomputed.

The numbers of an example's options become log-probabilities that add up to one, with the even prior beside them. A prior
takes the options' lengths into account, so each metric picks the option that the challenger picks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError
from harness.metrics import thoughts
from harness.metrics.options import pick
from harness.metrics.text import default_parse, fold, named_option
from harness.record import Answer
from harness.schema import Challenger, Example, Task

if TYPE_CHECKING:
    from harness.endpoint.connection import Respondent

MAX_TRAIN = 4000  # training examples that a challenger fits on: its share of a grid's time stays small
APART = 1.0  # between the picked option and the others, in nats, if a challenger names an option instead of scoring all

Embed = Callable[[Sequence[str]], Any]


def obstacle(challenger: Challenger, task: Task, train: Sequence[Example]) -> str:
    """Return the reason if a challenger does not apply to a task, otherwise an empty string."""
    if task.scoring == "perplexity":
        return "the model reads texts and answers nothing"
    if not train and not challenger.remote:
        return "there are no training examples"
    return challenger.applies(task, limited(train)) if challenger.applies else ""


def limited(train: Sequence[Example]) -> Sequence[Example]:
    """Return at most `MAX_TRAIN` training examples, spread evenly over all."""
    if len(train) <= MAX_TRAIN:
        return train
    return [train[position * len(train) // MAX_TRAIN] for position in range(MAX_TRAIN)]


def fit(
    challenger: Challenger,
    task: Task,
    train: Sequence[Example],
    seed: int,
    embed: Embed | None = None,
    respondent: Respondent | None = None,
) -> Any:
    """Return what a challenger learns from the training examples.

    Raises:
        HarnessError: the challenger does not apply to the task, or needs a model or a server and none is given.
    """
    if reason := obstacle(challenger, task, train):
        raise does_not_apply(challenger, task, reason)
    if challenger.remote:
        if respondent is None:
            raise does_not_apply(challenger, task, "it asks a server, and none is named with --endpoint")
        return challenger.fit(limited(train), task, seed, respondent)
    if not challenger.embeds:
        return challenger.fit(limited(train), task, seed)
    if embed is None:
        raise does_not_apply(challenger, task, "it needs the base model, and none is loaded")
    return challenger.fit(limited(train), task, seed, embed)


def does_not_apply(challenger: Challenger, task: Task, reason: str) -> HarnessError:
    """Return the error for a challenger that does not apply to a task."""
    problem = f"the challenger {challenger.name} does not apply to {task.name}: {reason}"
    return HarnessError(problem, where=f"--challengers {challenger.name}", fix="leave it out of --challengers")


def answer(challenger: Challenger, fitted: Any, examples: Sequence[Example], task: Task) -> list[Answer]:
    """Return one answer per example, in the examples' order.

    Args:
        challenger: the challenger.
        fitted: the result of `fit`.
        examples: the questions; gold answers, slices and amounts are hidden from the challenger.
        task: gives scoring, metrics and parser.

    Raises:
        HarnessError: the challenger returned another number of results, or scores that are no numbers.
    """
    results = challenger.answer(fitted, [replace(e, target="", amount=0.0, slices={}) for e in examples])
    if len(results) != len(examples):
        raise _wrong(challenger, task, f"{len(results)} results for {len(examples)} questions")
    return [_answer(challenger, e, result, task) for e, result in zip(examples, results, strict=True)]


def _answer(challenger: Challenger, example: Example, result: str | Sequence[float], task: Task) -> Answer:
    plain = Answer(
        id=example.id,
        group=example.group or example.id,
        target=example.target,
        text="",
        parsed=None,
        choices=example.choices,
        slices=example.slices,
        amount=example.amount,
    )
    if challenger.remote and isinstance(result, str):
        return replace(plain, text=result, parsed=reply_form(result, plain, example, task))
    if task.scoring == "choices":
        return _choice(challenger, plain, _scores(challenger, example, result, task), task)
    text = result if isinstance(result, str) else _best(_scores(challenger, example, result, task), example.choices)
    return replace(plain, text=text, parsed=(task.parse or default_parse)(text, example))


def reply_form(text: str, answer: Answer, example: Example, task: Task) -> str | None:
    """Return the parsed form of a text that a server's model wrote, thoughts aside; of options the one that it names."""
    text = thoughts.answer(text)
    return (
        named_option(text, answer.choices)
        if task.scoring == "choices"
        else (task.parse or default_parse)(text, example)
    )


def _choice(challenger: Challenger, answer: Answer, scores: Sequence[float], task: Task) -> Answer:
    top = max(scores)
    total = top + math.log(math.fsum(math.exp(score - top) for score in scores))
    loglik = tuple(score - total for score in scores)
    answer = replace(answer, loglik=loglik, prior=(-math.log(len(scores)),) * len(scores))
    text = pick(answer, task.metrics)
    return replace(answer, text=text, parsed=text)


def _scores(challenger: Challenger, example: Example, result: str | Sequence[float], task: Task) -> tuple[float, ...]:
    """Return a number for each option; an option that is named as a text gets the highest."""
    if isinstance(result, str):
        matches = [fold(choice) == fold(result) for choice in example.choices]
        if sum(matches) != 1:
            raise _wrong(challenger, task, f"{result!r} for question {example.id!r}, which is none of its options")
        return tuple(APART if is_named else 0.0 for is_named in matches)
    scores = tuple(float(score) for score in result)
    if len(scores) != len(example.choices) or not all(map(math.isfinite, scores)):
        numbers = ", ".join(f"{score:g}" for score in scores[:5])
        options = f"{len(example.choices)} options"
        raise _wrong(challenger, task, f"the scores {numbers or 'none'} for the {options} of question {example.id!r}")
    return scores


def _best(scores: Sequence[float], options: Sequence[str]) -> str:
    return options[max(range(len(scores)), key=scores.__getitem__)]  # the first of equals


def _wrong(challenger: Challenger, task: Task, fault: str) -> HarnessError:
    problem = f"the challenger {challenger.name} returned {fault}"
    return HarnessError(problem, where=f"task {task.name}", fix="correct the challenger's `answer`")
