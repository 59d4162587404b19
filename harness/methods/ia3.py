"""(IA)³ (Liu et al. 2022, arXiv:2205.05638): one trained factor for each key, value and inner feed-forward feature."""

from __future__ import annotations

import dataclasses
from typing import Any

from harness.methods import by_config, lora
from harness.record import RunSpec


def adapt(model: Any, spec: RunSpec) -> Any:
    """Return the model with factors that start at 1, on the layers in PEFT's table of architectures.

    Raises:
        HarnessError: the architecture is not in the table.
    """
    from peft import IA3Config

    return by_config.adapt(model, spec, IA3Config(task_type="CAUSAL_LM"))


def learning_rate(hidden_size: int) -> float:
    """Return 3e-3, the paper's rate, at every width: factors start at 1 for all widths."""
    return 3e-3


METHOD = dataclasses.replace(
    lora.METHOD,
    name="ia3",
    title="factors on keys, values, feed-forward",
    adapt=adapt,
    learning_rate=learning_rate,
    ranked=False,
    dropout=False,
)
