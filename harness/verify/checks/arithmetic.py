"""Do the numbers of a run follow from its answers? Every answer is parsed and scored anew from its raw text.

They must come out equal to the last digit. Where a run was made with another scipy or numpy than is here, the bounds of
intervals may differ in the last digit (their quantiles do) and are compared to twelve.
"""

from __future__ import annotations

import functools
import importlib.metadata
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from harness.errors import HarnessError
from harness.metrics.scoring import chance, parse_rate, score_answers
from harness.metrics.text import default_parse
from harness.record import Answer, Record, Score, Scoring
from harness.schema import Example, Task
from harness.store import withhold
from harness.verify.check import Check, check, same

COUNT = "there are as many answers as test examples"
ONCE = "no question is answered twice"
PARSED = "every raw text parses to what was stored"
LIKELIEST = "every option picked is the likeliest"
SCORES = "every score comes out again"
RATE = "the parse rate comes out again"
CUT = "the inputs that were cut are counted"
GOLD = "options, groups and gold are the task's"
CHANCE = "what guessing scores comes out again"
NO_CLAIM = "an unfinished run claims no scores"


def of_unfinished(record: Record) -> list[Check]:
    """A run that did not finish has no number to check, and may claim none."""
    return [check(NO_CLAIM, ["it has scores"] if record.scores else [])]


def of_answers(record: Record, answers: Sequence[Answer], task: Task) -> list[Check]:
    """Parse and score the answers anew and hold the record against what comes out."""
    ids = [answer.id for answer in answers]
    repeated = sorted({name for name in ids if ids.count(name) > 1}) if len(set(ids)) < len(ids) else []
    scoring = record.spec.scoring
    return [
        same(COUNT, record.spec.test_examples, len(answers)),
        check(ONCE, repeated),
        _failing(PARSED, answers, lambda a: reparse(a, task, scoring) == a.parsed),
        _failing(LIKELIEST, answers, lambda a: scoring != "choices" or a.text == _likeliest(a)),
        check(SCORES, _score_faults(record, answers, task)),
        same(RATE, record.parse_rate, parse_rate(answers)),
        check(CUT, _cut_faults(record, answers)),
    ]


def of_gold(record: Record, answers: Sequence[Answer], task: Task, examples: Sequence[Example] | None) -> list[Check]:
    """Hold gold answers, options and groups, and what guessing scores, against the task's examples, if they are here."""
    if examples is None:
        return []
    known = {example.id: example for example in examples}

    def holds(answer: Answer) -> bool:
        example = known.get(answer.id)
        if example is None:
            return False
        example = withhold.as_withheld(example) if withhold.is_withheld(answer) else example
        group = answer.group or answer.id
        gold = (example.target, example.choices, example.group or example.id, example.amount)
        return gold == (answer.target, answer.choices, group, answer.amount)

    asked = [known[answer.id] for answer in answers if answer.id in known]
    guessed = chance(replace(task, scoring=record.spec.scoring), asked) if asked else None
    return [_failing(GOLD, answers, holds), same(CHANCE, record.chance, guessed)]


def reparse(answer: Answer, task: Task, scoring: Scoring) -> str | None:
    """Parse an answer's raw text again, with the task's parser or the harness's own; what is not written is its own parse.

    The example is rebuilt from the answer, so a parser may look at `id`, `target`, `choices`, `group` and `slices`, and
    finds `question` and `context` empty.
    """
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
    return (task.parse or default_parse)(answer.text, example)


def _likeliest(answer: Answer) -> str | None:
    """Return the option of the highest log-likelihood (the first of equals); None where the two do not fit together."""
    if not answer.loglik or len(answer.loglik) != len(answer.choices):
        return None
    return answer.choices[answer.loglik.index(max(answer.loglik))]


def _score_faults(record: Record, answers: Sequence[Answer], task: Task) -> list[str]:
    """Name each score that does not come out again; the answers are parsed anew by the caller."""
    if not answers:
        return ["there are no answers"]
    try:
        fresh = score_answers(answers, task.metrics)
    except HarnessError as error:
        return [error.problem]
    faults = [f"{name} is recorded and the task has no such metric" for name in record.scores if name not in fresh]
    equal = _equal if _same_numerics(record) else _nearly_equal
    for name, score in fresh.items():
        recorded = record.scores.get(name)
        if recorded is None:
            faults.append(f"{name} is missing")
        elif not equal(recorded, score):
            faults.append(
                f"{name} is {score.value!r} [{score.low!r}, {score.high!r}] n {score.n} in {score.groups}, recorded"
                f" {recorded.value!r} [{recorded.low!r}, {recorded.high!r}] n {recorded.n} in {recorded.groups}"
            )
    return faults


def _equal(a: Score, b: Score) -> bool:
    return a == b


def _nearly_equal(a: Score, b: Score) -> bool:
    near = all(math.isclose(x, y, rel_tol=1e-12, abs_tol=1e-12) for x, y in ((a.low, b.low), (a.high, b.high)))
    return near and replace(a, low=b.low, high=b.high) == b


def _same_numerics(record: Record) -> bool:
    """Whether the record names no other scipy or numpy than the ones here."""
    packages = record.environment.packages
    return all(packages.get(name, _version(name)) == _version(name) for name in ("numpy", "scipy"))


@functools.cache
def _version(name: str) -> str:
    return importlib.metadata.version(name)


def _cut_faults(record: Record, answers: Sequence[Answer]) -> list[str]:
    """A base run cuts what it was asked; one that trained may have cut training examples as well."""
    cut = sum(answer.cut_tokens > 0 for answer in answers)
    trained = record.spec.train_examples > 0
    most = (
        float("inf") if record.spec.joined else cut + record.spec.train_examples
    )  # those of joined tasks are not known
    fits = cut <= record.cut_examples <= most if trained else cut == record.cut_examples
    return [] if fits else [f"{cut} answers had their input cut, recorded {record.cut_examples}"]


def _failing(name: str, answers: Iterable[Answer], holds: Callable[[Answer], bool]) -> Check:
    return check(name, [answer.id for answer in answers if not holds(answer)])
