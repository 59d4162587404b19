"""(IA)³ (Liu et al. 2022, arXiv:2205.05638): one factor for each key, value and inner feed-forward feature trains."""

from __future__ import annotations

import dataclasses
from typing import Any

from harness.methods import by_config, lora
from harness.record import RunSpec


def adapt(model: Any, spec: RunSpec) -> Any:
    """Return the model with factors that start at 1, on the layers that PEFT's table names for the architecture.

    Raises:
        HarnessError: the table does not hold the architecture.
    """
    from peft import IA3Config

    return by_config.adapt(model, spec, IA3Config(task_type="CAUSAL_LM"))


def learning_rate(hidden_size: int) -> float:
    """Return 3e-3, the paper's, at every width: factors start at 1 whatever the width."""
    return 3e-3


METHOD = dataclasses.replace(
    lora.METHOD,
    name="ia3",
    title="factors on keys, values, feed-forward",
    adapt=adapt,
    learning_rate=learning_rate,
    ranked=False,
)
