"""The predicted peak memory of a training run, without loading a weight.

The model is built from its config out of fake tensors, with a shape and no memory. The training loop's own step then
runs under the byte-counter of real runs. Nothing is fitted to measurements, except the memory of cuBLAS on CUDA.

Under an adapter a deep model of equal layers is counted with a few layers at two depths, and its peak lies on the line
through both: with 6 and 9 of the 32 layers of an 8B Llama it is within 0.2 % of the count of all layers
(`tests/runs/test_depth.py`). Full fine-tuning is counted with all layers. Its peak is that of another moment in a deep
model than in a shallow one.
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import functools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from harness.errors import HarnessError
from harness.methods.parts import packing
from harness.model.byte_counter import ByteCounter
from harness.model.cpu_attention import fast_backward
from harness.model.loading import linear_sides, load_config, skeleton
from harness.model.tokenize import Pair
from harness.record import RunSpec
from harness.schema import Method
from harness.training.loop import make_optimizer, make_ready, train_step

# Of cuBLAS, in bytes: on an H200 (torch 2.11, CUDA 13) the peaks of LoRA, QLoRA and full fine-tuning of a model of 4 M
# weights were 60.8 to 61.4 MiB above the live tensors.
WORKSPACE = 61 * 2**20
DEPTHS = (6, 9)  # layers that are counted of a deep model
EQUAL_LAYERS = frozenset(("llama", "mistral", "qwen2", "qwen3"))  # architectures without layers of several kinds
BLOCK, SUPER_BLOCK = 64, 256  # of NF4 with double quantisation: weights per scale, scales per scale of scales


def training_peak(folder: Path, spec: RunSpec, method: Method, rows: Sequence[Pair]) -> int:
    """Return the predicted peak of live tensor bytes of a training step, 0 if it cannot be; on CUDA with cuBLAS's memory.

    There the allocator's rounding comes on top: 1 to 3 % for a model of 300 M weights on an H200.

    Args:
        folder: of the model; only its config is read.
        spec: gives rank, precision, micro-batch and window.
        method: its trainable weights, and the bits of the frozen ones.
        rows: the examples of the step with the longest ones, longest first; cut to the window. If there are none, the
            method is only tried on the architecture.

    Raises:
        HarnessError: the method does not fit the architecture.
    """
    if not method.trains:
        return 0
    config = load_config(folder, remote_code=spec.remote_code)
    form = packing.stored(config)
    imitated = not method.after_step and (form is None or form[0] == "bitsandbytes")
    if not rows or not imitated:  # other libraries' layers, and work between the steps that reads values
        adapted_skeleton(config, spec, method)
        return 0
    try:
        live = config_peak(config, spec, method, rows)
    except (HarnessError, MemoryError):
        raise
    except Exception:  # code of an architecture that fake tensors cannot follow; the run itself may be sound
        return 0
    return live + (WORKSPACE if spec.device == "cuda" else 0)


def config_peak(config: Any, spec: RunSpec, method: Method, rows: Sequence[Pair]) -> int:
    """Return `training_peak` for a transformers config, without the memory of cuBLAS."""
    shallow = [with_layers(config, count) for count in DEPTHS]
    names_layers = isinstance(method.adapt, functools.partial)
    bends = not method.adapter  # the more layers, the later in the step all weights' gradients are the most
    if names_layers or bends or any(part is None for part in shallow):
        return config_counter(config, spec, method, rows).peak
    low, high = (config_counter(part, spec, method, rows).peak for part in shallow)
    return high + round((high - low) / (DEPTHS[1] - DEPTHS[0]) * (int(config.num_hidden_layers) - DEPTHS[1]))


def with_layers(config: Any, count: int) -> Any | None:
    """Return the config of a model of equal layers with so many of them; None for few layers, and if they may differ."""
    values = config.to_dict()
    kinds = values.get("layer_types") or []
    if config.model_type not in EQUAL_LAYERS or config.num_hidden_layers <= sum(DEPTHS) or len(set(kinds)) > 1:
        return None
    part = copy.deepcopy(config)
    part.num_hidden_layers = count
    if kinds:
        part.layer_types = kinds[:count]
    return part


def config_counter(config: Any, spec: RunSpec, method: Method, rows: Sequence[Pair]) -> ByteCounter:
    """Return the counter of the fake step: the peak, with gradients and optimizer state at that moment."""
    return _count(adapted_skeleton(config, spec, method), spec, method, rows)


def _count(model: Any, spec: RunSpec, method: Method, rows: Sequence[Pair]) -> ByteCounter:
    # The second micro-batch meets the gradients of the first; all later ones are shorter.
    longest = sorted((cut(pair, spec.max_tokens) for pair in rows), key=len, reverse=True)[: 2 * spec.micro_batch]
    if spec.batch_size > spec.micro_batch >= len(longest):
        longest = longest * 2
    make_ready(model, spec)
    on_cpu = dataclasses.replace(spec, device="cpu")  # the fake tensors claim to be there
    with (
        FakeTensorMode(),
        _experts_for_fakes(),
        fast_backward(model, dtype=spec.dtype, device=spec.device, masked=False),
        contextlib.ExitStack() as stack,
    ):
        _make_fake(model)
        shards = None
        if spec.shards > 1:
            from harness.runs.forecast.shards import divided

            shards = stack.enter_context(divided(model, spec))
        optimizer = make_optimizer(model, on_cpu, make=method.optimizer)
        _make_state(optimizer)
        with ByteCounter(model, optimizer) as counter:
            train_step(model, optimizer, longest, on_cpu, 0.0, padding=0, shards=shards)
    return counter


@contextlib.contextmanager
def _experts_for_fakes() -> Iterator[None]:
    """A context in which experts use transformers' own product: torch's refuses fake tensors that are not bf16."""
    from transformers.integrations import moe

    before = moe._can_use_grouped_mm
    moe._can_use_grouped_mm = lambda *_: False
    try:
        yield
    finally:
        moe._can_use_grouped_mm = before


def adapted_skeleton(config: Any, spec: RunSpec, method: Method) -> Any:
    """Return the model of a config as a method adapts it, on the meta device.

    Raises:
        HarnessError: the method does not fit the architecture.
    """
    model = skeleton(config, remote_code=spec.remote_code, dtype=_stored(spec, method))
    with torch.device("meta"):
        _pack(model, spec, method)
        return method.adapt(model, spec)


def _pack(model: Any, spec: RunSpec, method: Method) -> None:
    """Pack the linear layers of a model as its method loads them, or as its folder stores them.

    Raises:
        HarnessError: the method and the folder do not go together, or too few weights would be packed.
    """
    bits = 0 if method.frozen_bits in (0.0, 16.0) else 4 if method.frozen_bits < 8 else 8
    if bits:
        packing.refuse_stored(model.config, spec, bits)
    present = packing.stored(model.config)
    if packed := bits or (present[1] if present and method.adapter else 0):
        _pack_linears(model, _PackedLinear if packed == 4 else _ByteLinear)
    if bits:
        packing.require(model, spec, bits)


def _make_state(optimizer: torch.optim.Optimizer) -> None:
    """Give the optimizer its state of the second step, without a pass through the model."""
    for group in optimizer.param_groups:
        for weight in group["params"]:
            weight.grad = torch.empty_like(weight)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)


def _stored(spec: RunSpec, method: Method) -> torch.dtype:
    """Return the precision of the loaded weights: trained ones are in the method's, frozen ones follow the spec."""
    half = method.adapter or method.trained_bits == 16
    return torch.bfloat16 if half and spec.dtype == "bf16" else torch.float32


def _make_fake(model: Any) -> None:
    """Turn every meta tensor of a model into a fake one in place, tied weights staying tied."""
    parameters: dict[int, Any] = {}
    for layer in model.modules():
        for name, weight in layer._parameters.items():
            if weight is not None:
                fake = torch.empty(weight.shape, dtype=weight.dtype)
                parameters.setdefault(id(weight), torch.nn.Parameter(fake, requires_grad=weight.requires_grad))
                layer._parameters[name] = parameters[id(weight)]
        for name, buffer in layer._buffers.items():
            if buffer is not None:
                layer._buffers[name] = torch.empty(buffer.shape, dtype=buffer.dtype)
    for name, tokens in getattr(model, "prompt_tokens", {}).items():  # PEFT's indices of virtual tokens are no buffers
        model.prompt_tokens[name] = torch.empty(tokens.shape, dtype=tokens.dtype)


def cut(pair: Pair, window: int) -> Pair:
    """Return the pair without the prompt's beginning, and of a long text without its end, so that it fits the window."""
    excess = max(0, len(pair) - window)
    prompt = pair.prompt[min(excess, len(pair.prompt) - 1) :]
    return Pair(prompt, pair.target[: max(1, window - len(prompt))])


def _pack_linears(model: Any, kind: type[_PackedLinear]) -> None:
    """Replace the linear layers that bitsandbytes packs by stand-ins that hold packed weights."""
    for name in packing.packable(model):
        layer = model.get_submodule(name)
        if sides := linear_sides(layer):
            parent, _, child = name.rpartition(".")
            setattr(model.get_submodule(parent), child, kind(*sides, layer.weight.dtype, layer.bias))


class _PackedLinear(torch.nn.Linear):
    """A linear layer of the size that bitsandbytes gives it: NF4 with double quantisation."""

    packed_bits = 4

    def __init__(self, inputs: int, outputs: int, dtype: torch.dtype, bias: torch.nn.Parameter | None) -> None:
        super().__init__(1, 1, bias=False)
        self.in_features, self.out_features, self.compute_dtype = inputs, outputs, dtype
        scales = -(-inputs * outputs // BLOCK)
        packed = torch.empty((-(-inputs * outputs // 2), 1), dtype=torch.uint8)
        self.weight = torch.nn.Parameter(packed, requires_grad=False)
        self.register_parameter("bias", bias)
        self.scales = torch.nn.Buffer(torch.empty(scales, dtype=torch.uint8))
        self.scales_of_scales = torch.nn.Buffer(torch.empty(-(-scales // SUPER_BLOCK)))
        self.code_books = torch.nn.Buffer(torch.empty(16 + 256 + 1))  # of weights and of scales, and an offset

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Multiply as bitsandbytes does: unpack the layer, forget it again."""
        sides = (self.out_features, self.in_features)
        result: torch.Tensor = _PackedProduct.apply(inputs.to(self.compute_dtype), sides)  # type: ignore[no-untyped-call]
        return result if self.bias is None else result + self.bias


class _ByteLinear(_PackedLinear):
    """A linear layer in int8 with one fp32 scale for each row, unpacked by way of fp32 (see `methods.lora8`)."""

    packed_bits = 8

    def __init__(self, inputs: int, outputs: int, dtype: torch.dtype, bias: torch.nn.Parameter | None) -> None:
        torch.nn.Linear.__init__(self, 1, 1, bias=False)
        self.in_features, self.out_features, self.compute_dtype = inputs, outputs, dtype
        self.weight = torch.nn.Parameter(torch.empty((outputs, inputs), dtype=torch.int8), requires_grad=False)
        self.register_parameter("bias", bias)
        self.scales = torch.nn.Buffer(torch.empty(outputs))


class _PackedProduct(torch.autograd.Function):
    """Product with an unpacked weight that is not kept for the backward pass but unpacked again there."""

    @staticmethod
    def forward(ctx: Any, inputs: torch.Tensor, sides: tuple[int, int]) -> torch.Tensor:
        ctx.sides = sides
        return torch.nn.functional.linear(inputs, inputs.new_empty(sides))

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None]:
        return gradients[0] @ gradients[0].new_empty(ctx.sides), None
