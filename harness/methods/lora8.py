"""LoRA on a model frozen in 8 bits: each row of a weight in int8 with one scale, packed by bitsandbytes.

The packing is LLM.int8()'s (Dettmers et al. 2022, arXiv:2208.07339). The product is PyTorch's in the spec's precision, on
every device. LLM.int8() rounds the inputs, too: it selects outliers by the whole batch, so that an answer would depend on
the other questions in it, and stores every input for the backward pass.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

from harness.methods import base, lora, qlora
from harness.record import RunSpec


def load(folder: str, spec: RunSpec) -> Any:
    """Return the model with its linear layers in int8, the output layer and the rest in `spec.dtype`."""
    import bitsandbytes
    from transformers import BitsAndBytesConfig

    model = base.load_weights(folder, spec, spec.dtype, quantization_config=BitsAndBytesConfig(load_in_8bit=True))
    for layer in model.modules():
        if isinstance(layer, bitsandbytes.nn.Linear8bitLt):
            layer.forward = functools.partial(_forward, layer, model.dtype)
    return model


def _forward(layer: Any, dtype: Any, inputs: Any) -> Any:
    result = qlora.product(inputs.to(dtype), functools.partial(unpack, layer, dtype))
    if layer.bias is not None:
        result = result + layer.bias.to(result.dtype)
    return result.to(inputs.dtype)


def unpack(layer: Any, dtype: Any) -> Any:
    """Return the weight [outputs, inputs] of an 8-bit layer; 127 represents the largest number of a row."""
    return (layer.weight.data * (layer.weight.SCB / 127)[:, None]).to(dtype)


METHOD = dataclasses.replace(
    lora.METHOD,
    name="lora8",
    title="LoRA on a model in 8 bits",
    load=load,
    requires=("peft", "bitsandbytes"),
    frozen_bits=8.0,
)
