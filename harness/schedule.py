"""The plan of training in numbers: how many steps, and the learning rate of each. Training follows it, `verify` checks it."""

from __future__ import annotations

import math

from harness.record import RunSpec


def planned_steps(examples: int, spec: RunSpec) -> int:
    """Return the number of optimizer steps for a number of examples, over all epochs."""
    return max(1, round(spec.epochs * math.ceil(examples / spec.batch_size)))


def validation_steps(steps: int, count: int) -> tuple[int, ...]:
    """Return the steps, from 1, after which the validation loss is measured: evenly spaced, the last among them."""
    return tuple(sorted({max(1, round(steps * part / count)) for part in range(1, count + 1)}))


def rate_at(peak: float, warmup: float, step: int, steps: int) -> float:
    """Return the learning rate of step `step` (from 0) of `steps`.

    After a linear warm-up over the share `warmup` of the steps it follows a cosine that would reach zero one step after the
    last.
    """
    ramp = max(1, round(warmup * steps))
    if step < ramp:
        return peak * (step + 1) / ramp
    return peak * 0.5 * (1 + math.cos(math.pi * (step + 1 - ramp) / (steps + 1 - ramp)))
