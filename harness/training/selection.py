"""The choice of trained weights by validation loss, measured after some evenly spaced steps.

The loss is that of training, the mean nats per target token, over validation examples and without dropout. The weights with
the lowest are the result of training; of equal losses the first. Neither order, dropout nor schedule depends on it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from harness.model.batch import collate
from harness.model.loading import precision
from harness.model.logits import logits_at
from harness.model.tokenize import Pair
from harness.record import RunSpec, Selection
from harness.schedule import validation_steps


@dataclass
class Selector:
    """Measures the validation loss, and has the weights of its lowest so far.

    Attributes:
        pairs: the encoded validation examples.
        spec: gives precision, micro-batch and the number of measurements.
        steps: after which it was measured.
        losses: at these steps.
        seconds: that this took.
    """

    pairs: Sequence[Pair]
    spec: RunSpec
    steps: list[int] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    seconds: float = 0.0
    _weights: dict[str, torch.Tensor] = field(default_factory=dict)

    def measure(self, model: Any, step: int, steps: int, padding: int) -> None:
        """Measure the loss if it is due after this step of so many."""
        if step not in validation_steps(steps, self.spec.validations):
            return
        start = time.perf_counter()
        measured = loss(model, self.pairs, self.spec, padding)
        value = measured if math.isfinite(measured) else math.inf
        if value < min(self.losses, default=math.inf) or not self._weights:
            self._weights = {name: weight.cpu().clone() for name, weight in trained(model).items()}
        self.steps.append(step)
        self.losses.append(value)
        self.seconds += time.perf_counter() - start

    def choose(self, model: Any) -> None:
        """Write the weights of the lowest loss into the model."""
        write(model, self._weights)

    def result(self) -> Selection:
        """Return the losses and the step of the lowest, as the record has them."""
        best = self.steps[min(range(len(self.losses)), key=self.losses.__getitem__)]
        return Selection(tuple(self.steps), tuple(self.losses), best, len(self.pairs), self.seconds)

    def state(self) -> dict[str, Any]:
        """Return what another process needs to go on."""
        return {"steps": self.steps, "losses": self.losses, "seconds": self.seconds, "weights": self._weights}

    def resume(self, state: dict[str, Any]) -> None:
        """Go on from what another process measured."""
        self.steps, self.losses, self.seconds = list(state["steps"]), list(state["losses"]), state["seconds"]
        self._weights = state["weights"]


def loss(model: Any, pairs: Sequence[Pair], spec: RunSpec, padding: int) -> float:
    """Return the mean nats per target token over all pairs, without dropout; the model trains on afterwards."""
    ordered = sorted(pairs, key=len, reverse=True)
    total, targets = 0.0, sum(len(pair.target) for pair in pairs)
    shards = getattr(model, "shards", None)  # the processes over which it is divided, if it is
    starts = range(0, len(ordered), spec.micro_batch)
    chunks = [(ordered[start : start + spec.micro_batch], targets) for start in starts]
    model.eval()
    with torch.no_grad(), precision(spec):
        for rows, divisor in shards.chunks(ordered, spec.micro_batch, targets) if shards else chunks:
            ids, positions, labels = collate(rows, padding, spec.device)
            logits = logits_at(model, positions, input_ids=ids, use_cache=False)
            value = torch.nn.functional.cross_entropy(logits.float(), labels, reduction="sum").item()
            total += value if math.isfinite(divisor) else 0.0  # another's row counts as zero
    if shards:
        shards.release(model)
        total = shards.total(torch.tensor(total, dtype=torch.float64, device=spec.device)).item()
    model.train()
    return total / targets


def trained(model: Any) -> dict[str, torch.Tensor]:
    """Return the trained weights by name, not copied; those of a divided model are this process's shards."""
    weights = {name: weight.detach() for name, weight in model.named_parameters() if weight.requires_grad}
    return {name: weight.to_local() if hasattr(weight, "to_local") else weight for name, weight in weights.items()}


def write(model: Any, weights: dict[str, torch.Tensor]) -> None:
    """Write weights from `trained` into the model."""
    with torch.no_grad():
        for name, weight in trained(model).items():
            weight.copy_(weights[name])
