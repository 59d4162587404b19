"""Full fine-tuning wholly in bf16: weights, gradients and both moments of AdamW, 8 bytes a weight instead of 16.

This is the recipe of "full fine-tuning" in PEFT's method comparison and of a bf16 model passed to a trainer without mixed
precision: torch's AdamW on bf16 weights, rounded to the nearest number. It is neither stochastic rounding nor compensated
summation (Zamirai et al. 2020, arXiv:2010.06192): bf16 has 8 significant bits, so an update below 1/512 of a weight is lost.
Results can thus be worse than those of `full`, which keeps fp32 masters; the difference is what the second row shows.
With `--dtype fp32` there is nothing to save, and it is `full`.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from harness.methods import base, full
from harness.record import RunSpec


def load(folder: str, spec: RunSpec) -> Any:
    """Return the model in the spec's precision."""
    return base.load_weights(folder, spec, spec.dtype)


METHOD = dataclasses.replace(
    full.METHOD,
    name="full-bf16",
    title="full fine-tuning, bf16 weights",
    load=load,
    trained_bits=16,
)
