"""Checks that the numbers of a run follow from its answers: every raw text is parsed and scored again.

The numbers must be equal to the last digit. If a run used another version of scipy or numpy, the bounds of intervals
are compared to twelve digits, because quantiles differ in the last digit between versions.
"""

from __future__ import annotations

import functools
import importlib.metadata
import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from harness.errors import HarnessError
from harness.metrics import thoughts
from harness.metrics.options import pick
from harness.metrics.scoring import chance, parse_rate, score_answers
from harness.metrics.text import default_parse, named_option
from harness.record import Answer, Record, Score, Scoring
from harness.schema import Example, Task
from harness.store import withhold
from harness.verify.check import Check, check, check_equal

ANSWER_COUNT = "there is one answer per test example"
UNIQUE_ANSWERS = "every question is answered once"
PARSES = "parsed answers are reproducible"
TOP_OPTION = "every chosen option is the one that the headline metric picks"
SCORES = "scores are reproducible"
PARSE_RATE = "parse rate is reproducible"
TRUNCATION = "number of truncated inputs is correct"
GOLD = "options, groups and gold answers match the task"
SLICES = "breakdowns match the task"
ORDER = "answers are in the order of the test examples"
CHANCE = "chance level is reproducible"
NO_SCORES = "unfinished runs have no scores"


def unfinished_run_checks(record: Record) -> list[Check]:
    """Return the check of a run that did not finish: it may claim no score."""
    return [
        check(NO_SCORES, [f"the run is {record.status} and has {len(record.scores)} scores"] if record.scores else [])
    ]


def answer_checks(record: Record, answers: Sequence[Answer], task: Task) -> list[Check]:
    """Return the checks of a record against its answers, parsed and scored again."""
    ids = [answer.id for answer in answers]
    repeated = sorted({name for name in ids if ids.count(name) > 1}) if len(set(ids)) < len(ids) else []
    scoring = record.spec.scoring
    return [
        check_equal(ANSWER_COUNT, record.spec.test_examples, len(answers)),
        check(UNIQUE_ANSWERS, repeated),
        _failing(PARSES, answers, lambda a: reparse(a, task, scoring) == a.parsed),
        _failing(
            TOP_OPTION, answers, lambda a: scoring != "choices" or is_written(a) or a.text == _top_option(a, task)
        ),
        check(SCORES, _score_faults(record, answers, task)),
        check_equal(PARSE_RATE, record.parse_rate, parse_rate(answers)),
        check(TRUNCATION, _cut_faults(record, answers)),
    ]


def gold_checks(
    record: Record, answers: Sequence[Answer], task: Task, examples: Sequence[Example] | None
) -> list[Check]:
    """Return the checks of gold answers, options, groups and chance level against the task's examples, if available."""
    if examples is None:
        return []
    by_id = {example.id: example for example in examples}

    def holds(answer: Answer) -> bool:
        example = by_id.get(answer.id)
        if example is None:
            return False
        lengths: tuple[int, ...] = ()
        if withhold.is_withheld(answer):
            lengths = withhold.lengths(example.choices, example.target, answer.text)
            example = withhold.stand_in_example(example)
        group = answer.group or answer.id
        gold = (example.target, example.choices, example.group or example.id, example.amount)
        return gold == (answer.target, answer.choices, group, answer.amount) and answer.option_lengths == lengths

    def has_slices(answer: Answer) -> bool:
        example = by_id.get(answer.id)
        return example is None or dict(example.slices) == dict(answer.slices)

    test_examples = [by_id[answer.id] for answer in answers if answer.id in by_id]
    level = chance(replace(task, scoring=record.spec.scoring), test_examples) if test_examples else None
    return [
        _failing(GOLD, answers, holds),
        _failing(SLICES, answers, has_slices),
        check(ORDER, _order_faults(answers, list(by_id))),
        check_equal(CHANCE, record.chance, level),
    ]


def _order_faults(answers: Sequence[Answer], ids: Sequence[str]) -> list[str]:
    """Return the answers that come before an answer to an earlier example of the task."""
    place = {name: number for number, name in enumerate(ids)}
    known = [answer.id for answer in answers if answer.id in place]
    return [later for earlier, later in itertools.pairwise(known) if place[later] < place[earlier]]


def reparse(answer: Answer, task: Task, scoring: Scoring) -> str | None:
    """Return the parsed form of an answer's raw text without thoughts, by the task's parser or the harness's default.

    A chosen option is not parsed: its text is returned. The example is rebuilt from the answer, so a parser can read
    `id`, `target`, `choices`, `group` and `slices`; `question` and `context` are empty.
    """
    if scoring == "choices" and is_written(answer):
        return named_option(thoughts.answer(answer.text), answer.choices)
    if scoring != "generate":
        return answer.text
    example = Example(
        id=answer.id,
        question="",
        target=answer.target,
        choices=answer.choices,
        group=answer.group,
        slices=answer.slices,
    )
    return (task.parse or default_parse)(thoughts.answer(answer.text), example)


def is_written(answer: Answer) -> bool:
    """Return whether an option was named in a written reply, as servers without log-probabilities give it.

    The check of likelihoods allows that to rows of a server alone.
    """
    return bool(answer.choices) and not answer.loglik


def _top_option(answer: Answer, task: Task) -> str | None:
    """Return the option that the headline metric picks, the first if several are equal; None if the counts differ."""
    counts = {len(numbers) for numbers in (answer.loglik, answer.prior or answer.loglik)}
    if not answer.choices or counts != {len(answer.choices)} or len(answer.option_lengths) not in (0, *counts):
        return None
    return pick(answer, task.metrics)


def _score_faults(record: Record, answers: Sequence[Answer], task: Task) -> list[str]:
    """Return a fault for each score that is not reproducible; the caller checks the parsed forms."""
    if not answers:
        return ["there are no answers"]
    try:
        computed = score_answers(answers, task.metrics)
    except HarnessError as error:
        return [error.problem]
    except (ValueError, ArithmeticError) as error:  # likelihoods or amounts that no answer has
        return [f"the scores cannot be computed: {error}"]
    faults = [f"{name} is recorded, but the task has no such metric" for name in record.scores if name not in computed]
    equal = _equal if _same_numerics(record) else _nearly_equal
    for name, score in computed.items():
        recorded = record.scores.get(name)
        if recorded is None:
            faults.append(f"{name} is missing")
        elif not equal(recorded, score):
            faults.append(f"{name} is {_score_text(score)}, recorded {_score_text(recorded)}")
    return faults


def _score_text(score: Score) -> str:
    return f"{score.value!r} [{score.low!r}, {score.high!r}] n {score.n} in {score.groups}"


def _equal(a: Score, b: Score) -> bool:
    return a == b


def _nearly_equal(a: Score, b: Score) -> bool:
    near = all(math.isclose(x, y, rel_tol=1e-12, abs_tol=1e-12) for x, y in ((a.low, b.low), (a.high, b.high)))
    return near and replace(a, low=b.low, high=b.high) == b


def _same_numerics(record: Record) -> bool:
    """Return whether the record names the installed versions of scipy and numpy, or none."""
    packages = record.environment.packages
    return all(packages.get(name, _version(name)) == _version(name) for name in ("numpy", "scipy"))


@functools.cache
def _version(name: str) -> str:
    return importlib.metadata.version(name)


def _cut_faults(record: Record, answers: Sequence[Answer]) -> list[str]:
    """Return a fault if the recorded number of truncated inputs is impossible.

    A base run truncates test inputs only; a run with training may truncate training examples as well. The number of
    training examples of joined tasks is unknown.
    """
    cut = sum(answer.cut_tokens > 0 for answer in answers)
    trained = record.spec.train_examples > 0
    limit = float("inf") if record.spec.joined else cut + record.spec.train_examples
    possible = cut <= record.cut_examples <= limit if trained else cut == record.cut_examples
    return [] if possible else [f"{cut} answers have a truncated input, recorded {record.cut_examples}"]


def _failing(name: str, answers: Iterable[Answer], holds: Callable[[Answer], bool]) -> Check:
    return check(name, [answer.id for answer in answers if not holds(answer)])
