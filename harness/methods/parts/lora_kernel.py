"""A frozen linear layer with a low-rank adapter as one product, forward and backward: W x + s B A x.

In a small model six separate autograd operations cost twice as much as the frozen layer alone: each adds or scales another
tensor as wide as the layer. This product does both sums inside the thin products.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from harness.methods.parts.wide_product import product as product_of

Weight = Callable[[], torch.Tensor]


class _LowRank(torch.autograd.Function):
    """The product's autograd function. It calls for the weight in both passes.

    For the backward pass it saves A x [n, r], both adapters in the precision of the product, and inputs [n, i] if A trains.
    """

    @staticmethod
    def forward(
        ctx: Any, inputs: torch.Tensor, weight: Weight, low: torch.Tensor, high: torch.Tensor, scale: float
    ) -> torch.Tensor:
        ctx.dtypes = low.dtype, high.dtype
        low, high = low.to(inputs.dtype), high.to(inputs.dtype)
        inner = inputs @ low.t()
        output = product_of(inputs, weight().to(inputs.dtype))
        # Only the gradient of A needs the inputs, and some methods freeze A (LoRA-FA).
        ctx.save_for_backward(inputs if ctx.needs_input_grad[2] else None, inner, low, high)
        ctx.weight, ctx.scale = weight, scale
        return output.addmm_(inner, high.t(), alpha=scale)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        inputs, inner, low, high = ctx.saved_tensors
        (gradient,) = gradients
        to_inner = product_of(gradient, high.t()).mul_(ctx.scale)
        to_inputs = to_low = to_high = None
        if ctx.needs_input_grad[0]:
            to_inputs = product_of(gradient, ctx.weight().to(gradient.dtype).t()).addmm_(to_inner, low)
        if ctx.needs_input_grad[2]:
            to_low = (to_inner.t() @ inputs).to(ctx.dtypes[0])
        if ctx.needs_input_grad[3]:  # with the thin side first the CPU multiplies twice as fast
            to_high = (inner.t() @ gradient).t().to(ctx.dtypes[1]).mul_(ctx.scale)
        return to_inputs, None, to_low, to_high, None


def product(
    inputs: torch.Tensor, weight: Weight, bias: torch.Tensor | None, low: torch.Tensor, high: torch.Tensor, scale: float
) -> torch.Tensor:
    """Return W x + s B A x (+ bias) [..., outputs], in the precision of autocast if that is on.

    Args:
        inputs: x, [..., i].
        weight: returns W [o, i]; not trained, and called again in the backward pass.
        bias: [o], not trained.
        low: A, [r, i].
        high: B, [o, r].
        scale: s.
    """
    kind = inputs.device.type
    dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else inputs.dtype
    flat = inputs.flatten(0, -2).to(dtype)
    output: torch.Tensor = _LowRank.apply(flat, weight, low, high, scale)  # type: ignore[no-untyped-call]
    output = output.view(*inputs.shape[:-1], -1)
    return output if bias is None else output + bias.to(dtype)
