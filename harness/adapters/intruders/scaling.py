"""Intruder directions scaled inside a model that is asked questions, and a control that is scaled alike.

The causal test of Shuttleworth et al. (2024, arXiv:2410.21228): W + (factor - 1) times the sum of s u v^T over the
intruders of each tuned weight W. The sum is added to what the layer gives out, at its rank and in fp32: the model's own
weights stay as they are, packed ones too, so that nothing is rounded anew and a factor of 1 changes no digit.

The control of a weight are as many of its largest directions that are no intruders: what scaling does to any large
direction. They are not of the same size; `Directions.energy` says how much of the weight each holds.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from harness.adapters.intruders import EPSILON, TOP, spectrum
from harness.adapters.intruders.spectrum import Bases
from harness.adapters.intruders.weights import Change


@dataclass(frozen=True)
class Directions:
    """Some singular directions of a tuned weight: `left` [outputs, c], `values` [c], `right` [c, inputs].

    `whole` is the square of the weight's Frobenius norm.
    """

    name: str
    left: torch.Tensor
    values: torch.Tensor
    right: torch.Tensor
    whole: float

    @property
    def count(self) -> int:
        """How many they are."""
        return len(self.values)

    @property
    def energy(self) -> float:
        """The sum of their squared singular values."""
        return float(self.values.square().sum())

    def added(self, factor: float) -> torch.Tensor:
        """What scaling them adds to the weight [outputs, inputs]."""
        return (factor - 1) * (self.left * self.values) @ self.right


def pick(change: Change, bases: Bases, *, epsilon: float = EPSILON, top: int = TOP) -> tuple[Directions, Directions]:
    """Return the intruders among the `top` largest directions of a tuned weight, and their control.

    The control has fewer where the weight has no more directions that are no intruders.
    """
    base_left, side = bases.left(change.before), min(change.after.shape)
    looked = min(top, side)
    while True:
        left, values, right = spectrum.largest(change.after, looked)
        new = spectrum.cosines(base_left, left) < epsilon
        own = new[:top].nonzero().flatten()
        others = (~new).nonzero().flatten()[: len(own)]
        if len(others) == len(own) or looked == side:
            break
        looked = min(2 * looked, side)
    whole = float(change.after.square().sum())
    made = [Directions(change.name, left[:, at], values[at], right[at], whole) for at in (own, others)]
    return made[0], made[1]


def share(directions: Sequence[Directions]) -> float:
    """Return the share of the squared norm of all these weights that the directions hold; 0 for weights of zeros."""
    whole = sum(one.whole for one in directions)
    return sum(one.energy for one in directions) / whole if whole else 0.0


@contextlib.contextmanager
def scaled(model: Any, directions: Sequence[Directions], factor: float) -> Iterator[None]:
    """Scale directions of a model's weights for as long as the context lasts.

    Args:
        model: with its adapter, if it has one; the weights are found by their names in the model beneath it.
        directions: of as many weights as are to be changed.
        factor: 1 leaves the model as it is, 0 takes the directions out.
    """
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    hooks = [
        inner.get_submodule(one.name).register_forward_hook(_adding(one, factor)) for one in directions if one.count
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _adding(one: Directions, factor: float) -> Callable[[Any, Any, torch.Tensor], torch.Tensor]:
    right, left = one.right.T.float(), ((factor - 1) * one.left * one.values).T.float()
    held: dict[torch.device, tuple[torch.Tensor, torch.Tensor]] = {}  # moved to the layer's device once

    def hook(layer: Any, given: Any, out: torch.Tensor) -> torch.Tensor:
        first, second = held.setdefault(out.device, (right.to(out.device), left.to(out.device)))
        with torch.autocast(out.device.type, enabled=False):
            changed: torch.Tensor = out.float() + given[0].float() @ first @ second
        return changed.to(out.dtype)

    return hook
