"""The share of a model's weights that is really stored in 4 or 8 bits, and models whose folder holds them so already.

bitsandbytes packs plain linear layers alone. Subclasses of them (Falcon's) and experts that are stored as one tensor
(Mixtral's) stay as they are, so that a row called `qlora` could be LoRA. Such a run is refused.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from harness.errors import HarnessError
from harness.methods.parts import architecture
from harness.record import RunSpec

LEAST_SHARE = 0.75  # of the matrices in the decoder's layers; the rest are routers, convolutions and the like


def numbers(weight: Any) -> int:
    """Return the count of numbers in a weight; bitsandbytes packs two of 4 bits into one byte."""
    state = getattr(weight, "quant_state", None)
    return math.prod(state.shape) if state is not None else int(weight.numel())


def layer_bits(layer: Any) -> int:
    """Return 4 or 8 for a layer whose weight is packed, as bitsandbytes' and a forecast's stand-ins are, else 0."""
    kind = type(layer).__name__
    return int(getattr(layer, "packed_bits", 0)) or {"Linear4bit": 4, "Linear8bitLt": 8}.get(kind, 0)


def packed_weights(model: Any) -> int:
    """Return the number of weights in packed layers."""
    layers = [layer for layer in model.modules() if layer_bits(layer) and hasattr(layer, "in_features")]
    return sum(layer.in_features * layer.out_features for layer in layers)


@dataclass(frozen=True)
class Counts:
    """Counts of a model's weights: all, those in 4 or 8 bits, and those that text never reaches."""

    weights: int
    packed: int
    idle: int


def count(model: Any) -> Counts:
    """Return the counts of a model without adapters."""
    idle = architecture.idle_weights(model)
    return Counts(sum(map(numbers, model.parameters())), packed_weights(model), sum(map(numbers, idle)))


def share(model: Any, bits: int) -> float:
    """Return the share of the matrices in the decoder's layers that is stored in `bits`; embeddings do not count."""
    counts = [(count, stored == bits) for _, count, stored in _matrices(model)]
    return sum(count for count, packed in counts if packed) / max(1, sum(count for count, _ in counts))


def require(model: Any, spec: RunSpec, bits: int) -> Any:
    """Return the model if enough of it is in `bits`.

    Raises:
        HarnessError: less than `LEAST_SHARE` of the matrices in its layers is.
    """
    part = share(model, bits)
    if part < LEAST_SHARE:
        plain = [name.removesuffix(".weight") for name, _, stored in _matrices(model) if stored != bits]
        problem = (
            f"only {100 * part:.0f} % of the weights in the layers of {architecture.label(model)} would be in {bits} bits, "
            f"{100 * LEAST_SHARE:.0f} % are needed: bitsandbytes leaves {architecture.kinds(plain)} as they are"
        )
        raise HarnessError(problem, where=f"--method {spec.method}", fix="--method lora, or another model")
    return model


def _matrices(model: Any) -> Iterator[tuple[str, int, int]]:
    """Yield (name, count of numbers, bits if packed, else 0) of each matrix in the layers that text goes through."""
    import torch

    beyond, output = architecture.beyond_text(model), model.get_output_embeddings()
    for name, layer in model.named_modules():
        if name in beyond or layer is output or isinstance(layer, torch.nn.Embedding):
            continue
        if bits := layer_bits(layer):
            yield name, layer.in_features * layer.out_features, bits
            continue
        for key, weight in layer.named_parameters(recurse=False):
            if weight.ndim > 1:
                yield f"{name}.{key}", weight.numel(), 0


def kept_plain(model: Any) -> list[str] | None:
    """Return the names of the linear layers that must not be packed, None if transformers' own choice is enough.

    Args:
        model: on any device, also the meta device.
    """
    from transformers.quantizers.base import get_keys_to_not_convert

    direct = [name for name in architecture.read_directly(model) if name.endswith("dt_proj")]
    return [*get_keys_to_not_convert(model), *direct] if direct else None


def packable(model: Any) -> list[str]:
    """Return the names of the layers that transformers packs through bitsandbytes."""
    import torch
    from transformers.pytorch_utils import Conv1D
    from transformers.quantizers.base import get_keys_to_not_convert
    from transformers.quantizers.quantizers_utils import should_convert_module

    plain = kept_plain(model) or get_keys_to_not_convert(model)
    layers = [(name, layer) for name, layer in model.named_modules() if should_convert_module(name, plain)]
    return [name for name, layer in layers if type(layer) is torch.nn.Linear or isinstance(layer, Conv1D)]


def stored(config: Any) -> tuple[str, int] | None:
    """Return (library or format, bits) of the weights in a model's folder if they are stored quantised, else None.

    The bits are 0 if the config does not tell them.
    """
    settings = getattr(config, "quantization_config", None)
    if settings is None:
        return None
    return read_settings(settings if isinstance(settings, dict) else settings.to_dict())


def read_settings(settings: dict[str, Any]) -> tuple[str, int]:
    """Return (library or format, bits) of the entry `quantization_config` of a config."""
    if settings.get("load_in_4bit") or settings.get("_load_in_4bit"):
        return "bitsandbytes", 4
    if settings.get("load_in_8bit") or settings.get("_load_in_8bit"):
        return "bitsandbytes", 8
    kind = getattr(settings.get("quant_method"), "value", settings.get("quant_method")) or "an unknown format"
    fixed = {"fp8": 8, "fbgemm_fp8": 8, "mxfp4": 4}
    bits = next((settings[key] for key in ("bits", "w_bit", "nbits") if isinstance(settings.get(key), int)), 0)
    return str(kind), bits or fixed.get(str(kind), 0)


def refuse_stored(config: Any, spec: RunSpec, bits: int) -> None:
    """Raise an error if a method that packs weights in `bits` meets a folder that stores them otherwise quantised.

    Raises:
        HarnessError: with the bits of the folder.
    """
    present = stored(config)
    if present and present != ("bitsandbytes", bits):
        problem = f"{spec.method} packs weights in {bits} bits, and the folder holds them {words(present)} already"
        raise HarnessError(problem, where=spec.model, fix="--method lora trains on them; or pass the unquantised model")


def refuse_to_train(config: Any, spec: RunSpec) -> None:
    """Raise an error if every weight is to train and the folder stores them quantised.

    Raises:
        HarnessError: with the bits of the folder.
    """
    if present := stored(config):
        problem = f"{spec.method} trains every weight, and the folder holds them {words(present)}, which cannot train"
        raise HarnessError(problem, where=spec.model, fix="pass the unquantised model, or --method lora")


def words(present: tuple[str, int]) -> str:
    """Return `in 4 bits (bitsandbytes)`."""
    kind, bits = present
    return f"in {bits} bits ({kind})" if bits else f"quantised ({kind})"
