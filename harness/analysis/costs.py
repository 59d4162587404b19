"""The cost of runs, pooled over seeds. Costs are comparable within one machine only."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from harness.record import Cost, Record

ALONE = 0.1  # neighbours on average; below it a run counts as alone
BUSY = 1.25  # load for each core; above it the machine is busy


@dataclass(frozen=True)
class Times:
    """The seconds of a phase over the seeds of a row: their median and their range."""

    median: float
    low: float
    high: float
    count: int


def times(records: Sequence[Record], phase: str) -> Times | None:
    """Return the times of a phase; None across machines, or if no run has measured it."""
    phases = [record.cost.phases.get(phase) for record in records if record.cost is not None]
    seconds = [measured.seconds for measured in phases if measured is not None]
    if not seconds or not machine(records):
        return None
    return Times(statistics.median(seconds), min(seconds), max(seconds), len(seconds))


def has_neighbours(record: Record) -> bool:
    """Whether other runs ran beside the training."""
    return record.neighbours is not None and record.neighbours >= ALONE


def has_resumptions(record: Record) -> bool:
    """Whether the training was interrupted and went on from a checkpoint, so that its time and peak were measured in parts."""
    return record.checkpoints is not None and bool(record.checkpoints.resumptions)


def busy(record: Record) -> bool:
    """Whether the machine had more work than cores."""
    return record.load is not None and record.load > BUSY


def time_obstacle(runs: Iterable[Record]) -> str:
    """Return the reason if the times of trained runs are not comparable with each other, otherwise an empty string."""
    trained = [record for record in runs if record.cost is not None and "train" in record.cost.phases]
    known = [record for record in trained if record.neighbours is not None]
    beside = sum(map(has_neighbours, known))
    if not 0 < beside < len(known):
        return ""
    return f"not comparable: {beside} of {len(known)} runs trained beside others, the rest alone"


def machine_difference(a: Record, b: Record) -> str:
    """Return the reason if memory and time of the two runs are not comparable, otherwise an empty string."""
    if a.cost is None or b.cost is None:
        return "not comparable: a run has no measured cost"
    if a.spec.device != b.spec.device:
        return f"not comparable: one ran on {a.spec.device}, the other on {b.spec.device}"
    if a.environment.machine != b.environment.machine:
        return f"not comparable: different machines ({a.environment.machine}; {b.environment.machine})"
    return ""


def machine(records: Sequence[Record]) -> str:
    """Return the name of the machine and device of the records; empty if there are several."""
    machines = {f"{record.environment.machine} · {record.spec.device}" for record in records}
    return machines.pop() if len(machines) == 1 else ""


def typical_cost(records: Sequence[Record]) -> Cost | None:
    """Return the cost of the median run by training peak, then time; None across machines.

    It is the cost of one real run and not a mixture, so its parts add up to its peak.
    """
    costs = [record.cost for record in records if record.cost is not None]
    if not costs or not machine(records):
        return None

    def size(cost: Cost) -> tuple[float, float]:
        phase = cost.phases.get("train") or cost.phases.get("evaluate")
        return (phase.peak_bytes, phase.seconds) if phase else (0.0, 0.0)

    return sorted(costs, key=size)[(len(costs) - 1) // 2]


def cost_obstacle(runs: Sequence[Record]) -> str:
    """Return the reason if memory and time of the runs are not comparable with each other, otherwise an empty string."""
    records = [record for record in runs if record.cost is not None and not record.spec.challenger]
    reasons = (machine_difference(records[0], record) for record in records[1:])
    return next((reason for reason in reasons if reason), "")
