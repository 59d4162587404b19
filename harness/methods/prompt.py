"""Prompt tuning (Lester et al. 2021, arXiv:2104.08691): 20 trained vectors in front of the input's embeddings."""

from __future__ import annotations

import dataclasses
from typing import Any

from harness.methods import by_config, lora
from harness.record import RunSpec

VIRTUAL_TOKENS = 20  # the paper finds only marginal gains beyond


def adapt(model: Any, spec: RunSpec) -> Any:
    """Return the model with virtual tokens that start as random words of the vocabulary, as the paper advises."""
    from peft import PromptTuningConfig

    config = PromptTuningConfig(
        task_type="CAUSAL_LM", num_virtual_tokens=VIRTUAL_TOKENS, prompt_tuning_init="SAMPLE_VOCAB"
    )
    return by_config.adapt(model, spec, config)


def learning_rate(hidden_size: int) -> float:
    """Return 1e-2 at every width, a rule of thumb without tuning; try `--tune`."""
    return 1e-2


METHOD = dataclasses.replace(
    lora.METHOD,
    name="prompt",
    title="20 virtual tokens before the input",
    adapt=adapt,
    learning_rate=learning_rate,
    ranked=False,
    dropout=False,
    window_tokens=VIRTUAL_TOKENS,
)
