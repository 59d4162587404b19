"""Intruder dimensions (Shuttleworth et al. 2024, arXiv:2410.21228): directions of a tuned weight that its base lacks.

A left singular vector among the k largest of a tuned weight is an intruder if its |cosine| with every left singular vector
of the base weight is below epsilon. The paper finds intruders in LoRA, hardly any in full fine-tuning, and links them
to forgetting.

The base's vectors are the min(outputs, inputs) of its thin decomposition, because their completion to a basis is
arbitrary. Singular vectors of almost equal values rotate into each other at the smallest change. This is a weakness of
the definition: read the count together with the norm of the change.
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
FULL_DECOMPOSITION = 1024  # smaller side of a weight; up to it a full decomposition is faster than a truncated one


@dataclass(frozen=True)
class WeightSpectrum:
    """The spectrum of a tuned weight beside its base weight.

    `cosines` has a number for each of the largest left singular vectors of the tuned weight, largest first: its largest
    |cosine| with a left singular vector of the base weight. The count for any epsilon follows from it. `values` are the
    vectors' singular values. `effective_rank` is the number of singular values with 90 % of the change's energy. Norms
    are Frobenius norms.
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
        """Return the number of intruders among the vectors."""
        return sum(cosine < epsilon for cosine in self.cosines)


def count(matrices: Iterable[WeightSpectrum], epsilon: float) -> int:
    """Return the number of intruders in all weights."""
    return sum(matrix.intruders(epsilon) for matrix in matrices)


def by_kind(matrices: Sequence[WeightSpectrum], epsilon: float) -> Mapping[str, int]:
    """Return the number of intruders by type of weight, in the model's order."""
    kinds = dict.fromkeys(matrix.kind for matrix in matrices)
    return {kind: count((m for m in matrices if m.kind == kind), epsilon) for kind in kinds}


def relative_change(matrices: Sequence[WeightSpectrum]) -> float:
    """Return the norm of the change of all weights divided by the base's; NaN for a base of zeros."""
    base = math.hypot(*(matrix.base_norm for matrix in matrices))
    return math.hypot(*(matrix.change_norm for matrix in matrices)) / base if base else math.nan


def median_rank(matrices: Sequence[WeightSpectrum]) -> float:
    """Return the median of the changes' effective ranks."""
    return statistics.median(matrix.effective_rank for matrix in matrices)


class BaseVectors:
    """Left singular vectors of base weights, decomposed once for all runs that start from the same numbers.

    The cache key is a weight's content, not the model's name, because a method may load a model in another precision.
    The vectors take as much memory as the model in fp32; the cache is off if `keep` is false.
    """

    def __init__(self, *, keep: bool) -> None:
        self._keep = keep
        self._cache: dict[str, torch.Tensor] = {}
        self.decomposed = 0

    def left(self, weight: torch.Tensor) -> torch.Tensor:
        """Return the left singular vectors of [outputs, inputs] as [outputs, min(outputs, inputs)]."""
        key = hashlib.sha256(repr(weight.shape).encode() + weight.contiguous().numpy().tobytes()).hexdigest()
        if key in self._cache:
            return self._cache[key].double()
        self.decomposed += 1
        vectors: torch.Tensor = torch.linalg.svd(weight, full_matrices=False).U
        if self._keep:
            self._cache[key] = vectors.float()
        return vectors


def largest(
    weight: torch.Tensor, count: int, *, truncated: bool | None = None
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the largest singular values of [m, n], largest first, with their vectors: ([m, c], [c], [c, n]).

    There are fewer than `count` if the weight's rank is lower, because vectors of a singular value of zero are arbitrary.

    Args:
        weight: the weight, in double precision.
        count: the number of singular values.
        truncated: compute no others (ARPACK in scipy); None decides by the weight's size.
    """
    small = min(weight.shape)
    if truncated is None:
        truncated = small > FULL_DECOMPOSITION
    if truncated and count < small:
        import numpy
        from scipy.sparse.linalg import svds

        start = numpy.random.default_rng(0).standard_normal(small)
        factors = svds(weight.numpy(), k=count, v0=start)
        left, values, right = (torch.from_numpy(part.copy()) for part in factors)  # views in reverse order
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
    """Return the least number of singular values with a share `energy` of the squared sum; 0 if nothing changed."""
    squares = torch.linalg.svdvals(change).square()
    total = squares.sum()
    if total == 0:
        return 0
    # The last sum can be below the total by a rounding error.
    return min(len(squares), int((squares.cumsum(0) < energy * total).sum()) + 1)


def weight_spectrum(change: Change, bases: BaseVectors, top: int = TOP) -> WeightSpectrum:
    """Return the spectrum of a tuned weight beside its base weight.

    Args:
        change: the weight before and after.
        bases: the decompositions of base weights.
        top: the number of largest singular vectors to examine.
    """
    left, values, _ = largest(change.after, top)
    difference = change.after - change.before
    return WeightSpectrum(
        name=change.name,
        kind=change.kind,
        outputs=change.after.shape[0],
        inputs=change.after.shape[1],
        cosines=tuple(cosines(bases.left(change.before), left).tolist()),
        values=tuple(values.tolist()),
        effective_rank=effective_rank(difference),
        change_norm=difference.norm().item(),
        base_norm=change.before.norm().item(),
    )


def scaled(
    change: Change, bases: BaseVectors, factor: float, *, epsilon: float = EPSILON, top: int = TOP
) -> torch.Tensor:
    """Return the tuned weight with its intruders scaled: W + (factor - 1) times the sum of their s u v^T.

    This is the paper's causal test: the model with scaled intruders answers the questions of its task and other questions.

    Args:
        change: the weight before and after; the weight after is W.
        bases: the decompositions of base weights.
        factor: 1 changes nothing, 0 removes the intruders.
        epsilon: the bound on |cosine|.
        top: the number of largest singular vectors to examine.
    """
    left, values, right = largest(change.after, top)
    mask = cosines(bases.left(change.before), left) < epsilon
    return change.after + (factor - 1) * (left[:, mask] * values[mask]) @ right[mask]
