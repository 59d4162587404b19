"""Causal attention for training in bf16 on a processor: forward in bf16, backward in fp32.

PyTorch's CPU kernel computes the gradient of bf16 attention at a third of its fp32 speed (33.8 against 12.4 ms for 16
sequences of 208 tokens and 5 heads; torch 2.13, one core with AMX). This was a third of a small model's step. The fp32
kernel is used for the gradient instead. It needs the bf16 tensors of the forward pass and one fp32 number a row, the
logarithm of its softmax's sum. The next layer stores the output in any case, and nothing is computed twice.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch

NAME = "sdpa_fp32_backward"


class _Attention(torch.autograd.Function):
    """Causal attention of [batch, heads, length, width] tensors, by the kernels behind `scaled_dot_product_attention`."""

    @staticmethod
    def forward(ctx: Any, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scale: float) -> torch.Tensor:
        output, sums = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(
            query, key, value, 0.0, True, scale=scale
        )
        ctx.save_for_backward(query, key, value, output, sums)
        ctx.scale = scale
        result: torch.Tensor = output
        return result

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        *tensors, sums = ctx.saved_tensors
        gradient, *inputs = (tensor.float() for tensor in (gradients[0], *tensors))
        input_gradients = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward(
            gradient, *inputs, sums, 0.0, True, scale=ctx.scale
        )
        return (*(tensor.to(gradients[0].dtype) for tensor in input_gradients), None)


def _forward(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    **options: Any,
) -> tuple[torch.Tensor, None]:
    """Return attention as transformers' `sdpa` computes it; `sdpa` itself does all but plain causal attention."""
    from transformers.integrations.sdpa_attention import repeat_kv, sdpa_attention_forward

    causal = options.get("is_causal")
    plain = (
        attention_mask is None
        and not dropout
        and query.requires_grad
        and query.shape[2] == key.shape[2] > 1
        and query.shape[3] == value.shape[3]  # required by the kernel
        and (getattr(module, "is_causal", True) if causal is None else causal)
        and options.get("position_bias") is None
    )
    if not plain:
        result: tuple[torch.Tensor, None] = sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **options
        )
        return result
    groups = query.shape[1] // key.shape[1]
    scale = scaling if scaling is not None else query.shape[-1] ** -0.5
    # Rotary positions leave queries and keys in fp32 if the residual stream is: one precision for all three.
    query, key, value = (tensor.to(torch.bfloat16) for tensor in (query, key, value))
    key, value = repeat_kv(key, groups), repeat_kv(value, groups)
    output: torch.Tensor = _Attention.apply(query, key, value, scale)  # type: ignore[no-untyped-call]
    return output.transpose(1, 2).contiguous(), None


@contextlib.contextmanager
def fast_backward(model: Any, *, dtype: str, device: str, masked: bool = True) -> Iterator[None]:
    """A context for training with this attention, if it helps (bf16 on the CPU) and the model uses plain `sdpa`.

    Args:
        model: a transformers model, with or without a PEFT adapter.
        dtype: "bf16" or "fp32".
        device: "cpu" or "cuda".
        masked: False for fake tensors: transformers cannot read their values to see that a causal model needs no mask.
    """
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.integrations.sdpa_attention import sdpa_attention_forward
    from transformers.masking_utils import sdpa_mask

    config = model.config.get_text_config()
    helps = (dtype, device) == ("bf16", "cpu")
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    # An architecture with attention of its own (Falcon) compares the name with "sdpa" and knows no other.
    known = config._attn_implementation == "sdpa" and getattr(inner, "_supports_attention_backend", False)
    if not known or (masked and not helps):
        yield
        return
    AttentionInterface.register(NAME, _forward if helps else sdpa_attention_forward)
    AttentionMaskInterface.register(NAME, sdpa_mask if masked else _no_mask)
    config._attn_implementation = NAME
    try:
        yield
    finally:
        config._attn_implementation = "sdpa"


def _no_mask(batch_size: int, q_length: int, kv_length: int, **options: Any) -> torch.Tensor | None:
    """Return None for plain causal attention; with a prefix of keys or a shorter window, a mask as from `sdpa_mask`."""
    if q_length == kv_length <= (options.get("local_size") or kv_length):
        return None
    return torch.ones((1, 1, q_length, kv_length), dtype=torch.bool).expand(batch_size, -1, -1, -1)
