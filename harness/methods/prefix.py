"""Prefix tuning (Li and Liang 2021, arXiv:2101.00190): 20 trained keys and values in front of every layer's own.

They train directly, without the paper's network in between (as in P-tuning v2, Liu et al. 2021, arXiv:2110.07602).
"""

from __future__ import annotations

import dataclasses
from typing import Any

from harness.errors import HarnessError
from harness.methods import by_config, lora
from harness.methods.parts import architecture
from harness.record import RunSpec

VIRTUAL_TOKENS = 20
START = 0.02  # standard deviation; PEFT's default of 1 is far from any key, and equal prefixes would remain equal


def adapt(model: Any, spec: RunSpec) -> Any:
    """Return the model with a prefix of small random numbers that depend on `spec.seed` alone.

    Raises:
        HarnessError: with activation checkpointing, transformers drops all keys before the text, so that the model would
            never read the prefix; or the architecture has a layer without keys and values.
    """
    from peft import PrefixTuningConfig

    if spec.checkpointing:
        fix = "run without --checkpointing, or without the methods that have a prefix"
        raise HarnessError("activation checkpointing drops a prefix of keys", where=spec.name, fix=fix)
    if architecture.keeps_state(model):
        problem = (
            f"{architecture.label(model)} has layers without keys and values, so that it cannot read a prefix of them"
        )
        raise HarnessError(problem, where=spec.name, fix="run without the methods that have a prefix")
    config = PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=VIRTUAL_TOKENS, **_key_heads(model))
    model = by_config.adapt(model, spec, config)
    for weight in model.parameters():
        if weight.requires_grad:
            weight.data.mul_(START)
    return model


def _key_heads(model: Any) -> dict[str, int]:
    """Return PEFT's settings for an architecture whose layers store the keys of fewer heads than its config tells PEFT."""
    config = model.config.get_text_config()
    if config.model_type not in ("falcon", "gpt_bigcode") or not config.multi_query:
        return {}
    if getattr(config, "new_decoder_architecture", False):  # stores the keys of all heads
        return {}
    heads = int(config.num_attention_heads)
    return {"num_attention_heads": 1, "token_dim": int(config.hidden_size) // heads}


def learning_rate(hidden_size: int) -> float:
    """Return 5e-3 at every width, a rule of thumb without tuning; try `--tune`."""
    return 5e-3


METHOD = dataclasses.replace(
    lora.METHOD,
    name="prefix",
    title="20 virtual keys and values per layer",
    adapt=adapt,
    learning_rate=learning_rate,
    ranked=False,
    dropout=False,
    window_tokens=VIRTUAL_TOKENS,
)
