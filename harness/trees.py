"""Texts with a beginning in common, read in one row: the beginning once, the rest of each behind it side by side.

Each branch attends to the beginning and to itself, and its positions continue the beginning's, so that the numbers are those
of beginning + branch read alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch

PADDING = 0  # any token: padding is never attended to


class Layout(NamedTuple):
    """Rows of one batch, padded on the right: token ids, positions and branches [rows, width].

    A branch is 0 for the beginning, 1 and on for what stands behind it, -1 for padding. `spans` has the first and the
    past-the-last column of each branch, row by row.
    """

    ids: torch.Tensor
    places: torch.Tensor
    branches: torch.Tensor
    spans: list[list[tuple[int, int]]]


def lay_out(rows: Sequence[tuple[Sequence[int], Sequence[Sequence[int]]]]) -> Layout:
    """Lay out a row for each beginning and its branches, on the processor."""
    width = max(len(beginning) + sum(map(len, rest)) for beginning, rest in rows)
    ids = torch.full((len(rows), width), PADDING)
    places = torch.arange(width).repeat(len(rows), 1)
    branches = torch.full((len(rows), width), -1)
    spans: list[list[tuple[int, int]]] = []
    for line, (beginning, rest) in enumerate(rows):
        start = len(beginning)
        ids[line, :start] = torch.tensor(beginning, dtype=torch.long)
        branches[line, :start] = 0
        found = []
        for branch, tokens in enumerate(rest, start=1):
            end = start + len(tokens)
            ids[line, start:end] = torch.tensor(tokens, dtype=torch.long)
            places[line, start:end] = torch.arange(len(tokens)) + len(beginning)
            branches[line, start:end] = branch
            found.append((start, end))
            start = end
        spans.append(found)
    return Layout(ids, places, branches, spans)


def mask(branches: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Return the additive mask [rows, 1, width, width]: 0 where a token may look, the lowest number elsewhere.

    Args:
        branches: as in `Layout`.
        dtype: that the model computes in.
    """
    width = branches.shape[1]
    causal = torch.ones((width, width), dtype=torch.bool, device=branches.device).tril()
    same = (branches[:, None, :] == 0) | (branches[:, None, :] == branches[:, :, None])
    found = torch.full((len(branches), 1, width, width), torch.finfo(dtype).min, dtype=dtype, device=branches.device)
    return found.masked_fill_((same & causal)[:, None], 0.0)
