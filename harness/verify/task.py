"""Oracle tests of a task: what must hold before a score on it means anything.

Feed the gold answers back and everything is right; wrong answers get nothing; shuffled ones get what guessing gets; what is
no answer is not read as one; neither the prompt nor the place or length of an option gives the answer away; and nothing
depends on Python's hash seed. `check` runs these on any task, the contract tests on every task of the project.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import replace

from harness.data.loading import Splits
from harness.metrics import default_parse, fold, parse_number
from harness.metrics.scoring import chance, score_answers
from harness.record import Answer
from harness.schema import Example, Metric, Task
from harness.verify.check import Check, check

NONSENSE = "qzx vvv 17 of ???"
NO_WORDS = "qzx vvv"  # shares no word with any text
NEAR = 0.07  # three standard errors of a share among some 600 questions
SENTENCE = 4  # words; a gold answer of so many in every example is a text, which another text resembles more or less
NEARBY = 200  # questions on either side whose answers are tried as wrong ones
APART = 0.1  # two numbers are wrong for each other if they differ by this share, whatever the task's tolerance


def checks(task: Task, splits: Splits) -> list[Check]:
    """Return what was looked at of a task that loads, each with whether it holds and where it does not."""
    found = [prompts(task, [example for _, part in splits.items() for example in part])]
    if task.scoring == "perplexity":  # a text is read on: no answer is right or wrong
        return found
    found += [gold(task, metric, splits.test) for metric in task.metrics]
    found += [wrong(task, splits.test), shuffled(task, splits.test), unreadable(task, splits.test)]
    if task.scoring == "choices" and not same_options(splits.test):
        found += [places(task, splits.test)]
    return found


def answered(task: Task, examples: Sequence[Example], texts: Sequence[str]) -> list[Answer]:
    """Return the answers that a model with these outputs would leave behind."""
    parse = task.parse or default_parse
    return [
        Answer(e.id, e.group, e.target, text, parse(text, e), e.choices, slices=e.slices, amount=e.amount)
        for e, text in zip(examples, texts, strict=True)
    ]


def headline(task: Task, examples: Sequence[Example], texts: Sequence[str]) -> float:
    """Return what these outputs score on the first metric."""
    return _headline(task, answered(task, examples, texts))


def _headline(task: Task, answers: Sequence[Answer]) -> float:
    metric = task.metrics[0]
    return score_answers(answers, [metric])[metric.name].value


def shares(task: Task) -> list[Metric]:
    """Return the metrics that count what is right."""
    return [metric for metric in task.metrics if metric.unit == "share" and metric.higher_is_better]


def near(task: Task, examples: Sequence[Example]) -> float:
    """Return three standard errors of guessing, at least `NEAR`: a test can be small."""
    share = min(1.0, chance(task, examples) or 0.0)
    return max(NEAR, 3 * math.sqrt(share * (1 - share) / len(examples)))


def same_options(examples: Sequence[Example]) -> bool:
    """Tell whether every question has the same options, so that they are classes."""
    return len({frozenset(e.choices) for e in examples}) == 1


def of_sentences(task: Task, examples: Sequence[Example]) -> bool:
    """Tell whether the answers are texts, of which another one shares words."""
    return task.parse is None and not any(e.choices or len(e.target.split()) < SENTENCE for e in examples)


def prompts(task: Task, examples: Sequence[Example]) -> Check:
    """Whether every prompt renders, ends where the answer begins, and is the same whatever the answer is."""
    faults = []
    for example in examples:
        text = task.prompt(example)
        if not text or text != text.rstrip():
            faults.append(f"that of {example.id} is empty or ends in a blank")
        elif text != task.prompt(replace(example, target="another answer")):
            faults.append(f"that of {example.id} depends on its answer")
    return check("prompts render, end where the answer begins, and do not depend on it", faults)


def gold(task: Task, metric: Metric, examples: Sequence[Example]) -> Check:
    """Whether the gold answers, fed back as output, are read and get a perfect score on a metric."""
    name = f"gold answers are perfect in {metric.name}"
    texts = [example.target for example in examples]
    answers = answered(task, examples, texts)
    if unread := [answer.id for answer in answers if answer.parsed is None]:
        return Check(name, False, f"the parser cannot read the gold of {unread[0]} and {len(unread) - 1} more")
    values = [metric.score(answer) for answer in answers]
    value = metric.combine(answers) if metric.combine else math.fsum(values) / max(1, len(values))
    perfect = 1.0 if metric.higher_is_better else 0.0
    bounded = metric.unit == "share" or not metric.higher_is_better
    return Check(name, not bounded or abs(value - perfect) < 1e-9, f"they score {value:g}")


def wrong_text(examples: Sequence[Example], position: int) -> str | None:
    """Return an output that is wrong for one of the examples, None where there is none.

    It is another option, one that differs in every part if possible; or the gold of a question nearby that does.
    """
    example = examples[position]
    if example.choices:
        farthest_first = sorted(example.choices, key=lambda choice: not apart(choice, example.target))
        return next((choice for choice in farthest_first if choice != example.target), None)
    others = [*examples[position + 1 : position + NEARBY], *examples[max(0, position - NEARBY) : position]]
    alike = sorted(others, key=lambda other: other.slices != example.slices)  # of the same kind if possible
    return next((other.target for other in alike if apart(other.target, example.target)), None)


def wrong(task: Task, examples: Sequence[Example]) -> Check:
    """Whether wrong answers score nothing in every share."""
    texts, faults = of_sentences(task, examples), []
    for position, example in enumerate(examples):
        text = NO_WORDS if texts else wrong_text(examples, position)
        if text is None:
            continue
        (answer,) = answered(task, [example], [text])
        faults += [
            f"{example.id}: {text!r} gets {metric.score(answer):g} in {metric.name}"
            for metric in shares(task)
            if metric.score(answer) > 0.0
        ]
    return check("wrong answers score nothing", faults)


def shuffled(task: Task, examples: Sequence[Example]) -> Check:
    """Whether other questions' answers score no more than guessing does, beyond what is chance."""
    name = "shuffled answers score what guessing does"
    order = random.Random(20).sample(range(len(examples)), len(examples))
    texts = [examples[i].target for i in order]
    if task.scoring == "choices" and not same_options(examples):  # the place of another question's gold
        spots = [examples[i].choices.index(examples[i].target) for i in order]
        texts = [e.choices[spot % len(e.choices)] for e, spot in zip(examples, spots, strict=True)]
    if (guessed := chance(task, examples)) is None:
        return Check(name, True, "what guessing scores is not known")
    got = headline(task, examples, texts)
    return Check(name, got <= guessed + near(task, examples), f"they score {got:.3g}, guessing {guessed:.3g}")


def unreadable(task: Task, examples: Sequence[Example]) -> Check:
    """Whether an empty output is unparsed, and nonsense too wherever not every line is an answer."""
    faults = []
    for text in ("", "  \n", NONSENSE):
        answers = answered(task, examples, [text] * len(examples))
        if not text.strip() or task.scoring == "choices":
            faults += [f"{a.id}: {text!r} is read as {a.parsed!r}" for a in answers if a.parsed is not None]
        got = _headline(task, answers)
        if got > (NEAR if of_sentences(task, examples) else 0.0):
            faults.append(f"{text!r} scores {got:.3g}")
    return check("an empty answer and nonsense are not read and score nothing", faults)


def places(task: Task, examples: Sequence[Example]) -> Check:
    """Whether always taking one place among the options, or the longest or shortest, is no better than guessing."""
    picks: dict[str, Callable[[Example], str]] = {
        "the longest": lambda e: max(e.choices, key=len),
        "the shortest": lambda e: min(e.choices, key=len),
    }
    for place in range(max(len(e.choices) for e in examples)):
        picks[f"number {place + 1}"] = lambda e, place=place: e.choices[place % len(e.choices)]  # type: ignore[misc]
    guessed, margin = chance(task, examples) or 0.0, near(task, examples)
    got = {name: headline(task, examples, [pick(e) for e in examples]) for name, pick in picks.items()}
    faults = [f"{name} is right in {100 * value:.0f} %" for name, value in got.items() if value > guessed + 2 * margin]
    return check("no place or length of an option gives the answer away", faults)


def apart(one: str, other: str) -> bool:
    """Tell whether two gold answers differ in every part, as text and, where they are numbers, clearly as numbers."""
    parts, others = one.split(";"), other.split(";")
    return len(parts) == len(others) and all(map(_differ, parts, others))


def _differ(one: str, other: str) -> bool:
    first, second = parse_number(one.strip()), parse_number(other.strip())
    if first is not None and second is not None:
        return abs(float(first) - float(second)) > APART * max(abs(float(first)), abs(float(second)))
    return fold(one) != fold(other)
