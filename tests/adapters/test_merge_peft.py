"""Pruning, TIES and DARE of changes are those of PEFT's `merge_utils`: same inputs, same density, same seed."""

from __future__ import annotations

import pytest
import torch
from peft.utils import merge_utils

from harness.adapters import merge, sparse

SHAPES = [(2, 8, 5), (3, 40, 20)]
DENSITIES = [0.1, 0.25, 0.5, 0.9, 1.0]  # shares of whole numbers of entries: PEFT rounds others down
WEIGHTS = [1.0, -0.4, 2.5]


def changes(shape: tuple[int, int, int]) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(3))


@pytest.mark.filterwarnings("ignore:The density")
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("density", DENSITIES)
def test_pruning_keeps_the_entries_that_peft_keeps(shape: tuple[int, int, int], density: float) -> None:
    deltas, weights = changes(shape), WEIGHTS[: shape[0]]
    theirs = torch.stack([merge_utils.prune(delta, density, "magnitude") for delta in deltas])
    assert torch.equal(sparse.prune(deltas, density), theirs)
    merged = merge.combine(deltas, "prune", weights, density=density, generator=torch.Generator())
    torch.testing.assert_close(merged, merge_utils.magnitude_prune(list(deltas), torch.tensor(weights), density))


@pytest.mark.filterwarnings("ignore:The density")
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("density", DENSITIES)
def test_ties_of_changes_that_weigh_alike_is_that_of_peft(shape: tuple[int, int, int], density: float) -> None:
    deltas = changes(shape)
    theirs = merge_utils.ties(list(deltas), torch.ones(len(deltas)), density)
    torch.testing.assert_close(sparse.ties(deltas, [1.0] * len(deltas), density), theirs)


@pytest.mark.filterwarnings("ignore:The density")
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("density", [*DENSITIES, 1 / 3])
@pytest.mark.parametrize("seed", [0, 17])
def test_dare_drops_what_peft_drops_from_the_same_seed(shape: tuple[int, int, int], density: float, seed: int) -> None:
    deltas, weights = changes(shape), WEIGHTS[: shape[0]]
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        theirs = torch.stack([merge_utils.prune(delta, density, "random", rescale=True) for delta in deltas])
        torch.manual_seed(seed)
        their_sum = merge_utils.dare_linear(list(deltas), torch.tensor(weights), density)
    assert torch.equal(sparse.dare(deltas, density, torch.Generator().manual_seed(seed)), theirs)
    generator = torch.Generator().manual_seed(seed)
    torch.testing.assert_close(merge.combine(deltas, "dare", weights, density=density, generator=generator), their_sum)


def test_pefts_pruning_rounds_down_and_may_leave_nothing() -> None:
    """Why it is not called: stored merges round to the nearest number of entries, and keep one at least."""
    delta = changes((1, 3, 3))
    assert sparse.prune(delta, 0.3).count_nonzero() == 3
    assert merge_utils.prune(delta[0], 0.3, "magnitude").count_nonzero() == 2
    assert sparse.prune(delta, 0.1).count_nonzero() == 1
    assert merge_utils.prune(delta[0], 0.1, "magnitude").count_nonzero() == 0


@pytest.mark.filterwarnings("ignore:The density")
def test_weights_have_a_vote_and_divide_the_mean_here_and_not_in_pefts_ties() -> None:
    """Why it is not called: three parts of the first change win the vote, and the mean is of four parts."""
    deltas = torch.tensor([[[1.0, 4.0]], [[-2.0, 2.0]]])
    assert sparse.ties(deltas, [3.0, 1.0], 1.0).tolist() == [[1.0, 3.5]]
    assert merge_utils.ties(list(deltas), torch.tensor([3.0, 1.0]), 1.0).tolist() == [[-2.0, 7.0]]
