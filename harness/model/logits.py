"""Logits at chosen positions only: the output layer is the widest of all, and a loss needs a few of its rows."""

from __future__ import annotations

from typing import Any

import torch


def virtual_tokens(model: Any) -> int:
    """Return how many virtual tokens PEFT puts in front of a model's input or its keys; 0 for any other model."""
    config = getattr(model, "active_peft_config", None)
    return int(config.num_virtual_tokens) if config is not None and config.is_prompt_learning else 0


def logits_at(model: Any, positions: torch.Tensor, **inputs: Any) -> torch.Tensor:
    """Return a causal model's logits at some positions, in the precision that the model computes in.

    The positions are picked out of the output layer's input, so that it works for every architecture, whatever it does
    to the logits afterwards (scaling, soft caps), and so that no logits are computed or kept elsewhere.

    Args:
        model: a causal language model of transformers, with or without a PEFT adapter.
        positions: [N], flat indices into the [batch, length] of the input.
        inputs: passed to the model; `input_ids` [batch, length] among them.

    Returns:
        [N, vocabulary].
    """

    picked: list[bool] = []

    def pick(layer: torch.nn.Module, args: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        hidden, *rest = args
        picked.append(True)
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
    if picked:
        return logits.flatten(0, -2)
    flat = logits[:, -length:].flatten(0, -2)
    return flat.index_select(0, positions)  # an architecture that does not call its output layer as a module
