"""(IA)³ (Liu et al. 2022, arXiv:2205.05638): one trained factor for each key, value and inner feed-forward feature."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from harness.errors import HarnessError
from harness.methods import by_config, lora
from harness.methods.parts import architecture
from harness.record import RunSpec

# Names of the layers in architectures: keys and values, alone or in one layer with the queries, and the feed-forward
# layer whose inputs are the inner features.
KEYS_VALUES = (("k_proj", "v_proj"), ("query_key_value",), ("qkv_proj",), ("c_attn",))
INNER = ("down_proj", "dense_4h_to_h", "fc2", "mlp.c_proj")


def adapt(model: Any, spec: RunSpec) -> Any:
    """Return the model with factors that start at 1 on keys, values and inner features.

    In architectures that compute queries, keys and values in one layer, the queries have factors, too.

    Raises:
        HarnessError: the architecture has no linear layers of known names for them.
    """
    from peft import IA3Config

    beyond = set(architecture.without_adapter(model))
    linear = [name for name, layer in model.named_modules() if architecture.is_linear(layer) and name not in beyond]
    inputs = next((names for names in KEYS_VALUES if all(_has(linear, name) for name in names)), ())
    inner = next((name for name in INNER if _has(linear, name)), "")
    if not inputs or not inner or architecture.fused_experts(model):
        part = "keys and values" if not inputs else "inner features"
        problem = f"{architecture.label(model)} has no linear layer of a known name for the {part} that ia3 scales"
        raise HarnessError(problem, where=spec.name, fix="pass another model or method")
    config = IA3Config(
        task_type="CAUSAL_LM",
        target_modules=[*inputs, inner],
        feedforward_modules=[inner],
        exclude_modules=sorted(beyond) or None,
    )
    return by_config.adapt(model, spec, config)


def _has(layers: Sequence[str], name: str) -> bool:
    return any(layer.endswith(f".{name}") for layer in layers)


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
