"""DoRA (Liu et al. 2024, arXiv:2402.09353): LoRA that trains length and direction of each output's weights separately."""

from __future__ import annotations

import dataclasses
from typing import Any

from harness.methods import lora
from harness.record import RunSpec

NO_LENGTH = (
    1e-8  # values of B if W is zero: far below bf16's resolution of a sum, far above numbers whose fp32 square is 0
)


def adapt(model: Any, spec: RunSpec) -> Any:
    """Return the model with DoRA adapters: LoRA with one other argument, and no row of length zero."""
    return start_zero_rows(lora.adapt_with(model, spec, use_dora=True))


def start_zero_rows(model: Any) -> Any:
    """Return the model with a tiny length and a direction for each row of weights that is zero.

    DoRA divides a row of W + s B A by its length. If both are zero, PEFT's first step is 0 / 0 and the loss is NaN. `o_proj`
    of Llama 3.1 8B has 511 such rows (PEFT's issue 2049), and every layer of `tiny` has some. With tiny values in B the row
    starts as good as zero, as before, and learns its direction and length. The saved adapter works in other tools, too.
    """
    import torch
    from peft.tuners.lora import LoraLayer
    from peft.tuners.lora.dora import DoraLinearLayer

    for layer in model.modules():
        if not isinstance(layer, LoraLayer):
            continue
        for name, magnitude in layer.lora_magnitude_vector.items():
            if type(magnitude) is not DoraLinearLayer:  # embeddings and convolutions have other axes
                continue
            low, high, lengths = layer.lora_A[name].weight, layer.lora_B[name].weight, magnitude.weight
            zero = lengths.data == 0
            length = layer.scaling[name] * NO_LENGTH * torch.linalg.norm(low.data.sum(dim=0))
            # No branch on values: fake tensors, which `plan` uses, have none.
            high.data = torch.where(zero[:, None], NO_LENGTH, high.data)
            lengths.data = torch.where(zero, length, lengths.data)
    return model


METHOD = dataclasses.replace(lora.METHOD, name="dora", title="DoRA on all linear layers", adapt=adapt)
