"""Scales intruder directions, or control directions, inside a model while it answers questions.

The causal test of Shuttleworth et al. (2024, arXiv:2410.21228): W + (factor - 1) times the sum of s u v^T over the
intruders of each tuned weight W. The sum is added to the layer's output, at its rank and in fp32. The model's weights,
packed ones too, are unchanged, so nothing is rounded again and a factor of 1 changes no digit.

The control of a weight are as many of its largest other directions. It shows the effect of scaling any large direction.
Control and intruders differ in size; `Directions.energy` is the share of the weight in each.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from harness.adapters.intruders import EPSILON, TOP, spectrum
from harness.adapters.intruders.spectrum import BaseVectors
from harness.adapters.intruders.weights import Change


@dataclass(frozen=True)
class Directions:
    """Singular directions of a tuned weight: `left` [outputs, c], `values` [c], `right` [c, inputs].

    `squared_norm` is the square of the weight's Frobenius norm.
    """

    name: str
    left: torch.Tensor
    values: torch.Tensor
    right: torch.Tensor
    squared_norm: float

    @property
    def count(self) -> int:
        """The number of directions."""
        return len(self.values)

    @property
    def energy(self) -> float:
        """The sum of their squared singular values."""
        return float(self.values.square().sum())

    def change(self, factor: float) -> torch.Tensor:
        """Return the change of the weight [outputs, inputs] by scaling the directions."""
        return (factor - 1) * (self.left * self.values) @ self.right


def intruders_and_control(
    change: Change, bases: BaseVectors, *, epsilon: float = EPSILON, top: int = TOP
) -> tuple[Directions, Directions]:
    """Return the intruders among the `top` largest directions of a tuned weight, and their control.

    The control has fewer directions if the weight has no more.
    """
    base_left, side = bases.left(change.before), min(change.after.shape)
    count = min(top, side)
    while True:
        left, values, right = spectrum.largest(change.after, count)
        is_intruder = spectrum.cosines(base_left, left) < epsilon
        intruders = is_intruder[:top].nonzero().flatten()
        control = (~is_intruder).nonzero().flatten()[: len(intruders)]
        if len(control) == len(intruders) or count == side:
            break
        count = min(2 * count, side)
    squared_norm = float(change.after.square().sum())

    def directions(index: torch.Tensor) -> Directions:
        return Directions(change.name, left[:, index], values[index], right[index], squared_norm)

    return directions(intruders), directions(control)


def norm_share(directions: Sequence[Directions]) -> float:
    """Return the directions' share of the squared norm of their weights; 0 for weights of zeros."""
    total = sum(part.squared_norm for part in directions)
    return sum(part.energy for part in directions) / total if total else 0.0


@contextlib.contextmanager
def scaled(model: Any, directions: Sequence[Directions], factor: float) -> Iterator[None]:
    """Scale directions of a model's weights inside the context.

    Args:
        model: the model, with or without an adapter; weights have their names in the base model.
        directions: the directions of each weight to change.
        factor: 1 changes nothing, 0 removes the directions.
    """
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    hooks = [
        inner.get_submodule(part.name).register_forward_hook(_change_hook(part, factor))
        for part in directions
        if part.count
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _change_hook(part: Directions, factor: float) -> Callable[[Any, Any, torch.Tensor], torch.Tensor]:
    right, left = part.right.T.float(), ((factor - 1) * part.left * part.values).T.float()
    by_device: dict[torch.device, tuple[torch.Tensor, torch.Tensor]] = {}

    def hook(layer: Any, inputs: Any, out: torch.Tensor) -> torch.Tensor:
        first, second = by_device.setdefault(out.device, (right.to(out.device), left.to(out.device)))
        with torch.autocast(out.device.type, enabled=False):
            changed: torch.Tensor = out.float() + inputs[0].float() @ first @ second
        return changed.to(out.dtype)

    return hook
