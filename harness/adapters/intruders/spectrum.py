"""Intruder dimensions (Shuttleworth et al. 2024, arXiv:2410.21228): directions of a tuned weight that its base has not.

Of the k largest left singular vectors of a tuned weight, those are intruders whose |cosine| with every left singular vector
of the base weight is below epsilon. The paper finds them in LoRA and hardly in full fine-tuning, and ties them to
forgetting.

The base's vectors are those of its thin decomposition: min(outputs, inputs) of them, since what completes them to a basis
is arbitrary. Singular vectors of almost equal values turn into each other at the smallest change, which is the
definition's own weakness: look at the norm of the change beside the count.
"""

from __future__ import annotations

import hashlib
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch

from harness.adapters.intruders import EPSILON, TOP
from harness.adapters.intruders.weights import Change

EPSILONS = tuple(tenths / 10 for tenths in range(3, 10))
ENERGY = 0.9  # of the squared singular values, for the effective rank
SMALL = 1024  # up to this smaller side a whole decomposition is faster than a truncated one


@dataclass(frozen=True)
class Matrix:
    """What was found in one weight.

    `cosines` holds, for each of the largest left singular vectors of the tuned weight, largest first, the largest
    |cosine| with a left singular vector of the base weight: the count for any epsilon follows. `values` are their
    singular values. `effective_rank` is how many singular values hold 90 % of the change's energy. Norms are Frobenius'.
    """

    name: str
    kind: str
    outputs: int
    inputs: int
    cosines: tuple[float, ...]
    values: tuple[float, ...]
    effective_rank: int
    change_norm: float
    base_norm: float

    def intruders(self, epsilon: float) -> int:
        """How many of the vectors are intruders."""
        return sum(cosine < epsilon for cosine in self.cosines)


def count(matrices: Iterable[Matrix], epsilon: float) -> int:
    """Return the intruders of all these weights."""
    return sum(matrix.intruders(epsilon) for matrix in matrices)


def by_kind(matrices: Sequence[Matrix], epsilon: float) -> Mapping[str, int]:
    """Return the intruders of each type of weight, in the model's order."""
    kinds = dict.fromkeys(matrix.kind for matrix in matrices)
    return {kind: count((m for m in matrices if m.kind == kind), epsilon) for kind in kinds}


def relative_change(matrices: Sequence[Matrix]) -> float:
    """Return the norm of the change of all weights together over the base's; NaN for a base of zeros."""
    base = math.hypot(*(matrix.base_norm for matrix in matrices))
    return math.hypot(*(matrix.change_norm for matrix in matrices)) / base if base else math.nan


def median_rank(matrices: Sequence[Matrix]) -> float:
    """Return the median of the changes' effective ranks."""
    return statistics.median(matrix.effective_rank for matrix in matrices)


class Bases:
    """Left singular vectors of base weights, decomposed once for all runs that start from the same numbers.

    They are found by the weight's content and not by the model's name, since a method may keep the weights of one model
    in another precision. They take as much memory as the model in fp32; with `keep` false none is kept.
    """

    def __init__(self, *, keep: bool) -> None:
        self._keep = keep
        self._known: dict[str, torch.Tensor] = {}
        self.decomposed = 0

    def left(self, weight: torch.Tensor) -> torch.Tensor:
        """Return the left singular vectors of [outputs, inputs] as [outputs, min(outputs, inputs)]."""
        key = hashlib.sha256(repr(weight.shape).encode() + weight.contiguous().numpy().tobytes()).hexdigest()
        if key in self._known:
            return self._known[key].double()
        self.decomposed += 1
        found: torch.Tensor = torch.linalg.svd(weight, full_matrices=False).U
        if self._keep:
            self._known[key] = found.float()
        return found


def largest(
    weight: torch.Tensor, count: int, *, truncated: bool | None = None
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the largest singular values of [m, n], largest first, with their vectors: ([m, c], [c], [c, n]).

    There are fewer than `count` where the weight's rank is lower: the vectors of a singular value of zero are arbitrary.

    Args:
        weight: in double precision.
        count: how many.
        truncated: find no others (ARPACK by way of scipy); None decides by the weight's size.
    """
    small = min(weight.shape)
    if truncated is None:
        truncated = small > SMALL
    if truncated and count < small:
        import numpy
        from scipy.sparse.linalg import svds

        start = numpy.random.default_rng(0).standard_normal(small)
        found = svds(weight.numpy(), k=count, v0=start)
        left, values, right = (torch.from_numpy(part.copy()) for part in found)  # they come as views, back to front
        order = values.argsort(descending=True)
        left, values, right = left[:, order], values[order], right[order]
    else:
        left, values, right = torch.linalg.svd(weight, full_matrices=False)
    floor = values[0] * max(weight.shape) * torch.finfo(weight.dtype).eps
    real = min(count, int((values > floor).sum()))
    return left[:, :real], values[:real], right[:real]


def cosines(base_left: torch.Tensor, left: torch.Tensor) -> torch.Tensor:
    """Return for each column of `left` [m, c] the largest |cosine| with a column of `base_left` [m, b]: [c]."""
    return (base_left.T @ left).abs().amax(0).clamp(max=1.0)


def effective_rank(change: torch.Tensor, energy: float = ENERGY) -> int:
    """Return the fewest singular values whose squares add up to this share of all; 0 where nothing changed."""
    squares = torch.linalg.svdvals(change).square()
    total = squares.sum()
    if total == 0:
        return 0
    # The last sum can fall short of the total by a rounding.
    return min(len(squares), int((squares.cumsum(0) < energy * total).sum()) + 1)


def examine(change: Change, bases: Bases, top: int = TOP) -> Matrix:
    """Return what one tuned weight holds that its base did not.

    Args:
        change: the weight before and after.
        bases: decomposes the weight before.
        top: how many of the largest singular vectors are looked at.
    """
    left, values, _ = largest(change.after, top)
    moved = change.after - change.before
    return Matrix(
        name=change.name,
        kind=change.kind,
        outputs=change.after.shape[0],
        inputs=change.after.shape[1],
        cosines=tuple(cosines(bases.left(change.before), left).tolist()),
        values=tuple(values.tolist()),
        effective_rank=effective_rank(moved),
        change_norm=moved.norm().item(),
        base_norm=change.before.norm().item(),
    )


def scaled(change: Change, bases: Bases, factor: float, *, epsilon: float = EPSILON, top: int = TOP) -> torch.Tensor:
    """Return the tuned weight with its intruders scaled: W + (factor - 1) times the sum of their s u v^T.

    The paper's causal test: a model whose intruders are scaled down is asked again what it was tuned for and what it knew.

    Args:
        change: the weight before and after; the weight after is W.
        bases: decomposes the weight before.
        factor: 1 leaves the weight as it is, 0 takes the intruders out.
        epsilon: the bound on |cosine|.
        top: how many of the largest singular vectors are looked at.
    """
    left, values, right = largest(change.after, top)
    found = cosines(bases.left(change.before), left) < epsilon
    return change.after + (factor - 1) * (left[:, found] * values[found]) @ right[found]
