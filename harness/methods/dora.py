"""DoRA (Liu et al. 2024, arXiv:2402.09353): LoRA that trains the length of each output's weights apart from their direction."""

from __future__ import annotations

import dataclasses
from typing import Any

from harness.methods import lora
from harness.record import RunSpec

NO_LENGTH = 1e-8  # of B where W is zero: far below what bf16 keeps of a sum, far above what fp32 squares to zero


def adapt(model: Any, spec: RunSpec) -> Any:
    """Return the model with DoRA adapters: LoRA with one argument changed, and zero rows that can be divided by."""
    return start_zero_rows(lora.adapt_with(model, spec, use_dora=True))


def start_zero_rows(model: Any) -> Any:
    """Give weights that are all zero a direction, of next to no length.

    DoRA divides a row of W + s B A by its length. Where both are zero, PEFT's first step is 0 / 0 and the loss no number:
    `o_proj` of Llama 3.1 8B has 511 such rows (PEFT's issue 2049), every layer of `tiny` some. With a hair in B the row
    starts at nothing, as it was, and learns its direction and length; the saved adapter is sound in other tools too.
    """
    import torch
    from peft.tuners.lora import LoraLayer
    from peft.tuners.lora.dora import DoraLinearLayer

    for layer in model.modules():
        if not isinstance(layer, LoraLayer):
            continue
        for name, magnitude in layer.lora_magnitude_vector.items():
            if type(magnitude) is not DoraLinearLayer:  # of embeddings and convolutions the axes are others
                continue
            low, high, lengths = layer.lora_A[name].weight, layer.lora_B[name].weight, magnitude.weight
            zero = lengths.data == 0
            length = layer.scaling[name] * NO_LENGTH * torch.linalg.norm(low.data.sum(dim=0))
            # No branch on values, which a plan's fake tensors do not have.
            high.data = torch.where(zero[:, None], NO_LENGTH, high.data)
            lengths.data = torch.where(zero, length, lengths.data)
    return model


METHOD = dataclasses.replace(lora.METHOD, name="dora", title="DoRA on all linear layers", adapt=adapt)
