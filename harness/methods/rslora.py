"""rsLoRA (Kalajdzievski 2023, arXiv:2312.03732): LoRA with updates scaled by alpha / sqrt(rank), not alpha / rank."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from harness.methods import lora
from harness.record import RunSpec

SAME_RANK = 8  # at this rank the first step changes the model as much as LoRA's


def adapt(model: Any, spec: RunSpec) -> Any:
    """Return the model with rank-stabilised adapters: LoRA with one other argument."""
    return lora.adapt_with(model, spec, use_rslora=True)


def learning_rate(hidden_size: int) -> float:
    """Return LoRA's rate over sqrt(8): at rank 8 the scale is sqrt(8) times LoRA's, and both make the same first step.

    Above rank 8 rsLoRA takes larger steps than LoRA, below it smaller ones. This is their only difference.
    """
    return lora.learning_rate(hidden_size) / math.sqrt(SAME_RANK)


def alpha(rank: int, hidden_size: int) -> float:
    """Return LoRA's alpha at rank 8; the method itself decides how the scale falls with the rank."""
    return lora.alpha(SAME_RANK, hidden_size)


METHOD = dataclasses.replace(
    lora.METHOD,
    name="rslora",
    title="LoRA scaled by 1/sqrt(rank)",
    adapt=adapt,
    learning_rate=learning_rate,
    alpha=alpha,
)
