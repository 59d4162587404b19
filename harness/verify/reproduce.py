"""The verdict on a run that was trained again: reproduced, different, or not comparable.

The same code, machine, packages and number of threads give the same answers to the last digit, so a difference is real.
In another environment sums may be computed in another order, and a difference does not tell which run is right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from harness.record import Answer, Environment, Record
from harness.store import withhold

Verdict = Literal["REPRODUCED", "DIFFERS", "NOT COMPARABLE"]
MAX_LISTED = 5


@dataclass(frozen=True)
class Outcome:
    """The verdict, its reasons and the observations behind it, as sentences."""

    verdict: Verdict
    reasons: tuple[str, ...] = ()
    observations: tuple[str, ...] = ()


def judge(old: tuple[Record, Sequence[Answer]], new: tuple[Record, Sequence[Answer]]) -> Outcome:
    """Return the verdict on a run compared with the same run trained again.

    Args:
        old: the stored record and its answers.
        new: the new record of the same spec and its answers.
    """
    (before, old_answers), (after, new_answers) = old, new
    changes = differences(before.environment, after.environment)
    verdict: Verdict = "NOT COMPARABLE" if changes else "DIFFERS"
    if after.status != "ok":
        return Outcome(verdict, (*changes, f"{after.status}: {after.reason}"))
    if old_answers and withhold.is_withheld(old_answers[0]):
        new_answers = withhold.stand_in_answers(new_answers)
    observations = (_answer_comparison(old_answers, new_answers), *_score_comparison(before, after))
    if (
        _answer_texts(old_answers) == _answer_texts(new_answers)
        and before.scores == after.scores
        and _probe_scores(before) == _probe_scores(after)
    ):
        return Outcome("REPRODUCED", changes, observations)
    return Outcome(verdict, changes, observations)


def differences(a: Environment, b: Environment) -> tuple[str, ...]:
    """Return the differences in machine, software and code that a result may depend on, as sentences."""
    pairs = {name: (getattr(a, name), getattr(b, name)) for name in ("machine", "threads", "driver", "commit")}
    names = sorted(a.packages.keys() | b.packages.keys())
    pairs |= {name: (a.packages.get(name, "none"), b.packages.get(name, "none")) for name in names}
    return tuple(
        f"{name}: {old or 'unknown'} then, {new or 'unknown'} now" for name, (old, new) in pairs.items() if old != new
    )


def _answer_texts(answers: Sequence[Answer]) -> list[tuple[str, str, str | None]]:
    return [(answer.id, answer.text, answer.parsed) for answer in answers]


def _probe_scores(record: Record) -> dict[str, object]:
    return {name: probe.scores for name, probe in record.probes.items()}


def _answer_comparison(old: Sequence[Answer], new: Sequence[Answer]) -> str:
    now = {answer.id: answer for answer in new}
    changed = [a.id for a in old if (b := now.get(a.id)) is None or (a.text, a.parsed) != (b.text, b.parsed)]
    if changed or len(old) != len(new):
        more = f" and {len(changed) - MAX_LISTED} more" if len(changed) > MAX_LISTED else ""
        return f"{len(changed)} of {len(old)} answers differ: {', '.join(changed[:MAX_LISTED])}{more}"
    gaps = [abs(x - y) for a in old for x, y in zip(a.loglik, now[a.id].loglik, strict=False)]
    digits = "" if not gaps else f", log-likelihoods {f'within {max(gaps):.2g}' if max(gaps) else 'to the last digit'}"
    return f"{len(old)} of {len(old)} answers are equal{digits}"


def _score_comparison(before: Record, after: Record) -> list[str]:
    names = [name for name in before.scores if before.scores[name] != after.scores.get(name)]
    lines = [f"{name}: {before.scores[name].value!r} then, {_value(after, name)} now" for name in names]
    lines += [
        f"scores of the probe {name} differ" for name in _probe_scores(before) if _probe_differs(name, before, after)
    ]
    return lines or ["every score and interval is equal"]


def _probe_differs(name: str, before: Record, after: Record) -> bool:
    return _probe_scores(before)[name] != _probe_scores(after).get(name)


def _value(record: Record, name: str) -> str:
    return repr(record.scores[name].value) if name in record.scores else "missing"
