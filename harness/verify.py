"""Does a run's folder still prove its record? Every answer is parsed and scored anew from its raw text.

The spec must hash to the id in the folder's name, the answers to the checksum in the record, and the scores must come
out again: values and counts to the last digit, interval bounds to twelve (quantiles of two scipy versions may differ
in the last). With the task's examples at hand, the gold answers are held against them too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness import store
from harness.errors import HarnessError
from harness.metrics.text import default_parse
from harness.schema import Answer, Example, Record, Score, Scoring, Task
from harness.score import parse_rate, score_answers


@dataclass(frozen=True)
class Check:
    """One thing looked at: its name, whether it holds, and what was found where it does not."""

    name: str
    ok: bool
    detail: str = ""


def verify(folder: Path, task: Task, *, examples: Sequence[Example] | None = None) -> list[Check]:
    """Check one run's folder against itself and the task.

    Args:
        folder: the run's folder, `.../<task>/<model>/<method>/s<seed>-<id>`.
        task: the task it claims; its parser and metrics are used.
        examples: the test examples (or more of them) to hold the gold answers against, where they are at hand.

    Returns:
        The checks in the order made. What cannot be read ends the list with a check that failed; a run that did not
        finish has no answers to check.
    """
    try:
        record = store.read_record(folder)
    except HarnessError as error:
        return [Check("record can be read", False, error.problem)]
    checks = [Check("record can be read", True), *_about_names(folder, record, task)]
    if record.status != "ok":
        return [*checks, _check("an unfinished run claims no scores", [] if not record.scores else ["it has scores"])]
    try:
        answers = store.read_answers(folder)
        digest = store.answers_sha256(folder)
    except (HarnessError, OSError) as error:
        return [*checks, Check("answers can be read", False, getattr(error, "problem", str(error)))]
    checks += [
        Check("answers can be read", True),
        _same("answers have the recorded checksum", record.answers_sha256, digest),
    ]
    return checks + _about_answers(record, answers, task) + _about_gold(answers, examples)


def _about_names(folder: Path, record: Record, task: Task) -> list[Check]:
    spec, place = record.spec, folder.resolve()
    words = store.relative_dir(spec).parts
    return [
        _same("the spec hashes to the id in the folder's name", place.name.rpartition("-")[2], spec.id),
        _same("the folder's words say what the spec says", "/".join(place.parts[-len(words) :]), "/".join(words)),
        _same("the task is the one that ran", f"{spec.task} v{spec.task_version}", f"{task.name} v{task.version}"),
    ]


def _about_answers(record: Record, answers: Sequence[Answer], task: Task) -> list[Check]:
    ids = [answer.id for answer in answers]
    repeated = sorted({name for name in ids if ids.count(name) > 1}) if len(set(ids)) < len(ids) else []
    scoring = record.spec.scoring
    return [
        _same("there are as many answers as test examples", record.spec.test_examples, len(answers)),
        _check("no question is answered twice", repeated),
        _failing("every raw text parses to what was stored", answers, lambda a: reparse(a, task, scoring) == a.parsed),
        _failing(
            "every option picked is the likeliest", answers, lambda a: scoring != "choices" or a.text == _likeliest(a)
        ),
        _check("every score comes out again", _score_faults(record, answers, task)),
        _same("the parse rate comes out again", record.parse_rate, parse_rate(answers)),
    ]


def _about_gold(answers: Sequence[Answer], examples: Sequence[Example] | None) -> list[Check]:
    if examples is None:
        return []
    known = {e.id: (e.target, e.choices, e.group or e.id, e.amount) for e in examples}
    name = "options, groups and gold are the task's"
    return [_failing(name, answers, lambda a: known.get(a.id) == (a.target, a.choices, a.group or a.id, a.amount))]


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
    for name, score in fresh.items():
        recorded = record.scores.get(name)
        if recorded is None:
            faults.append(f"{name} is missing")
        elif not _equal(recorded, score):
            faults.append(
                f"{name} is {score.value!r} [{score.low!r}, {score.high!r}], recorded {recorded.value!r}"
                f" [{recorded.low!r}, {recorded.high!r}]"
            )
    return faults


def _equal(a: Score, b: Score) -> bool:
    exact = ("value", "n", "groups", "unit", "higher_is_better")
    return all(getattr(a, name) == getattr(b, name) for name in exact) and all(
        math.isclose(getattr(a, name), getattr(b, name), rel_tol=1e-12, abs_tol=1e-12) for name in ("low", "high")
    )


def _failing(name: str, answers: Iterable[Answer], holds: Callable[[Answer], bool]) -> Check:
    return _check(name, [answer.id for answer in answers if not holds(answer)])


def _check(name: str, faults: Sequence[str]) -> Check:
    shown = ", ".join(faults[:3]) + (f" and {len(faults) - 3} more" if len(faults) > 3 else "")
    return Check(name, not faults, shown)


def _same(name: str, recorded: object, found: object) -> Check:
    return Check(name, recorded == found, "" if recorded == found else f"recorded {recorded}, found {found}")
