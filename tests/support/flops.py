"""torch's FLOP counter, with the products that it does not know."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode


def flop_counter() -> FlopCounterMode:
    """Return a counter that knows products added in place too, as `low_rank` makes them.

    It counts attention as the whole square of the length, though a causal kernel computes half of it; and none at all of
    the kernels that a CPU has for it.
    """
    return FlopCounterMode(display=False, custom_mapping={torch.ops.aten.addmm_: _product})


def _product(into: Sequence[int], a: Sequence[int], b: Sequence[int], *rest: Any, **options: Any) -> int:
    return 2 * a[0] * a[1] * b[1]
