"""PEFT's config of a LoRA adapter, checked before anything of the adapter is applied.

An adapter from outside is data. Its patterns are compared as names and never run as regular expressions, because a
pattern such as `(a+)+$` may take years. A setting that this program does not know is refused: it would be ignored, and
the adapter would give other answers than it was trained for.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

# Settings of PEFT's config that make an adapter more than scale * B A on the weights of the base model.
EXTRA_SETTINGS = (
    "use_dora",
    "lora_bias",
    "modules_to_save",
    "trainable_token_indices",
    "target_parameters",
    "layer_replication",
    "use_qalora",
    "use_bdlora",
    "alora_invocation_tokens",
    "arrow_config",
    "kasa_config",
    "velora_config",
    "monteclora_config",
)
PLAIN_INITS = ("gaussian", "eva", "orthogonal")  # initialisations that do not change the base model's weights
# Settings that say where an adapter comes from, which layers it has, how it was initialised or how it was trained.
PLAIN_SETTINGS = frozenset(
    [
        "task_type",
        "peft_type",
        "auto_mapping",
        "peft_version",
        "base_model_name_or_path",
        "revision",
        "inference_mode",
        "r",
        "target_modules",
        "exclude_modules",
        "lora_alpha",
        "lora_dropout",
        "fan_in_fan_out",
        "bias",
        "use_rslora",
        "init_lora_weights",
        "layers_to_transform",
        "layers_pattern",
        "rank_pattern",
        "alpha_pattern",
        "megatron_config",
        "megatron_core",
        "loftq_config",
        "eva_config",
        "corda_config",
        "lora_ga_config",
        "qalora_group_size",
        "runtime_config",
        "ensure_weight_tying",
    ]
)
MAX_RANK = 2**16  # larger than any layer's width
_NAME = re.compile(r"\^?[A-Za-z0-9_.\-]+\$?")  # a module's name or the end of one, as PEFT writes it into patterns


def extra_parts(config: Mapping[str, Any]) -> str:
    """Return the reason why an adapter of this PEFT config is more than scale * B A, empty if it is not."""
    if config.get("peft_type") != "LORA":
        return f"its type is {config.get('peft_type')}, LORA is needed"
    extras = [name for name in EXTRA_SETTINGS if config.get(name)]
    start = config.get("init_lora_weights")
    if config.get("bias", "none") != "none":
        extras.append(f"bias={config['bias']}")
    if isinstance(start, str) and start.lower() not in PLAIN_INITS:
        extras.append(f"init_lora_weights={start}")
    return f"{extras[0]} makes it more than the product of B and A" if extras else ""


def problem(config: Mapping[str, Any]) -> str:
    """Return the reason why the adapter of this config (as JSON) cannot be applied as it stands, empty if it can be.

    The reason is that of `extra_parts`, an unknown setting, a number that is not finite, or a regular expression.
    """
    return extra_parts(config) or _unknown_setting(config) or _bad_number(config) or _expression(config)


def _unknown_setting(config: Mapping[str, Any]) -> str:
    known = PLAIN_SETTINGS.union(EXTRA_SETTINGS)
    name = next((name for name, value in config.items() if value and name not in known), None)
    return f"its setting {_short(name)} is not known here, and would be ignored" if name is not None else ""


def _bad_number(config: Mapping[str, Any]) -> str:
    """Return the first rank that is not a whole number above 0, or alpha that is not a finite number."""
    for field in ("rank_pattern", "alpha_pattern"):
        if not isinstance(config.get(field) or {}, dict):
            return f"its {field} is {_short(config[field])}, an object of numbers by name is needed"
    for name, rank in {"r": config.get("r", 8), **(config.get("rank_pattern") or {})}.items():
        if type(rank) is not int or not 0 < rank <= MAX_RANK:
            return f"its rank {_short(name)} is {_short(rank)}, a whole number from 1 to {MAX_RANK} is needed"
    for name, alpha in {"lora_alpha": config.get("lora_alpha", 8), **(config.get("alpha_pattern") or {})}.items():
        number = isinstance(alpha, int | float) and not isinstance(alpha, bool)
        if not number or not math.isfinite(alpha) or abs(alpha) > 2.0**63:
            return f"its scale {_short(name)} is {_short(alpha)}, a finite number is needed"
    return ""


def _expression(config: Mapping[str, Any]) -> str:
    """Return the first pattern that is a regular expression and not the name of modules."""
    for field in ("target_modules", "exclude_modules", "layers_pattern", "rank_pattern", "alpha_pattern"):
        value = config.get(field) or []
        names = [value] if isinstance(value, str) else list(value) if isinstance(value, list | dict) else [None]
        wrong = next((name for name in names if not isinstance(name, str) or not _NAME.fullmatch(name)), "")
        if wrong != "":
            return (
                f"its {field} has {_short(wrong)}, names of modules are needed: foreign regular expressions are not run"
            )
    return ""


def _short(value: Any) -> str:
    text = " ".join(str(value).split())
    return f"'{text}'" if len(text) <= 60 else f"'{text[:59]}…'"
