"""Merges that drop entries of the changes of weights: pruned, TIES and DARE, each compared with PEFT's."""

from __future__ import annotations

from collections.abc import Sequence

import torch


def prune(deltas: torch.Tensor, density: float) -> torch.Tensor:
    """Return each change [n, outputs, inputs] with a share `density` of its entries, the largest, and zeros otherwise.

    Each matrix is trimmed separately, as in PEFT; the TIES paper trims over all weights of a model together.
    PEFT's `magnitude_prune` trims A and B instead; a product of trimmed factors is not the trimmed product. The trimming
    equals that of `peft.utils.merge_utils`, but the number of entries is rounded to the nearest, not down.
    """
    count = max(1, round(density * deltas[0].numel()))
    flat = deltas.flatten(1)
    indices = flat.abs().topk(count, dim=1).indices
    return torch.zeros_like(flat).scatter(1, indices, flat.gather(1, indices)).view_as(deltas)


def ties(deltas: torch.Tensor, weights: Sequence[float], density: float) -> torch.Tensor:
    """Return the TIES merge of several changes (Yadav et al. 2023, arXiv:2306.01708), with lambda = 1.

    Each change is trimmed (see `prune`). For each entry the sign of the larger sum is elected, and the result is the mean
    of the changes with this sign. Weights (the paper has none) count in the election and in the mean: only their ratios
    matter, and a negative weight inverts its change. PEFT's `ties` works on A and on B. Its `ties_svd` works on the
    product; its weights count neither in the election nor in the mean's divisor. With weights of 1 both are equal except
    for an exact tie: this function elects no sign, PEFT the positive one.
    """
    parts = torch.tensor(weights, dtype=deltas.dtype)[:, None, None]
    scaled = prune(deltas, density) * parts
    agree = scaled.sign() == scaled.sum(dim=0).sign()
    agree &= scaled != 0
    mass = (agree * parts.abs()).sum(dim=0)
    return (scaled * agree).sum(dim=0) / torch.where(mass > 0, mass, 1.0)


def dare(deltas: torch.Tensor, density: float, generator: torch.Generator) -> torch.Tensor:
    """Return each change with random entries dropped, and a share `density` preserved and divided by it.

    DARE (Yu et al. 2024, arXiv:2311.03099) has the drop rate 1 - density: the expectation of each entry is unchanged.
    PEFT's `dare_linear` and `dare_ties` drop entries of A and of B. Each of them removes a term from an entire row or
    column of the product, and the mixed products of several adapters remain. `peft.utils.merge_utils` drops the same
    entries after the same seed; it draws from torch's global generator.
    """
    mask = torch.rand(deltas.shape, generator=generator) < density
    return deltas * mask / density
