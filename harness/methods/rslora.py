"""rsLoRA (Kalajdzievski 2023, arXiv:2312.03732): LoRA whose update is scaled by alpha / sqrt(rank), not alpha / rank."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from harness.methods import lora
from harness.record import RunSpec

SAME_RANK = 8  # where the first step moves the model as far as LoRA's does


def adapt(model: Any, spec: RunSpec) -> Any:
    """Return the model with rank-stabilised adapters: LoRA with one argument changed."""
    return lora.adapt_with(model, spec, use_rslora=True)


def learning_rate(hidden_size: int) -> float:
    """Return LoRA's rate over sqrt(8): at rank 8 the scale is sqrt(8) times LoRA's, and the two start alike there.

    Above rank 8 rsLoRA then moves further than LoRA, below it less, which is all that tells the two apart.
    """
    return lora.learning_rate(hidden_size) / math.sqrt(SAME_RANK)


def alpha(rank: int, hidden_size: int) -> float:
    """Return LoRA's alpha at rank 8: how the scale falls with the rank is the method's own."""
    return lora.alpha(SAME_RANK, hidden_size)


METHOD = dataclasses.replace(
    lora.METHOD,
    name="rslora",
    title="LoRA scaled by 1/sqrt(rank)",
    adapt=adapt,
    learning_rate=learning_rate,
    alpha=alpha,
)
