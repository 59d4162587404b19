"""LoRA and prefix tuning on one model: 20 keys and values per layer, and low-rank updates of every linear layer.

UniPELT (Mao et al. 2022, arXiv:2110.07577) has these two and bottleneck adapters, each behind a gate; here are no gates.
PEFT's mixed models leave prefix tuning out; here PEFT's prefix stands around the model, and PEFT's LoRA layers in it.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from harness.methods import lora, own_adapter, prefix
from harness.record import RunSpec

RATIO = 5.0  # of the two methods' own rates at the narrow end; at the wide end it is 25 between the two alone


def adapt(model: Any, spec: RunSpec) -> Any:
    """Return the model with a prefix and with LoRA on its linear layers, both of which train.

    LoRA freezes what it finds in the model that it adapts; the prefix stands outside of it and goes on training.

    Raises:
        HarnessError: as `prefix.adapt`.
    """
    model = prefix.adapt(model, spec)
    lora.adapt(model.get_base_model(), spec)  # changes the layers in place
    return model


def rate_factor(name: str) -> float:
    """Return what the learning rate of the weight of this name is multiplied by: a prefix wants a higher one."""
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
