"""Full fine-tuning: every weight trains, is stored in fp32 and multiplied in the spec's precision.

A trained weight takes 16 bytes: 4 for itself, 4 for its gradient, 4 for each of Adam's two moments. The usual mixed recipe
takes as much (bf16 weight and gradient, fp32 master copy and moments). Pure bf16 takes half (2 + 2 + 2 + 2) and loses small
updates: that is the method `full-bf16`. In bf16 there are also the casts of linear weights, 2 bytes each, stored from the forward pass for the backward
pass; `Parts` counts them as activations and the rest.
"""

from __future__ import annotations

from typing import Any

from harness.methods import base, lora
from harness.methods.parts import architecture, packing
from harness.record import RunSpec
from harness.schema import Method

TENTH, AT_NARROW = 0.1, 1.3  # full's rate over LoRA's: in usual models, and in the embedded one


def load(folder: str, spec: RunSpec) -> Any:
    """Return the model in fp32: a bf16 master copy would lose updates smaller than 1/256 of a weight."""
    return base.load_weights(folder, spec, "fp32")


def adapt(model: Any, spec: RunSpec) -> Any:
    """Return the model with every weight trained that text reaches: all but the towers of models for pictures or sound.

    Raises:
        HarnessError: the folder stores its weights quantised.
    """
    packing.refuse_to_train(model.config, spec)
    return architecture.freeze_beyond_text(model.requires_grad_(True))


def learning_rate(hidden_size: int) -> float:
    """Return a tenth of LoRA's rate from width 512, 1.3 times LoRA's up to 224, and between them a power law.

    A tenth is what "LoRA without regret" (Schulman et al. 2025) finds for models of all sizes. The embedded model needs more,
    see `base.narrowness`.
    """
    share: float = TENTH * (AT_NARROW / TENTH) ** base.narrowness(hidden_size)
    return share * lora.learning_rate(hidden_size)


METHOD = Method(
    name="full",
    title="full fine-tuning, fp32 weights",
    load=load,
    adapt=adapt,
    learning_rate=learning_rate,
    frozen_bits=0.0,
)
