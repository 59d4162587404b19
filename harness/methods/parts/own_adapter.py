"""The layout of adapters that PEFT cannot store: the trained weights under their own names, and the settings."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from harness.errors import HarnessError, one_line
from harness.record import RunSpec

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"


def write(model: Any, folder: Path, settings: Mapping[str, Any]) -> None:
    """Write every trained weight of the model, and the settings."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: weight.detach().cpu() for name, weight in model.named_parameters() if weight.requires_grad}
    save_file(weights, folder / WEIGHTS)
    (folder / CONFIG).write_text(json.dumps(settings, indent=1) + "\n", encoding="utf-8")


def read_settings(folder: Path) -> dict[str, Any]:
    """Return the settings from `write`.

    Raises:
        HarnessError: the file is missing or damaged.
    """
    try:
        return dict(json.loads((folder / CONFIG).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        problem = f"the adapter's config cannot be read: {one_line(error)}"
        raise HarnessError(problem, where=str(folder / CONFIG), fix="train the run again") from error


def fill(model: Any, folder: Path) -> Any:
    """Return the model with its trained weights set to those from `write`.

    Raises:
        HarnessError: names or shapes of the adapter's weights are not those of the model's trained weights.
    """
    from safetensors.torch import load_file

    saved_weights = load_file(folder / WEIGHTS)
    targets = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
    if {name: weight.shape for name, weight in targets.items()} != {name: w.shape for name, w in saved_weights.items()}:
        raise HarnessError(
            "the adapter belongs to another model: its weights have other names or shapes",
            where=str(folder),
            fix="pass the model that it was trained on",
        )
    for name, weight in targets.items():
        weight.data.copy_(saved_weights[name])
    return model


def save(model: Any, folder: Path, spec: RunSpec) -> None:
    """Write the adapter of a method that can be built again from the spec alone (see `restorer`)."""
    write(model, folder, {"method": spec.method, "base_model_name_or_path": spec.model, "spec": spec.fields()})


def restorer(adapt: Callable[[Any, RunSpec], Any]) -> Callable[[Any, Path], Any]:
    """Return the `restore` for `save`: it adapts the untrained model by the stored spec, and fills it."""

    def restore(model: Any, folder: Path) -> Any:
        fields = read_settings(folder)["spec"]
        fields = {key: tuple(value) if isinstance(value, list) else value for key, value in fields.items()}
        names = {field.name for field in dataclasses.fields(RunSpec)}
        spec = RunSpec(**{key: value for key, value in fields.items() if key in names})
        return fill(adapt(model, spec), folder).eval()

    return restore
