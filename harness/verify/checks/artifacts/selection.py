"""Faults of a choice of weights by validation loss: its steps are those of the settings, and the lowest was chosen."""

from __future__ import annotations

import math

from harness.record import Record
from harness.schedule import planned_steps, validation_steps

HIGHEST = 100.0  # nats per target token
EXAMPLES = 200  # at most


def faults(record: Record) -> list[str]:
    """Return how the choice of weights contradicts the settings or itself."""
    chosen, spec = record.selection, record.spec
    if record.status != "ok":
        return []
    if (chosen is not None) != bool(spec.validations):
        return [
            f"the settings state {spec.validations} measurements of validation loss, the record has {'some' if chosen else 'none'}"
        ]
    if chosen is None:
        return []
    results = []
    steps = chosen.steps[-1] if chosen.steps and spec.joined else planned_steps(spec.train_examples, spec)
    if chosen.steps != validation_steps(steps, spec.validations) or len(chosen.losses) != len(chosen.steps):
        results.append(f"{len(chosen.losses)} validation losses are of the steps {', '.join(map(str, chosen.steps))}")
    elif min(chosen.losses) < 0 or min(chosen.losses) > HIGHEST:
        results.append(f"validation losses from {min(chosen.losses):g} on")
    elif chosen.best != chosen.steps[chosen.losses.index(min(chosen.losses))]:
        results.append(
            f"the weights after step {chosen.best} were tested, and another step has the lowest validation loss"
        )
    if not 1 <= chosen.examples <= EXAMPLES or not 0 < chosen.seconds < math.inf:
        results.append(f"{chosen.examples} validation examples were read in {chosen.seconds} s")
    return results
