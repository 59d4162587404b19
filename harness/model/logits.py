"""Logits at selected positions only: the output layer is the widest of all, and a loss needs few of its rows."""

from __future__ import annotations

from typing import Any

import torch


def virtual_tokens(model: Any) -> int:
    """Return the number of virtual tokens that PEFT puts in front of a model's input or its keys; 0 for other models."""
    config = getattr(model, "active_peft_config", None)
    return int(config.num_virtual_tokens) if config is not None and config.is_prompt_learning else 0


def logits_at(model: Any, positions: torch.Tensor, **inputs: Any) -> torch.Tensor:
    """Return a causal model's logits at some positions, in the model's precision.

    The positions are selected from the output layer's input. No other logits are computed or stored, and the function fits
    every architecture, also those that scale or cap the logits afterwards.

    Args:
        model: a transformers causal language model, with or without a PEFT adapter.
        positions: [N], flat indices into the [batch, length] of the input.
        inputs: the model's arguments; `input_ids` [batch, length] is required.

    Returns:
        [N, vocabulary].
    """

    calls: list[bool] = []

    def pick(layer: torch.nn.Module, args: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        hidden, *rest = args
        calls.append(True)
        if hidden.ndim == 3 and hidden.shape[1] > length:  # prompt tuning puts virtual tokens in front of the input's
            hidden = hidden[:, -length:]
        return (hidden.flatten(0, -2).index_select(0, positions).unsqueeze(0), *rest)

    output, length = model.get_output_embeddings(), inputs["input_ids"].shape[1]
    hook = output.register_forward_pre_hook(pick) if output is not None else None
    try:
        logits: torch.Tensor = model(**inputs).logits
    finally:
        if hook is not None:
            hook.remove()
    if calls:
        return logits.flatten(0, -2)
    flat = logits[:, -length:].flatten(0, -2)
    return flat.index_select(0, positions)  # an architecture that does not call its output layer as a module
