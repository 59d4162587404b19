"""LoRA and prefix tuning on one model: 20 keys and values per layer, and low-rank updates of every linear layer.

UniPELT (Mao et al. 2022, arXiv:2110.07577) has these two and bottleneck adapters, each behind a gate; this method has no
gates. PEFT's mixed models do not support prefix tuning: PEFT's prefix wraps the model, and PEFT's LoRA layers are inside.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from harness.methods import lora, prefix
from harness.methods.parts import own_adapter
from harness.record import RunSpec

RATIO = 5.0  # prefix tuning's rate over LoRA's at the narrow end; at the wide end their own rates have a ratio of 25


def adapt(model: Any, spec: RunSpec) -> Any:
    """Return the model with a prefix and with LoRA on its linear layers, both of which train.

    LoRA freezes all other weights of the model that it adapts. The prefix is outside of that model and keeps training.

    Raises:
        HarnessError: as `prefix.adapt`.
    """
    model = prefix.adapt(model, spec)
    lora.adapt(model.get_base_model(), spec)  # changes the layers in place
    return model


def rate_factor(name: str) -> float:
    """Return the factor of the learning rate for the weight of this name: a prefix needs a higher rate."""
    return RATIO if "prompt_encoder." in name else 1.0


METHOD = dataclasses.replace(
    lora.METHOD,
    name="lora+prefix",
    title="LoRA and virtual keys and values",
    adapt=adapt,
    rate_factor=rate_factor,
    window_tokens=prefix.VIRTUAL_TOKENS,
    save=own_adapter.save,
    restore=own_adapter.restorer(adapt),
)
