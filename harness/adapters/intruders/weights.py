"""The weights that a run's training changed, each beside what it was in the base model, layer by layer.

A tuned weight is what the model multiplies with: base weight and adapter merged in double precision, so that nothing is
rounded which the run did not round. The base weight is the one that the method keeps: in bf16 for an adapter of a bf16
run, unpacked from 4 or 8 bits for QLoRA and its like. The output layer and the embeddings are left out, as LoRA leaves
them out, so that methods compare.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from harness.adapters.library import method_of
from harness.methods import base, lora8, qlora
from harness.model import checkpoint
from harness.model.checkpoint import Checkpoint
from harness.model.loading import linear_sides
from harness.record import RunSpec
from harness.store import records

FOLDER = "intruders"


BESIDE = ("prompt_embeddings", "prompt_encoder.", ".bottleneck.")  # in the names of what stands beside the layers


@dataclass(frozen=True)
class Change:
    """A linear weight before and after training, [outputs, inputs] in double precision; `name` is transformers' own."""

    name: str
    before: torch.Tensor
    after: torch.Tensor

    @property
    def kind(self) -> str:
        """What the architecture calls weights of this type, such as `q_proj`."""
        return self.name.rpartition(".")[2]


def changes_weights(adapter: Path) -> bool:
    """Return whether an adapter changes weights of the model, from the names in its file alone: no model is loaded."""
    names = [name for path in sorted(adapter.glob("*.safetensors")) for name in checkpoint.read_shapes(path)]
    return any(not any(mark in name for mark in BESIDE) for name in names)


def of_adapter(folder: Path, spec: RunSpec, adapter: Path) -> Iterator[Change]:
    """Yield what an adapter changes in the model of `folder`, in the model's order; the model is held twice.

    Args:
        folder: of the base model.
        spec: the run's.
        adapter: the run's adapter, see `changes_weights`.
    """
    from peft import PeftModel
    from peft.tuners.tuners_utils import BaseTunerLayer

    method, here = method_of(spec, adapter), replace(spec, device="cpu")
    model = method.load(str(folder), here)
    before = {name: _reader(layer) for name, layer in _linears(model)}
    restore = method.restore or PeftModel.from_pretrained
    model = restore(model, adapter)
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    layers = {name: layer for name, layer in inner.named_modules() if isinstance(layer, BaseTunerLayer)}
    for name in [name for name in before if name in layers]:
        was = before[name]()
        yield Change(name, was, _merged(layers[name], was))


def of_model(folder: Path, spec: RunSpec, tuned: Path) -> Iterator[Change]:
    """Yield what full fine-tuning made of each linear weight of the model of `folder`.

    Args:
        folder: of the base model.
        spec: the run's.
        tuned: the model folder that the run kept.
    """
    here = replace(spec, device="cpu")
    first, second = (base.load_weights(str(place), here, "fp32") for place in (folder, tuned))
    after = dict(_linears(second))
    for name, layer in _linears(first):
        yield Change(name, _reader(layer)(), _reader(after[name])())


def _linears(model: Any) -> Iterator[tuple[str, Any]]:
    """Yield every linear layer but the output layer, packed ones too."""
    output = model.get_output_embeddings()
    for name, layer in model.named_modules():
        if layer is not output and linear_sides(layer) is not None:
            yield name, layer


def _reader(layer: Any) -> Callable[[], torch.Tensor]:
    """Return what reads a layer's weight as it is now: PEFT may change the layer itself (PiSSA does)."""
    if getattr(layer.weight, "quant_state", None) is not None:
        return lambda: qlora.unpack(layer).double()
    if getattr(layer.weight, "SCB", None) is not None:
        return lambda: lora8.unpack(layer, layer.weight.SCB.dtype).double()
    return functools.partial(_upright, layer, layer.weight.detach().clone())


def _upright(layer: Any, weight: torch.Tensor) -> torch.Tensor:
    return (weight.T if type(layer).__name__ == "Conv1D" else weight).double()


def _merged(layer: Any, before: torch.Tensor) -> torch.Tensor:
    """Return the weight of an adapted layer with its adapter in it."""
    inner = layer.get_base_layer()
    if not inner.weight.is_floating_point():  # packed weights would be rounded anew
        with torch.no_grad():
            added: list[torch.Tensor] = [layer.get_delta_weight(name).double() for name in layer.active_adapters]
        return torch.stack([before, *added]).sum(0)
    whole = copy.deepcopy(layer).double()
    whole.merge()
    return _upright(inner, whole.get_base_layer().weight.detach())


@dataclass(frozen=True)
class RunWeights:
    """A run whose weights are at hand: the base model, and the folder that the run kept."""

    run: records.Run
    base: Checkpoint
    kept: Path

    @property
    def spec(self) -> RunSpec:
        """The run's."""
        return self.run.record.spec

    def changes(self) -> Iterator[Change]:
        """Every weight that training changed, before and after."""
        find = of_adapter if self.kept.name == records.ADAPTER else of_model
        return find(self.base.folder, self.spec, self.kept)
