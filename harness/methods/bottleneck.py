"""Bottleneck adapters (Houlsby et al. 2019, arXiv:1902.00751): two small layers behind each feed-forward block.

One in each layer, behind the feed-forward block alone, as Pfeiffer et al. (2021, arXiv:2005.00247) place it; its output is
scaled as LoRA's is (He et al. 2022, arXiv:2110.04366), by alpha / width, so that one learning rate serves every width.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import math
from pathlib import Path
from typing import Any

from harness.errors import HarnessError
from harness.methods import lora
from harness.schema import RunSpec, usual_alpha

BLOCKS = ("mlp", "feed_forward", "ffn")  # what architectures call the feed-forward block of a layer
CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"


def adapt(model: Any, spec: RunSpec) -> Any:
    """Return the frozen model with adapters of width `spec.rank`, which start as no change.

    Raises:
        HarnessError: the architecture has no block of a known name.
    """
    import torch

    torch.manual_seed(spec.seed)
    return _insert(model, spec.rank, spec.alpha)


def _insert(model: Any, width: int, alpha: float) -> Any:
    """Put `up(relu(down(x)))` of fp32 weights beside the identity behind each block."""
    import torch

    blocks = [block for name, block in model.named_modules() if name.rpartition(".")[2] in BLOCKS]
    if not blocks:
        problem = f"no feed-forward block is known by its name in {type(model).__name__}"
        raise HarnessError(problem, where="--method bottleneck", fix="pass another model or method")
    hidden = model.config.get_text_config().hidden_size
    model.requires_grad_(False)
    for block in blocks:
        place = {"device": next(block.parameters()).device, "dtype": torch.float32}
        down, up = torch.nn.Linear(hidden, width, **place), torch.nn.Linear(width, hidden, **place)
        torch.nn.init.kaiming_uniform_(down.weight, a=math.sqrt(5))
        for weight in (down.bias, up.weight, up.bias):
            torch.nn.init.zeros_(weight)
        block.add_module("bottleneck", torch.nn.Sequential(down, torch.nn.ReLU(), up))
        block.register_forward_hook(functools.partial(_add, alpha / width))
    return model


def _add(scale: float, block: Any, inputs: Any, output: Any) -> Any:
    """Return the block's output with the adapter's added; a block of experts returns its routing beside it."""
    if isinstance(output, tuple):
        return (_add(scale, block, inputs, output[0]), *output[1:])
    return output + scale * block.bottleneck(output)


def save(model: Any, folder: Path, spec: RunSpec) -> None:
    """Write the adapters' weights and what it takes to build them again."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    kept = {name: weight.detach().cpu() for name, weight in model.named_parameters() if weight.requires_grad}
    save_file(kept, folder / WEIGHTS)
    config = {"method": "bottleneck", "width": spec.rank, "alpha": spec.alpha, "base_model_name_or_path": spec.model}
    (folder / CONFIG).write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")


def restore(model: Any, folder: Path) -> Any:
    """Return the untrained model with the adapters that `save` wrote."""
    from safetensors.torch import load_file

    config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    model = _insert(model, config["width"], config["alpha"])
    weights = load_file(folder / WEIGHTS)
    mine = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
    if mine.keys() != weights.keys():
        raise HarnessError(
            "the adapter belongs to another model", where=str(folder), fix="pass the model it was made for"
        )
    for name, weight in mine.items():
        weight.data.copy_(weights[name])
    return model


METHOD = dataclasses.replace(
    lora.METHOD,
    name="bottleneck",
    title="adapter modules behind feed-forward",
    adapt=adapt,
    alpha=usual_alpha,
    requires=(),
    save=save,
    restore=restore,
)
