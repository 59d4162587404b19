"""QLoRA (Dettmers et al. 2023, arXiv:2305.14314): LoRA on a model frozen in 4 bits, through bitsandbytes."""

from __future__ import annotations

import copy
import dataclasses
import functools
from collections.abc import Callable
from typing import Any

from harness.methods import base, lora
from harness.record import RunSpec

# NF4 in blocks of 64 with one 8-bit scale each, and the scales in blocks of 256 with one fp32 scale each.
BITS_PER_WEIGHT = 4 + 8 / 64 + 32 / (64 * 256)


def load(folder: str, spec: RunSpec) -> Any:
    """Return the model with its linear layers in NF4 with double quantisation, the rest in `spec.dtype`.

    PEFT's `prepare_model_for_kbit_training` is not called on purpose: it casts embeddings and norms to fp32 and enables
    gradient checkpointing, so that QLoRA would differ from LoRA in more than the frozen weights.
    """
    import torch
    from transformers import BitsAndBytesConfig

    compute = torch.bfloat16 if spec.dtype == "bf16" else torch.float32
    quantization = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=compute,
    )
    return with_cpu_product(base.load_weights(folder, spec, spec.dtype, quantization_config=quantization), spec)


def with_cpu_product(model: Any, spec: RunSpec) -> Any:
    """Return a model with 4-bit layers that multiply correctly on the spec's device: on the CPU by `_forward`."""
    import bitsandbytes

    if spec.device == "cpu":
        for layer in model.modules():
            if isinstance(layer, bitsandbytes.nn.Linear4bit):
                layer.forward = functools.partial(_forward, layer)
                layer.unpack_weight = functools.partial(unpack, layer)  # `lora` multiplies with it
    return model


def _forward(layer: Any, inputs: Any) -> Any:
    """Return a 4-bit layer's output on the CPU: bitsandbytes packs and unpacks, the product is PyTorch's.

    bitsandbytes' own path on the CPU is not used because of two faults (0.50). Its unpacking takes the wrong scales if a row
    is not a multiple of the block (160 inputs in blocks of 64: an error of 25 % of the weights instead of 9 %). In evaluation
    mode it repacks the weights with rounded scales, so that another model would be tested than was trained.
    """
    result = product(inputs.to(layer.compute_dtype), functools.partial(unpack, layer))
    if layer.bias is not None:
        result = result + layer.bias.to(result.dtype)
    return result.to(inputs.dtype)


def unpack(layer: Any) -> Any:
    """Return the weight [outputs, inputs] of a 4-bit layer in its compute precision."""
    import torch
    from bitsandbytes.functional import dequantize_4bit

    state = layer.weight.quant_state
    flat = copy.copy(state)
    flat.shape = torch.Size([state.shape.numel()])  # as one row, in which every block begins at the right position
    return dequantize_4bit(layer.weight.data, flat).view(state.shape).to(layer.compute_dtype)


def product(inputs: Any, weight: Callable[[], Any]) -> Any:
    """Return inputs [..., n] times the transposed weight [m, n], which is unpacked in each pass and never stored."""
    return _product().apply(inputs, weight)  # type: ignore[attr-defined]


@functools.cache
def _product() -> type:
    """Return the product as an autograd function, defined on first use because torch is not imported before."""
    import torch

    class Product(torch.autograd.Function):
        """A product that saves only the unpacking function for the backward pass, and unpacks again there."""

        @staticmethod
        def forward(ctx: Any, inputs: torch.Tensor, weight: Callable[[], torch.Tensor]) -> torch.Tensor:
            ctx.weight = weight
            return torch.nn.functional.linear(inputs, weight())

        @staticmethod
        def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, None]:
            return (gradients[0] @ ctx.weight() if ctx.needs_input_grad[0] else None), None

    return Product


METHOD = dataclasses.replace(
    lora.METHOD,
    name="qlora",
    title="LoRA on a model in 4 bits (NF4)",
    load=load,
    requires=("peft", "bitsandbytes"),
    frozen_bits=BITS_PER_WEIGHT,
)
