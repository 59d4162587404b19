"""Bottleneck adapters (Houlsby et al. 2019, arXiv:1902.00751): two small layers behind each feed-forward block.

Each layer has one adapter, behind the feed-forward block alone, as in Pfeiffer et al. (2021, arXiv:2005.00247). Its output
is scaled by alpha / width, as LoRA's is (He et al. 2022, arXiv:2110.04366), so that one learning rate serves every width.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from pathlib import Path
from typing import Any

from harness.errors import HarnessError
from harness.methods import lora
from harness.methods.parts import architecture, own_adapter
from harness.record import RunSpec

BLOCKS = ("mlp", "feed_forward", "ffn")  # architectures' names of the feed-forward block of a layer


def adapt(model: Any, spec: RunSpec) -> Any:
    """Return the frozen model with adapters of width `spec.rank`, which change nothing at the start.

    Raises:
        HarnessError: the architecture has no block of a known name.
    """
    return insert(model.requires_grad_(False), spec, alpha=spec.alpha)


def insert(model: Any, spec: RunSpec, *, alpha: float) -> Any:
    """Return the model with trained adapters; their start depends on the seed, and other weights keep training.

    Raises:
        HarnessError: as `adapt`.
    """
    import torch

    torch.manual_seed(spec.seed)
    return _insert(model, spec.rank, alpha)


def _insert(model: Any, width: int, alpha: float) -> Any:
    """Return the model with `up(relu(down(x)))` of fp32 weights beside the identity behind each block."""
    import torch

    beyond = architecture.beyond_text(model)
    blocks = [
        block for name, block in model.named_modules() if name.rpartition(".")[2] in BLOCKS and name not in beyond
    ]
    if not blocks:
        problem = f"{architecture.label(model)} has no feed-forward block with one of the names {', '.join(BLOCKS)}"
        raise HarnessError(problem, where="--method bottleneck", fix="pass another model or method")
    hidden = model.config.get_text_config().hidden_size
    for block in blocks:
        options = {"device": next(block.parameters()).device, "dtype": torch.float32}
        down, up = torch.nn.Linear(hidden, width, **options), torch.nn.Linear(width, hidden, **options)
        torch.nn.init.kaiming_uniform_(down.weight, a=math.sqrt(5))
        for weight in (down.bias, up.weight, up.bias):
            torch.nn.init.zeros_(weight)
        block.add_module("bottleneck", torch.nn.Sequential(down, torch.nn.ReLU(), up))
        block.register_forward_hook(functools.partial(_add, alpha / width))
    return model


def _add(scale: float, block: Any, inputs: Any, output: Any) -> Any:
    """Return the block's output plus the adapter's; a block of experts returns its routing, too."""
    if isinstance(output, tuple):
        return (_add(scale, block, inputs, output[0]), *output[1:])
    return output + scale * block.bottleneck(output)


def save(model: Any, folder: Path, spec: RunSpec) -> None:
    """Write the adapters' weights and the settings for building them again."""
    own_adapter.write(
        model,
        folder,
        {"method": "bottleneck", "width": spec.rank, "alpha": spec.alpha, "base_model_name_or_path": spec.model},
    )


def restore(model: Any, folder: Path) -> Any:
    """Return the untrained model with the adapters that `save` wrote."""
    config = own_adapter.read_settings(folder)
    return own_adapter.fill(_insert(model.requires_grad_(False), config["width"], config["alpha"]), folder)


METHOD = dataclasses.replace(
    lora.METHOD,
    name="bottleneck",
    title="adapter modules behind feed-forward",
    adapt=adapt,
    alpha=None,
    dropout=False,
    requires=(),
    save=save,
    restore=restore,
)
