"""What a run cost, pooled over seeds, and whether two costs may be compared at all: only within one machine."""

from __future__ import annotations

from collections.abc import Sequence

from harness.record import Cost, Record


def same_machine(a: Record, b: Record) -> str:
    """Return why memory and time of the two runs are not comparable, an empty string where they are."""
    if a.cost is None or b.cost is None:
        return "not comparable: a run has no measured cost"
    if a.spec.device != b.spec.device:
        return f"not comparable: one ran on {a.spec.device}, the other on {b.spec.device}"
    if a.environment.machine != b.environment.machine:
        return f"not comparable: different machines ({a.environment.machine}; {b.environment.machine})"
    return ""


def machine(records: Sequence[Record]) -> str:
    """Name what memory and time may be compared within; empty where the records are of several machines."""
    places = {f"{record.environment.machine} · {record.spec.device}" for record in records}
    return places.pop() if len(places) == 1 else ""


def typical_cost(records: Sequence[Record]) -> Cost | None:
    """Return the whole cost of the run in the middle by training peak, then time; None across machines.

    One real run and not a mixture of several, so that its parts add up to its peak.
    """
    costs = [record.cost for record in records if record.cost is not None]
    if not costs or not machine(records):
        return None

    def size(cost: Cost) -> tuple[float, float]:
        phase = cost.phases.get("train") or cost.phases.get("evaluate")
        return (phase.peak_bytes, phase.seconds) if phase else (0.0, 0.0)

    return sorted(costs, key=size)[(len(costs) - 1) // 2]


def cost_note(shown: Sequence[Record]) -> str:
    """Return why the runs' memory and time must not be compared with each other, an empty string where they may."""
    records = [record for record in shown if record.cost is not None]
    reasons = (same_machine(records[0], record) for record in records[1:])
    return next((reason for reason in reasons if reason), "")
