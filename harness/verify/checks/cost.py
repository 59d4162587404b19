"""Is it told where a run was made, and can what it is said to have cost be true?

What must be in memory at the peak of training: all weights, the gradients and the optimizer's state; AdamW keeps two
numbers for each weight that trains (Loshchilov and Hutter 2019), in two bytes at the least.
"""

from __future__ import annotations

import dataclasses
import math

from harness.record import Cost, Record
from harness.verify.check import Check, check

DESCRIBED = "the environment is described"
ADDS_UP = "memory by part adds up to the peak"
SANE = "peaks hold what must be in memory"
NEEDED = ("torch", "transformers")
STATE_BYTES = 2 * 2  # of AdamW for each weight that trains: two numbers of two bytes


def of_run(record: Record) -> list[Check]:
    """Look at a run's environment and, where it was measured, at its cost."""
    found = [check(DESCRIBED, _undescribed(record))]
    if record.cost is None:
        return found + ([check(SANE, ["a finished run has no measured cost"])] if record.status == "ok" else [])
    return [*found, check(ADDS_UP, _sum_faults(record.cost)), check(SANE, _insane(record, record.cost))]


def _undescribed(record: Record) -> list[str]:
    e, cuda = record.environment, record.spec.device == "cuda"
    needed: dict[str, object] = {
        "python": e.python,
        "platform": e.platform,
        "machine": e.machine,
        "device": e.device_name,
    }
    needed |= {"threads": e.threads > 0, "memory": e.memory_bytes > 0, "commit": e.commit}
    needed |= {f"version of {name}": e.packages.get(name, "") for name in NEEDED}
    needed |= {"driver": e.driver, "allocator": e.allocator} if cuda else {}
    faults = [f"no {name}" for name, value in needed.items() if not value]
    if e.device_name and e.device_name not in e.machine:
        faults.append(f"the machine {e.machine!r} has no device {e.device_name!r}")
    return faults


def _sum_faults(cost: Cost) -> list[str]:
    train = cost.phases.get("train")
    if cost.parts is None or train is None:
        return []
    total = sum(dataclasses.astuple(cost.parts))
    return [] if total == train.peak_bytes else [f"the parts make {total:,} bytes and the peak is {train.peak_bytes:,}"]


def _insane(record: Record, cost: Cost) -> list[str]:
    faults = []
    for name, phase in cost.phases.items():
        if phase.peak_bytes < cost.weights_bytes and name in ("train", "evaluate"):
            faults.append(
                f"the peak of {name}, {phase.peak_bytes:,} bytes, is below the weights' {cost.weights_bytes:,}"
            )
        if record.spec.device == "cuda" and phase.reserved_bytes < phase.peak_bytes:
            faults.append(f"less is reserved in {name} than handed out")
        if not 0 <= phase.seconds < math.inf or phase.resident_bytes <= 0 or phase.tokens < 0:
            faults.append(f"{name} took no time that there is, or no memory")
    if record.status == "ok" and "evaluate" not in cost.phases:
        faults.append("the evaluation was not measured")
    if record.spec.train_examples and "train" not in cost.phases:
        faults.append("the training was not measured")
    if not cost.trained_weights >= 0 or (record.spec.train_examples and not cost.trained_weights):
        faults.append(f"{cost.trained_weights} weights trained")
    return faults + _training_faults(cost)


def _training_faults(cost: Cost) -> list[str]:
    train, parts = cost.phases.get("train"), cost.parts
    if train is None or parts is None:
        return []
    faults = [f"{f.name} is below nothing" for f in dataclasses.fields(parts) if getattr(parts, f.name) < 0]
    needed = parts.frozen_weights + parts.trained_weights + parts.gradients + parts.optimizer_state
    if train.peak_bytes < needed:
        faults.append(f"weights, gradients and optimizer state are {needed:,} bytes, the peak is {train.peak_bytes:,}")
    if parts.optimizer_state < STATE_BYTES * cost.trained_weights * 0.99:
        faults.append(
            f"{parts.optimizer_state:,} bytes of state are too few for {cost.trained_weights:,} trained weights"
        )
    return faults
