"""The weights that a run's training changed, before and after, layer by layer.

A tuned weight is the effective weight of the model: base weight and adapter merged in double precision, without roundings
of its own. The base weight has the method's precision: bf16 for an adapter of a bf16 run, unpacked from 4 or 8 bits
for QLoRA and similar methods. The output layer and the embeddings are excluded, as in LoRA, so methods are comparable.
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
from harness.methods import base
from harness.methods.parts import packed_product
from harness.model import checkpoint
from harness.model.checkpoint import Checkpoint
from harness.model.loading import linear_sides
from harness.record import RunSpec
from harness.store import records

FOLDER = "intruders"
SIDE_PARTS = ("prompt_embeddings", "prompt_encoder.", ".bottleneck.")  # in the names of modules beside the layers


@dataclass(frozen=True)
class Change:
    """A linear weight before and after training, [outputs, inputs] in double precision; `name` is its name in transformers."""

    name: str
    before: torch.Tensor
    after: torch.Tensor

    @property
    def kind(self) -> str:
        """The architecture's name for weights of this type, such as `q_proj`."""
        return self.name.rpartition(".")[2]


def changes_weights(adapter: Path) -> bool:
    """Return whether an adapter changes weights of the model, by the names in its file; no model is loaded."""
    names = [name for path in sorted(adapter.glob("*.safetensors")) for name in checkpoint.read_shapes(path)]
    return any(not any(mark in name for mark in SIDE_PARTS) for name in names)


def adapter_changes(folder: Path, spec: RunSpec, adapter: Path) -> Iterator[Change]:
    """Yield an adapter's changes of the model in `folder`, in the model's order; two copies of the model are in memory.

    Args:
        folder: the folder of the base model.
        spec: the run's spec.
        adapter: the run's adapter, see `changes_weights`.
    """
    from peft import PeftModel
    from peft.tuners.tuners_utils import BaseTunerLayer

    method = method_of(spec, adapter)
    model = method.load(str(folder), replace(spec, device="cpu"))
    before = {name: _reader(layer) for name, layer in _linear_layers(model)}
    restore = method.restore or PeftModel.from_pretrained
    model = restore(model, adapter)
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    layers = {name: layer for name, layer in inner.named_modules() if isinstance(layer, BaseTunerLayer)}
    for name in [name for name in before if name in layers]:
        weight = before[name]()
        yield Change(name, weight, _merged(layers[name], weight))


def model_changes(folder: Path, spec: RunSpec, tuned: Path) -> Iterator[Change]:
    """Yield the changes by full fine-tuning of each linear weight of the model in `folder`.

    Args:
        folder: the folder of the base model.
        spec: the run's spec.
        tuned: the run's model folder.
    """
    cpu_spec = replace(spec, device="cpu")
    first, second = (base.load_weights(str(path), cpu_spec, "fp32") for path in (folder, tuned))
    after = dict(_linear_layers(second))
    for name, layer in _linear_layers(first):
        yield Change(name, _reader(layer)(), _reader(after[name])())


def _linear_layers(model: Any) -> Iterator[tuple[str, Any]]:
    """Yield every linear layer except the output layer, including packed ones."""
    output = model.get_output_embeddings()
    for name, layer in model.named_modules():
        if layer is not output and linear_sides(layer) is not None:
            yield name, layer


def _reader(layer: Any) -> Callable[[], torch.Tensor]:
    """Return a function that reads a layer's present weight later, because PEFT may change the layer (PiSSA does)."""
    if getattr(layer.weight, "quant_state", None) is not None:
        return lambda: packed_product.unpack(layer).double()
    if getattr(layer.weight, "SCB", None) is not None:
        return lambda: packed_product.unpack_bytes(layer, layer.weight.SCB.dtype).double()
    return functools.partial(_outputs_by_inputs, layer, layer.weight.detach().clone())


def _outputs_by_inputs(layer: Any, weight: torch.Tensor) -> torch.Tensor:
    return (weight.T if type(layer).__name__ == "Conv1D" else weight).double()


def _merged(layer: Any, before: torch.Tensor) -> torch.Tensor:
    """Return the weight of an adapted layer with its adapter merged."""
    inner = layer.get_base_layer()
    if not inner.weight.is_floating_point():  # merging packed weights would round them again
        with torch.no_grad():
            deltas: list[torch.Tensor] = [layer.get_delta_weight(name).double() for name in layer.active_adapters]
        return torch.stack([before, *deltas]).sum(0)
    merged = copy.deepcopy(layer).double()
    merged.merge()
    return _outputs_by_inputs(inner, merged.get_base_layer().weight.detach())


@dataclass(frozen=True)
class RunWeights:
    """A run with its base model and the folder of its adapter or model."""

    run: records.Run
    base: Checkpoint
    folder: Path

    @property
    def spec(self) -> RunSpec:
        """The run's spec."""
        return self.run.record.spec

    def changes(self) -> Iterator[Change]:
        """Yield every weight that training changed, before and after."""
        read = adapter_changes if self.folder.name == records.ADAPTER else model_changes
        return read(self.base.folder, self.spec, self.folder)
