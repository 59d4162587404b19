"""LoRA (Hu et al. 2021, arXiv:2106.09685): low-rank adapters on all linear layers of a frozen model, through PEFT."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

from harness.methods import base
from harness.record import RunSpec
from harness.schema import Method


def load(folder: str, spec: RunSpec) -> Any:
    """Return the model in `spec.dtype`; its weights are frozen, so they need no fp32 master copy."""
    return base.load_weights(folder, spec, spec.dtype)


def adapt(model: Any, spec: RunSpec) -> Any:
    """Return the model with fp32 adapters of rank `spec.rank` on every linear layer but the output layer.

    The start values depend on `spec.seed` alone.
    """
    return adapt_with(model, spec)


def adapt_with(model: Any, spec: RunSpec, **options: Any) -> Any:
    """Return the adapted model; `options` are arguments of PEFT's `LoraConfig`, for methods that differ by one of them.

    Layers that an adapter cannot reach or must not change are left out (see `architecture.without_adapter`).

    Raises:
        HarnessError: as `peft_model.wrap`.
    """
    import torch
    from peft import LoraConfig

    from harness.methods.parts import architecture, peft_model

    torch.manual_seed(spec.seed)
    excluded = architecture.without_adapter(model)
    config = LoraConfig(
        task_type="CAUSAL_LM",
        target_modules="all-linear",
        exclude_modules=excluded or None,
        r=spec.rank,
        lora_alpha=spec.alpha,
        lora_dropout=spec.dropout,
        bias="none",
        **options,
    )
    model = peft_model.wrap(model, config, spec)
    if excluded:  # the layers by name, since not every tool that reads an adapter knows exclusions
        config.target_modules, config.exclude_modules = peft_model.adapted_modules(model), None
    return fuse(model, spec)


def fuse(model: Any, spec: RunSpec) -> Any:
    """Return an adapted model with LoRA layers that compute as in a run, by `_forward`; PEFT's layers round bf16 differently."""
    import torch
    from peft.tuners.lora import LoraLayer

    for layer in model.modules():
        if isinstance(layer, LoraLayer):
            # PEFT casts each layer's input to the adapter's fp32, and autocast casts it back. The fp32 copy would be saved
            # for the backward pass, 2.5 times the memory of all other tensors that LoRA saves.
            layer.cast_input_dtype_enabled = spec.dtype != "bf16"
            if isinstance(layer.get_base_layer(), torch.nn.Linear) and not layer.lora_variant:
                layer.forward = functools.partial(_forward, layer)
    return model


def _forward(layer: Any, inputs: Any) -> Any:
    """Return W x + (alpha / r) B A x as PEFT's own layer does, in one operation if W is frozen and there is no dropout.

    PEFT's separate multiplication and addition of full-width tensors cost a quarter of a small model's step.
    """
    import torch

    from harness.methods.parts import lora_kernel

    base_layer = layer.base_layer
    if layer.disable_adapters or layer.merged:
        return base_layer(inputs)
    (name,) = layer.active_adapters
    low, high, dropout = layer.lora_A[name], layer.lora_B[name].weight, layer.lora_dropout[name]
    weight = _frozen_weight(base_layer)
    idle = isinstance(dropout, torch.nn.Identity) or not dropout.training
    if weight is not None and idle:
        return lora_kernel.product(inputs, weight, base_layer.bias, low.weight, high, layer.scaling[name])
    frozen = base_layer(inputs)
    inner = low(dropout(inputs))
    output = torch.addmm(frozen.flatten(0, -2), inner.flatten(0, -2), high.t(), alpha=layer.scaling[name])
    return output.view_as(frozen)


def _frozen_weight(layer: Any) -> Callable[[], Any] | None:
    """Return a function for a layer's weight, or None if a part of the layer trains or its product is not a plain one."""
    import torch

    if any(weight.requires_grad for weight in layer.parameters()):
        return None
    if type(layer) is torch.nn.Linear:
        return lambda: layer.weight
    unpack: Callable[[], Any] | None = getattr(
        layer, "unpack_weight", None
    )  # for packed weights, see `parts.packed_product`
    return unpack


RATES = {224: 1e-3, 576: 8e-4, 4096: 2e-4}  # by width


def alpha(rank: int, hidden_size: int) -> float:
    """Return the usual 32 from width 512, 45 times the root of the rank up to 224, and between them a power law.

    The embedded model has far to go, and a larger alpha goes farther at the same rate. Its scale has to fall with the root
    of the rank (rsLoRA, Kalajdzievski 2023, arXiv:2312.03732). With twice this alpha rank 32 learns less than rank 8 on `cfa`
    (34.7 and 38.8 %; guessing gets 33), with this one more (docs/learning_rates.md).
    """
    narrow = 45.0 * math.sqrt(rank)
    return float(round(base.ALPHA * (narrow / base.ALPHA) ** base.narrowness(hidden_size)))


def learning_rate(hidden_size: int) -> float:
    """Return the rate at a width, by power laws between three.

    1e-3 at 224 was tuned on the validation splits with the embedded model. 8e-4 at 576 is the best on `tfns` and `openbookqa` with
    SmolLM2-135M-Instruct (docs/learning_rates.md). 2e-4 at 4,096 is usual for 7 B weights (Dettmers et al. 2023,
    arXiv:2305.14314).
    """
    return base.rate_through(hidden_size, RATES)


METHOD = Method(
    name="lora",
    title="LoRA on all linear layers",
    load=load,
    adapt=adapt,
    learning_rate=learning_rate,
    alpha=alpha,
    ranked=True,
    dropout=True,
    adapter=True,
    requires=("peft",),
)
