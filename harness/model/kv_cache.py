"""A cache of keys and values with room to grow, in transformers' form, for the text that generation has read so far."""

from __future__ import annotations

import functools
from typing import Any

import torch

ROOM = 32  # tokens for which a cache allocates memory in advance


@functools.cache
def roomy_layer() -> Any:
    """Return the class of a cache's layer with room to grow."""
    from transformers.cache_utils import DynamicLayer

    class RoomyLayer(DynamicLayer):  # type: ignore[misc]
        """Keys and values of one layer, [rows, heads, length, head width]: views of larger stores with free room behind.

        The plain layer copies all keys and values of the text so far to add one token. This layer writes into memory that
        it allocated in advance. It stores keys in the precision of the values: rotary positions leave keys in fp32 if the
        residual stream is, and every step would cast all of them again.
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

        def move_from(self, layer: Any, rows: int, members: torch.Tensor, sources: torch.Tensor) -> None:
            """Move keys and values from another layer, and empty it, so that memory never holds all of them twice.

            Args:
                layer: the other layer, [other rows, heads, other length, head width].
                rows: the number of rows of this layer in the end.
                members: [N], the rows to fill.
                sources: [N, length], for each of their positions the index in `layer`, counted over its rows x length.
            """
            width = sources.shape[1]
            parts = layer.keys, layer.values
            layer.keys = layer.values = None
            layer.stores = ()  # type: ignore[assignment]
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
    """Return transformers' cache for the architecture, with room to grow in its plain layers."""
    from transformers import DynamicCache
    from transformers.cache_utils import DynamicLayer

    cache = DynamicCache(config=config)
    cache.layers = [roomy_layer()() if type(layer) is DynamicLayer else layer for layer in cache.layers]
    return cache


def roomy(cache: Any) -> bool:
    """Return whether all layers of a cache are plain keys and values, each token's at its own position."""
    return all(isinstance(layer, roomy_layer()) for layer in cache.layers)


def _append(store: torch.Tensor, old: torch.Tensor, new: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return (store, view of its beginning), [rows, heads, length, width]: `old` and `new` joined along the length.

    If `old` is the beginning of `store` and there is room behind it, only `new` is written.
    """
    rows, heads, length, width = old.shape
    total = length + new.shape[2]
    if old.data_ptr() != store.data_ptr() or store.shape[2] < total:
        store = old.new_empty((rows, heads, total + ROOM, width))
        store[:, :, :length] = old
    store[:, :, length:total] = new
    return store, store[:, :, :total]
