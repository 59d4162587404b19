"""Batches of rows: how many go through the model at once, and their padded token ids."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import torch

from harness.model.tokenize import Pair

BATCH_ROWS = 128


def collate(rows: Sequence[Pair], padding: int, device: str) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return (input ids [rows, width], positions [N], labels [N]): each position predicts its label.

    The last target token is only predicted, never read. Positions are flat indices into the input ids.
    """
    inputs = [[*pair.prompt, *pair.target[:-1]] for pair in rows]
    width = max(map(len, inputs))
    ids = torch.tensor([row + [padding] * (width - len(row)) for row in inputs])
    positions = [
        line * width + len(pair.prompt) - 1 + offset
        for line, pair in enumerate(rows)
        for offset in range(len(pair.target))
    ]
    labels = [token for pair in rows for token in pair.target]
    return ids.to(device), torch.tensor(positions, device=device), torch.tensor(labels, device=device)


def make_batches(lengths: Sequence[int], tokens: int) -> list[list[int]]:
    """Return indices in batches of at most `BATCH_ROWS` rows and `tokens` tokens with padding, longest first."""
    batches: list[list[int]] = []
    width = 0
    for index in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        if batches and len(batches[-1]) < BATCH_ROWS and (len(batches[-1]) + 1) * width <= tokens:
            batches[-1].append(index)
        else:
            batches.append([index])
            width = lengths[index]
    return batches


def needed(
    batches: list[list[int]], only: Collection[int], examples_of: Callable[[int], Sequence[int]]
) -> list[list[int]]:
    """Return the batches with one of the examples in `only`, or all batches if it is empty; `examples_of` an index of a batch."""
    if not only:
        return batches
    return [batch for batch in batches if any(i in only for number in batch for i in examples_of(number))]
