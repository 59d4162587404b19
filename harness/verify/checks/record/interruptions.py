"""Faults of what a record says of its checkpoints: they need steps, and lost steps need an interruption."""

from __future__ import annotations

import math
from collections.abc import Sequence

from harness.record import Checkpoints, Record, RunSpec
from harness.schedule import planned_steps
from harness.verify.checks.record.settings import MOST_EPOCHS


def faults(record: Record, phases: float) -> list[str]:
    """Return how a record's checkpoints contradict it.

    Args:
        record: of the run.
        phases: the sum of its phases' seconds.
    """
    stored = record.checkpoints
    if stored is None:
        return []
    if not record.spec.train_examples:
        return ["the run did not train and has checkpoints of a training"]
    results = _own_faults(stored) + _step_faults(stored.resumptions, record.spec)
    if not stored.resumptions and stored.seconds > max(0.0, record.seconds - phases):
        beside = record.seconds - phases
        results.append(f"its checkpoints took {stored.seconds:,.1f} s, beside its phases are {beside:,.1f} s")
    return results


def _own_faults(stored: Checkpoints) -> list[str]:
    results = []
    if stored.writes < 1 or not 0 < stored.seconds < math.inf:
        results.append(f"{stored.writes} checkpoints were written in {stored.seconds} s")
    if (stored.lost_steps > 0) != (stored.lost_seconds > 0) or min(stored.lost_steps, stored.lost_seconds) < 0:
        results.append(f"{stored.lost_steps} lost steps took {stored.lost_seconds} s")
    if stored.lost_steps and not stored.resumptions:
        results.append(f"{stored.lost_steps} steps were lost without an interruption")
    return results


def _step_faults(resumptions: Sequence[int], spec: RunSpec) -> list[str]:
    """Return a fault if the steps after which the run went on are out of order, or none of its steps."""
    plain = spec.batch_size > 0 and 0 < spec.epochs <= MOST_EPOCHS and not spec.joined and not spec.rounds
    most = planned_steps(spec.train_examples, spec) if plain else math.inf
    if list(resumptions) == sorted(resumptions) and all(1 <= step <= most for step in resumptions):
        return []
    return [f"the run went on after the steps {', '.join(map(str, resumptions))}, it has {most:g}"]
