"""A model as PEFT adapts it, or an error that names the method, the architecture and the setting that does not fit."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from harness.errors import HarnessError, one_line
from harness.methods.parts import architecture
from harness.record import RunSpec

FIX = "pass another model or method"


def wrap(model: Any, config: Any, spec: RunSpec) -> Any:
    """Return the model as PEFT adapts it by a config; no setting of the config goes without effect.

    Raises:
        HarnessError: PEFT refuses the config for this architecture, or an entry of it matches no layer.
    """
    import torch
    from peft import get_peft_model

    name, experts = architecture.label(model), architecture.fused_experts(model)
    try:
        adapted = get_peft_model(model, config)
    except (torch.OutOfMemoryError, MemoryError):
        raise
    except Exception as error:  # PEFT and the code of an architecture may fail in any way
        layers = f", whose experts are stored as one tensor ({architecture.kinds(experts)})" if experts else ""
        problem = f"PEFT cannot adapt this model with {spec.method}: {name}{layers}: {one_line(error)}"
        raise HarnessError(problem, where=spec.name, fix=FIX) from error
    refuse_idle_settings(adapted, spec)
    return adapted


def refuse_idle_settings(model: Any, spec: RunSpec) -> None:
    """Raise an error for an entry of a PEFT config that matches no layer.

    Raises:
        HarnessError: with the setting and the entry.
    """
    names = [_plain(name) for name, _ in model.named_modules()]
    weights = [_plain(name) for name, _ in model.named_parameters()]
    adapted = list(dict.fromkeys(_plain(name) for name in _adapted_layers(model)))
    for config in model.peft_config.values():
        for setting, entry, matched in _entries(config, names, weights, adapted):
            if not matched:
                problem = (
                    f"{setting} of the adapter's config matches no layer of {architecture.label(model)}: {entry!r}"
                )
                fix = f"correct {setting}; the model's linear layers are {_linear_kinds(model)}"
                raise HarnessError(problem, where=spec.method, fix=fix)


def _entries(
    config: Any, names: list[str], weights: list[str], adapted: list[str]
) -> Iterator[tuple[str, str | int, bool]]:
    """Yield (setting, entry, whether it matches a layer) of each entry of a config that selects layers, as PEFT matches it."""
    for setting in ("target_modules", "modules_to_save"):
        for entry in _patterns(config, setting):
            yield setting, entry, any(_ends(name, entry) for name in names)
    for entry in _patterns(config, "target_parameters"):
        yield "target_parameters", entry, any(_ends(name, entry) for name in (*weights, *adapted))
    for setting in ("rank_pattern", "alpha_pattern"):
        for entry in getattr(config, setting, None) or ():
            matched = any(re.match(rf"(.*\.)?({entry})$", name) for name in (*adapted, *weights))
            yield setting, entry, matched
    layers = getattr(config, "layers_to_transform", None)
    for number in [layers] if isinstance(layers, int) else layers or ():
        yield "layers_to_transform", number, any(f".{number}." in name for name in adapted)


def _patterns(config: Any, setting: str) -> Iterable[str]:
    entries = getattr(config, setting, None)
    return () if entries is None or isinstance(entries, str) else sorted(entries)


def _ends(name: str, entry: str) -> bool:
    return name == entry or name.endswith(f".{entry}")


def _plain(name: str) -> str:
    """Return a layer's name without the wrappers that PEFT puts around it."""
    return re.sub(r"^base_model\.model\.|\.(base_layer|original_module|modules_to_save\.\w+)\b", "", name)


def adapted_modules(model: Any) -> set[str]:
    """Return the names in the base model of the linear layers that have an adapter."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    layers = model.get_base_model().named_modules()
    return {
        name for name, layer in layers if isinstance(layer, BaseTunerLayer) and not hasattr(layer, "parameter_name")
    }


def _adapted_layers(model: Any) -> Iterator[str]:
    from peft.tuners.tuners_utils import BaseTunerLayer

    for name, layer in model.named_modules():
        if isinstance(layer, BaseTunerLayer):
            parameter = getattr(layer, "parameter_name", "")
            yield f"{name}.{parameter}" if parameter else name


def _linear_kinds(model: Any) -> str:
    plain = model.get_base_model() if hasattr(model, "get_base_model") else model
    names = [_plain(name) for name, layer in plain.named_modules() if architecture.is_linear(layer)]
    return architecture.kinds([name for name in names if "lora_" not in name])
