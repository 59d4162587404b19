"""Products with weights that bitsandbytes packs: it packs and unpacks, PyTorch multiplies in the spec's precision.

LLM.int8() rounds the inputs, too: it selects outliers by the whole batch, so that an answer would depend on the other
questions in it, and stores every input for the backward pass.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from typing import Any

from harness.record import RunSpec


def with_exact_products(model: Any, spec: RunSpec) -> Any:
    """Return a model with packed layers that multiply correctly: 8-bit ones on every device, 4-bit ones on the CPU."""
    import torch

    compute = torch.bfloat16 if spec.dtype == "bf16" else torch.float32
    if getattr(
        getattr(model, "hf_quantizer", None), "pre_quantized", False
    ):  # such a folder has a precision of its own
        for weight in model.parameters():
            if weight.is_floating_point() and weight.dtype.itemsize > 1:
                weight.data = weight.data.to(compute)
    for layer in model.modules():
        kind = type(layer).__name__
        if kind == "Linear4bit":
            layer.compute_dtype = compute
        if kind == "Linear4bit" and spec.device == "cpu":
            layer.forward = functools.partial(_four_bit_forward, layer)
            layer.unpack_weight = functools.partial(unpack, layer)  # `lora` multiplies with it
        elif kind == "Linear8bitLt":
            layer.forward = functools.partial(_eight_bit_forward, layer, model.dtype)
    return model


def _eight_bit_forward(layer: Any, dtype: Any, inputs: Any) -> Any:
    result = product(inputs.to(dtype), functools.partial(unpack_bytes, layer, dtype))
    if layer.bias is not None:
        result = result + layer.bias.to(result.dtype)
    return result.to(inputs.dtype)


def unpack_bytes(layer: Any, dtype: Any) -> Any:
    """Return the weight [outputs, inputs] of an 8-bit layer; 127 represents the largest number of a row."""
    return (layer.weight.data * (layer.weight.SCB / 127)[:, None]).to(dtype)


def _four_bit_forward(layer: Any, inputs: Any) -> Any:
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
