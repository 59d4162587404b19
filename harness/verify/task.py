"""Oracle tests of a task: the conditions under which a score on it is meaningful.

Gold answers are perfect, wrong answers score nothing, and shuffled ones score the chance level. Nonsense is not parsed as
an answer. Neither the prompt nor the position or length of an option gives the answer away. Nothing depends on Python's
hash seed. `check` runs these tests on any task, the contract tests on every task of the project.
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
UNRELATED = "qzx vvv"  # shares no word with any text
MIN_MARGIN = 0.07  # three standard errors of a share over about 600 questions
SENTENCE_WORDS = 4  # words; if every gold answer has as many, answers are texts, and any two texts share words
NEIGHBOURS = 200  # questions on either side; their answers are candidates for a wrong answer
MIN_DIFFERENCE = (
    0.1  # relative difference of two numbers from which one is wrong for the other, whatever the task's tolerance
)


def checks(task: Task, splits: Splits) -> list[Check]:
    """Return the checks of a task whose examples could be loaded."""
    results = [check_prompts(task, [example for _, part in splits.items() for example in part])]
    if task.scoring == "perplexity":  # no answer is right or wrong
        return results
    results += [check_gold(task, metric, splits.test) for metric in task.metrics]
    results += [
        check_wrong_answers(task, splits.test),
        check_shuffled_answers(task, splits.test),
        check_unreadable_answers(task, splits.test),
    ]
    if task.scoring == "choices" and not has_common_options(splits.test):
        results += [check_option_positions(task, splits.test)]
    return results


def make_answers(task: Task, examples: Sequence[Example], texts: Sequence[str]) -> list[Answer]:
    """Return the answers of a model with these outputs."""
    parse = task.parse or default_parse
    return [
        Answer(e.id, e.group, e.target, text, parse(text, e), e.choices, slices=e.slices, amount=e.amount)
        for e, text in zip(examples, texts, strict=True)
    ]


def headline(task: Task, examples: Sequence[Example], texts: Sequence[str]) -> float:
    """Return the score of these outputs on the first metric."""
    return _headline(task, make_answers(task, examples, texts))


def _headline(task: Task, answers: Sequence[Answer]) -> float:
    metric = task.metrics[0]
    return score_answers(answers, [metric])[metric.name].value


def share_metrics(task: Task) -> list[Metric]:
    """Return the metrics that are shares of right answers."""
    return [metric for metric in task.metrics if metric.unit == "share" and metric.higher_is_better]


def margin(task: Task, examples: Sequence[Example]) -> float:
    """Return three standard errors of the chance level, at least `MIN_MARGIN`; they are large for a small test."""
    share = min(1.0, chance(task, examples) or 0.0)
    return max(MIN_MARGIN, 3 * math.sqrt(share * (1 - share) / len(examples)))


def has_common_options(examples: Sequence[Example]) -> bool:
    """Return whether every question has the same options, so that options are classes."""
    return len({frozenset(e.choices) for e in examples}) == 1


def has_sentence_answers(task: Task, examples: Sequence[Example]) -> bool:
    """Return whether the answers are texts, so that a wrong one may share words with the gold."""
    return task.parse is None and not any(e.choices or len(e.target.split()) < SENTENCE_WORDS for e in examples)


def check_prompts(task: Task, examples: Sequence[Example]) -> Check:
    """Return the check that every prompt renders, ends without a blank, and does not depend on the gold answer."""
    faults = []
    for example in examples:
        text = task.prompt(example)
        if not text or text != text.rstrip():
            faults.append(f"the prompt of {example.id} is empty or ends in a blank")
        elif text != task.prompt(replace(example, target="another answer")):
            faults.append(f"the prompt of {example.id} depends on its answer")
    return check("prompts render, end without a blank, and do not depend on the answer", faults)


def check_gold(task: Task, metric: Metric, examples: Sequence[Example]) -> Check:
    """Return the check that gold answers as outputs are parsed and get a perfect score on a metric."""
    name = f"gold answers are perfect in {metric.name}"
    texts = [example.target for example in examples]
    answers = make_answers(task, examples, texts)
    if unread := [answer.id for answer in answers if answer.parsed is None]:
        return Check(
            name, False, f"the parser cannot read the gold answers of {len(unread)} questions, first {unread[0]}"
        )
    values = [metric.score(answer) for answer in answers]
    value = metric.combine(answers) if metric.combine else math.fsum(values) / max(1, len(values))
    perfect = 1.0 if metric.higher_is_better else 0.0
    bounded = metric.unit == "share" or not metric.higher_is_better
    return Check(name, not bounded or abs(value - perfect) < 1e-9, f"they score {value:g}, {perfect:g} is perfect")


def wrong_text(task: Task, examples: Sequence[Example], position: int) -> str | None:
    """Return an output that is wrong for the example at a position, None if there is none.

    It is another option, if possible one that differs in every part. Without options it is the gold answer of a nearby
    question, if one differs in every part once both are parsed (two solutions may end in one number).
    """
    example, parse = examples[position], task.parse or default_parse
    if example.choices:
        farthest_first = sorted(example.choices, key=lambda choice: not clearly_differ(choice, example.target))
        return next((choice for choice in farthest_first if choice != example.target), None)
    neighbours = [*examples[position + 1 : position + NEIGHBOURS], *examples[max(0, position - NEIGHBOURS) : position]]
    candidates = sorted(neighbours, key=lambda e: e.slices != example.slices)  # the same slices first
    gold = parse(example.target, example) or example.target
    return next((e.target for e in candidates if clearly_differ(parse(e.target, e) or e.target, gold)), None)


def check_wrong_answers(task: Task, examples: Sequence[Example]) -> Check:
    """Return the check that wrong answers score nothing in every share."""
    texts, faults = has_sentence_answers(task, examples), []
    for position, example in enumerate(examples):
        text = UNRELATED if texts else wrong_text(task, examples, position)
        if text is None:
            continue
        (answer,) = make_answers(task, [example], [text])
        faults += [
            f"{example.id}: {text!r} gets {metric.score(answer):g} in {metric.name}"
            for metric in share_metrics(task)
            if metric.score(answer) > 0.0
        ]
    return check("wrong answers score nothing", faults)


def check_shuffled_answers(task: Task, examples: Sequence[Example]) -> Check:
    """Return the check that other questions' answers score no more than the chance level plus a margin."""
    name = "shuffled answers score the chance level"
    order = random.Random(20).sample(range(len(examples)), len(examples))
    texts = [examples[i].target for i in order]
    if task.scoring == "choices" and not has_common_options(examples):  # the position of another question's gold
        positions = [examples[i].choices.index(examples[i].target) for i in order]
        texts = [e.choices[p % len(e.choices)] for e, p in zip(examples, positions, strict=True)]
    if (level := chance(task, examples)) is None:
        return Check(name, True, "the chance level is unknown")
    score = headline(task, examples, texts)
    return Check(
        name, score <= level + margin(task, examples), f"they score {score:.3g}, the chance level is {level:.3g}"
    )


def check_unreadable_answers(task: Task, examples: Sequence[Example]) -> Check:
    """Return the check that an empty output is not parsed and scores nothing, nor does nonsense.

    If the task is generated, nonsense may be parsed: any line can be an answer there.
    """
    faults = []
    for text in ("", "  \n", NONSENSE):
        answers = make_answers(task, examples, [text] * len(examples))
        if not text.strip() or task.scoring == "choices":
            faults += [f"{a.id}: {text!r} is parsed as {a.parsed!r}" for a in answers if a.parsed is not None]
        score = _headline(task, answers)
        if score > (MIN_MARGIN if has_sentence_answers(task, examples) else 0.0):
            faults.append(f"{text!r} scores {score:.3g}")
    return check("empty and nonsense answers are not parsed and score nothing", faults)


def check_option_positions(task: Task, examples: Sequence[Example]) -> Check:
    """Return the check that one position among the options, or the longest or shortest option, is at chance level."""
    picks: dict[str, Callable[[Example], str]] = {
        "the longest": lambda e: max(e.choices, key=len),
        "the shortest": lambda e: min(e.choices, key=len),
    }
    for index in range(max(len(e.choices) for e in examples)):
        picks[f"number {index + 1}"] = lambda e, index=index: e.choices[index % len(e.choices)]  # type: ignore[misc]
    limit = (chance(task, examples) or 0.0) + 2 * margin(task, examples)
    scores = {name: headline(task, examples, [pick(e) for e in examples]) for name, pick in picks.items()}
    faults = [f"{name} is right in {100 * value:.0f} %" for name, value in scores.items() if value > limit]
    return check("neither position nor length of an option gives the answer away", faults)


def clearly_differ(a: str, b: str) -> bool:
    """Return whether two gold answers differ in every part, as text or, if both are numbers, by `MIN_DIFFERENCE`."""
    a_parts, b_parts = a.split(";"), b.split(";")
    return len(a_parts) == len(b_parts) and all(map(_differ, a_parts, b_parts))


def _differ(a: str, b: str) -> bool:
    first, second = parse_number(a.strip()), parse_number(b.strip())
    if first is not None and second is not None:
        return abs(float(first) - float(second)) > MIN_DIFFERENCE * max(abs(float(first)), abs(float(second)))
    return fold(a) != fold(b)
