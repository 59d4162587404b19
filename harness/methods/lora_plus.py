"""LoRA+ (Hayou et al. 2024, arXiv:2402.12354): LoRA with a learning rate for B 16 times that for A."""

from __future__ import annotations

import dataclasses
import math

from harness.methods import lora

RATIO = 16.0  # as in the paper


def rate_factor(name: str) -> float:
    """Return the factor of the learning rate for the weight of this name."""
    return RATIO if ".lora_B." in name else 1.0


def learning_rate(hidden_size: int) -> float:
    """Return A's rate, a quarter of LoRA's. B's is four times LoRA's: their geometric mean is LoRA's."""
    return lora.learning_rate(hidden_size) / math.sqrt(RATIO)


METHOD = dataclasses.replace(
    lora.METHOD,
    name="lora+",
    title="LoRA, B at 16 times the rate of A",
    learning_rate=learning_rate,
    alpha=None,
    rate_factor=rate_factor,
)
