"""Adapters that PEFT has no layout for: what trained under its own names, beside what it takes to build it again."""

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
    """Write every weight of the model that trains, and the settings."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    kept = {name: weight.detach().cpu() for name, weight in model.named_parameters() if weight.requires_grad}
    save_file(kept, folder / WEIGHTS)
    (folder / CONFIG).write_text(json.dumps(settings, indent=1) + "\n", encoding="utf-8")


def read_settings(folder: Path) -> dict[str, Any]:
    """Return the settings that `write` wrote.

    Raises:
        HarnessError: there are none, or they are damaged.
    """
    try:
        return dict(json.loads((folder / CONFIG).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        problem = f"the adapter's config cannot be read: {one_line(error)}"
        raise HarnessError(problem, where=str(folder / CONFIG), fix="train the run again") from error


def fill(model: Any, folder: Path) -> Any:
    """Return the model with what `write` wrote in the weights that train.

    Raises:
        HarnessError: the adapter has other weights than the model trains.
    """
    from safetensors.torch import load_file

    weights = load_file(folder / WEIGHTS)
    mine = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
    if {name: weight.shape for name, weight in mine.items()} != {name: w.shape for name, w in weights.items()}:
        raise HarnessError(
            "the adapter belongs to another model", where=str(folder), fix="pass the model it was made for"
        )
    for name, weight in mine.items():
        weight.data.copy_(weights[name])
    return model


def save(model: Any, folder: Path, spec: RunSpec) -> None:
    """Write the adapter of a method whose `adapt` builds it again from the spec alone (see `restorer`)."""
    write(model, folder, {"method": spec.method, "base_model_name_or_path": spec.model, "spec": spec.fields()})


def restorer(adapt: Callable[[Any, RunSpec], Any]) -> Callable[[Any, Path], Any]:
    """Return the `restore` that belongs to `save`: adapt the untrained model by the spec that was kept, and fill it."""

    def restore(model: Any, folder: Path) -> Any:
        fields = read_settings(folder)["spec"]
        fields = {key: tuple(value) if isinstance(value, list) else value for key, value in fields.items()}
        known = {field.name for field in dataclasses.fields(RunSpec)}
        spec = RunSpec(**{key: value for key, value in fields.items() if key in known})
        return fill(adapt(model, spec), folder).eval()

    return restore
