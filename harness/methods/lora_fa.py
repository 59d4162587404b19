"""LoRA-FA (Zhang et al. 2023, arXiv:2308.03303): LoRA with A frozen at its random start; only B trains.

The gradient of B needs A x, of width rank, instead of x: LoRA stores less for the backward pass.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from harness.methods import lora
from harness.record import RunSpec


def adapt(model: Any, spec: RunSpec) -> Any:
    """Return the model with LoRA adapters, of which only B trains."""
    model = lora.adapt(model, spec)
    for name, weight in model.named_parameters():
        if ".lora_A." in name:
            weight.requires_grad_(False)
    return model


METHOD = dataclasses.replace(lora.METHOD, name="lora-fa", title="LoRA with A frozen", adapt=adapt)
