"""A cache of keys and values with room to grow, in transformers' form: what generation keeps of the text so far."""

from __future__ import annotations

import functools
from typing import Any

import torch

ROOM = 32  # tokens of a cache taken ahead


@functools.cache
def _roomy_layer() -> Any:
    from transformers.cache_utils import DynamicLayer

    class RoomyLayer(DynamicLayer):  # type: ignore[misc]
        """Keys and values of one layer, [rows, heads, length, head width]: the beginning of stores that have room behind.

        The plain layer copies all keys and values of the text so far to add one token. This one writes into room that it has
        taken ahead, and keeps keys in the precision of the values: rotary positions leave them in fp32 where the residual
        stream is, and every step would cast all of them again.
        """

        keys: Any
        values: Any
        stores: tuple[torch.Tensor, torch.Tensor]

        def update(self, keys: Any, values: Any, *args: Any, **options: Any) -> tuple[Any, Any]:
            """Add the keys and values of the next tokens; return all."""
            if not self.is_initialized:
                self._begin(keys[:, :, :0].to(values.dtype), values[:, :, :0], 0)
            key_store, self.keys = _append(self.stores[0], self.keys, keys)
            value_store, self.values = _append(self.stores[1], self.values, values)
            self.stores = key_store, value_store
            return self.keys, self.values

        def lay(self, found: Any, rows: int, members: torch.Tensor, sources: torch.Tensor) -> None:
            """Take over keys and values from another layer, which is emptied: never two caches of all prompts at once.

            Args:
                found: [other rows, heads, other length, head width].
                rows: of this layer when all is laid.
                members: [N], the rows to be filled.
                sources: [N, length], for each place of theirs the one in `found`, counted over its rows x length.
            """
            width = sources.shape[1]
            parts = found.keys, found.values
            found.keys = found.values = None
            found.stores = ()  # type: ignore[assignment]
            if not self.is_initialized:
                sizes = [(rows, part.shape[1], width + ROOM, part.shape[3]) for part in parts]
                keys, values = (part.new_zeros(size) for part, size in zip(parts, sizes, strict=True))
                self._begin(keys, values, width)
            for store, part in zip(self.stores, parts, strict=True):
                flat = part.transpose(1, 2).flatten(0, 1)  # [other rows x other length, heads, head width]
                store[members, :, :width] = flat[sources].transpose(1, 2)

        def _begin(self, key_store: torch.Tensor, value_store: torch.Tensor, width: int) -> None:
            self.dtype, self.device = value_store.dtype, value_store.device
            self.is_initialized: bool = True
            self.stores = key_store, value_store
            self.keys, self.values = key_store[:, :, :width], value_store[:, :, :width]

    return RoomyLayer


def roomy_cache(config: Any) -> Any:
    """Return transformers' cache for the architecture, its plain layers with room to grow."""
    from transformers import DynamicCache
    from transformers.cache_utils import DynamicLayer

    cache = DynamicCache(config=config)
    cache.layers = [_roomy_layer()() if type(layer) is DynamicLayer else layer for layer in cache.layers]
    return cache


def roomy(cache: Any) -> bool:
    """Return whether all layers of a cache are plain keys and values, each token's at its place."""
    return all(isinstance(layer, _roomy_layer()) for layer in cache.layers)


def _append(store: torch.Tensor, old: torch.Tensor, new: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return (store, its beginning), [rows, heads, length, width]: `old` and `new` end to end along the length.

    While `old` is the beginning of `store` and there is room behind it, only `new` is written.
    """
    rows, heads, length, width = old.shape
    total = length + new.shape[2]
    if old.data_ptr() != store.data_ptr() or store.shape[2] < total:
        store = old.new_empty((rows, heads, total + ROOM, width))
        store[:, :, :length] = old
    store[:, :, length:total] = new
    return store, store[:, :, :total]
