"""Texts in progress, a row each: their cache of keys and values, to which rows are added, and from which they are removed.

The last token of every text stands in the last column, so the rows grow together. A row that joins is moved to the right
edge; the columns in front of it are masked, as those of any shorter text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from harness.model.kv_cache import roomy_layer
from harness.model.logits import logits_at
from harness.model.prefill import Prefill


@dataclass
class RowCache:
    """The cache of rows of text, their mask [rows, width], and each text's length [rows]."""

    cache: Any
    mask: torch.Tensor
    lengths: torch.Tensor

    @classmethod
    def of(cls, prefill: Prefill) -> RowCache:
        """Return the cache after the reading of prompts."""
        return cls(prefill.cache, prefill.mask, prefill.lengths)

    def append(self, model: Any, tokens: torch.Tensor) -> torch.Tensor:
        """Append a token to each text, [rows]; return the logits of the next ones, [rows, vocabulary]."""
        self.mask = torch.cat([self.mask, self.mask.new_ones((len(self.mask), 1))], dim=1)
        logits = logits_at(
            model,
            torch.arange(len(tokens), device=tokens.device),
            input_ids=tokens[:, None],
            attention_mask=self.mask,
            position_ids=self.lengths[:, None],
            past_key_values=self.cache,
            use_cache=True,
        )
        self.lengths = self.lengths + 1
        return logits

    def select(self, lines: Sequence[int]) -> None:
        """Remove all rows but these, and the columns that no row needs any more if the cache is `joinable`."""
        index = torch.tensor(lines, device=self.mask.device)
        self.cache.batch_select_indices(index)
        self.mask, self.lengths = self.mask[index], self.lengths[index]
        spare = self.mask.shape[1] - int(self.lengths.max())
        if spare and joinable(self.cache):
            self.mask = self.mask[:, spare:]
            for layer in self.cache.layers:
                _replace(layer, layer.keys, layer.values, self.mask.shape[1])

    def join(self, other: RowCache, order: Sequence[int]) -> None:
        """Add rows of another cache: line i becomes row `order[i]`, counted over this cache's rows and then the other's.

        Rows that are not in `order` are removed.

        Raises:
            ValueError: the cache is not `joinable`.
        """
        if not joinable(self.cache):
            raise ValueError("rows cannot join a cache with other layers than keys and values")
        device, count = self.mask.device, len(self.mask)
        moves = []
        for start, end in ((0, count), (count, count + len(other.mask))):
            lines = [line for line, row in enumerate(order) if start <= row < end]
            rows = [order[line] - start for line in lines]
            moves.append((torch.tensor(lines, dtype=torch.long), torch.tensor(rows, dtype=torch.long)))
        self.lengths = torch.cat([self.lengths, other.lengths])[torch.tensor(order, device=device)]
        width = int(self.lengths.max())
        self.mask = (torch.arange(width, device=device) >= width - self.lengths[:, None]).to(self.mask.dtype)
        for layer, addition in zip(self.cache.layers, other.cache.layers, strict=True):
            window = getattr(layer, "sliding_window", None)
            size = min(width, window - 1) if window else width
            keys = _merged((layer.keys, addition.keys), moves, size)
            values = _merged((layer.values, addition.values), moves, size)
            _replace(layer, keys, values, width)


def joinable(cache: Any) -> bool:
    """Return whether rows may join and leave: all layers are plain keys and values, of all tokens or of the last ones."""
    from transformers.cache_utils import DynamicSlidingWindowLayer

    return all(isinstance(layer, roomy_layer()) or type(layer) is DynamicSlidingWindowLayer for layer in cache.layers)


def _merged(
    parts: Sequence[torch.Tensor], moves: Sequence[tuple[torch.Tensor, torch.Tensor]], width: int
) -> torch.Tensor:
    """Return rows of tensors [rows, heads, length, size] on the right of `width` columns; a move is (lines, rows)."""
    rows, (_, heads, _, size) = sum(len(lines) for lines, _ in moves), parts[0].shape
    store = parts[0].new_zeros((rows, heads, width, size))
    for part, (lines, sources) in zip(parts, moves, strict=True):
        lines, sources = lines.to(part.device), sources.to(part.device)
        part = part[:, :, max(0, part.shape[2] - width) :]
        store[lines, :, width - part.shape[2] :] = part[sources].to(store.dtype)
    return store


def _replace(layer: Any, keys: torch.Tensor, values: torch.Tensor, width: int) -> None:
    """Make these the keys and values of a layer for a text of `width` columns; older columns are cut off."""
    spare = max(0, keys.shape[2] - width)
    layer.keys, layer.values = keys[:, :, spare:], values[:, :, spare:]
    if isinstance(layer, roomy_layer()):
        layer.stores = layer.keys, layer.values
    else:
        layer.cumulative_length = width
