"""A run trained again: is what came out the same, and if not, could it have been?

The same code, machine, packages and number of threads give the same answers to the last digit, so a difference there is
one. Elsewhere sums may be taken in another order, and a difference says nothing about who is right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from harness.record import Answer, Environment, Record
from harness.store import withhold

Verdict = Literal["REPRODUCED", "DIFFERS", "NOT COMPARABLE"]
SHOWN = 5


@dataclass(frozen=True)
class Outcome:
    """The verdict, why, and what was seen, in sentences."""

    verdict: Verdict
    why: tuple[str, ...] = ()
    seen: tuple[str, ...] = ()


def judge(old: tuple[Record, Sequence[Answer]], new: tuple[Record, Sequence[Answer]]) -> Outcome:
    """Compare a run with the same run trained again.

    Args:
        old: the record and its answers.
        new: those of now, of the same spec.
    """
    (before, kept), (after, given) = old, new
    elsewhere = differences(before.environment, after.environment)
    if after.status != "ok":
        return Outcome("NOT COMPARABLE" if elsewhere else "DIFFERS", (*elsewhere, f"{after.status}: {after.reason}"))
    if kept and withhold.is_withheld(kept[0]):
        given = withhold.withheld(given)
    seen = (_answers_seen(kept, given), *_scores_seen(before, after))
    if _said(kept) == _said(given) and before.scores == after.scores and _probed(before) == _probed(after):
        return Outcome("REPRODUCED", elsewhere, seen)
    return Outcome("NOT COMPARABLE" if elsewhere else "DIFFERS", elsewhere, seen)


def differences(a: Environment, b: Environment) -> tuple[str, ...]:
    """Say what of the machine, the software and the code is another one, as far as a result may depend on it."""
    pairs = {name: (getattr(a, name), getattr(b, name)) for name in ("machine", "threads", "driver", "commit")}
    names = sorted(a.packages.keys() | b.packages.keys())
    pairs |= {name: (a.packages.get(name, "none"), b.packages.get(name, "none")) for name in names}
    return tuple(
        f"{name}: {old or 'unknown'} then, {new or 'unknown'} now" for name, (old, new) in pairs.items() if old != new
    )


def _said(answers: Sequence[Answer]) -> list[tuple[str, str, str | None]]:
    return [(answer.id, answer.text, answer.parsed) for answer in answers]


def _probed(record: Record) -> dict[str, object]:
    return {name: probe.scores for name, probe in record.probes.items()}


def _answers_seen(kept: Sequence[Answer], given: Sequence[Answer]) -> str:
    now = {answer.id: answer for answer in given}
    other = [a.id for a in kept if (b := now.get(a.id)) is None or (a.text, a.parsed) != (b.text, b.parsed)]
    if other or len(kept) != len(given):
        more = f" and {len(other) - SHOWN} more" if len(other) > SHOWN else ""
        return f"{len(other)} of {len(kept)} answers differ: {', '.join(other[:SHOWN])}{more}"
    off = [abs(x - y) for a in kept for x, y in zip(a.loglik, now[a.id].loglik, strict=False)]
    digits = "" if not off else f", log-likelihoods {f'within {max(off):.2g}' if max(off) else 'to the last digit'}"
    return f"{len(kept)} of {len(kept)} answers are equal{digits}"


def _scores_seen(before: Record, after: Record) -> list[str]:
    names = [name for name in before.scores if before.scores[name] != after.scores.get(name)]
    told = [f"{name}: {before.scores[name].value!r} then, {_value(after, name)} now" for name in names]
    told += [f"scores of the probe {name} differ" for name in _probed(before) if _unlike(name, before, after)]
    return told or ["every score and interval is equal"]


def _unlike(name: str, before: Record, after: Record) -> bool:
    return _probed(before)[name] != _probed(after).get(name)


def _value(record: Record, name: str) -> str:
    return repr(record.scores[name].value) if name in record.scores else "missing"
