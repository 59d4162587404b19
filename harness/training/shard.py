"""One training over several processes: weights, gradients and the optimizer's state in shards, examples dealt.

FSDP2 (`fully_shard`) divides every weight by its rows and gathers the weights of one decoder layer at a time. The step is that
of one process: the examples are dealt, each process divides its sum by the target tokens of the whole step, gradients are
added up, and their norm is that of all shards.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor

from harness.errors import HarnessError
from harness.methods.parts import packed_product
from harness.model.tokenize import Pair
from harness.record import RunSpec

BACKENDS = {"cpu": "gloo", "cuda": "nccl"}
SMALL = 1e-6  # added to the norm of the gradient, as in torch.nn.utils.clip_grad_norm_


@dataclass(frozen=True)
class Shards:
    """This process among those of a run: its rank from 0, their number, and the device that each computes on."""

    rank: int
    count: int
    device: str

    def divide(self, model: Any, spec: RunSpec, mesh: DeviceMesh | None = None) -> Any:
        """Return the model with this process's shard of every weight; all processes call it with equal weights.

        Args:
            model: from its method's `adapt`.
            spec: names the method in errors.
            mesh: of all processes, if it is there already.

        Raises:
            HarnessError: the method has weights outside the model that it adapts.
        """
        base = base_of(model)
        inside = {id(weight) for weight in base.parameters()}
        if outside := [name for name, weight in model.named_parameters() if id(weight) not in inside]:
            problem = f"{spec.method} has weights outside the model that it adapts, such as {outside[0]}"
            raise HarnessError(problem, where=f"--shard {self.count}", fix="run it without --shard")
        mesh = mesh or self.mesh()
        plain_packed_weights(base, spec)
        for layer in (*untied_ends(base), *decoder_layers(base)):
            fully_shard(layer, mesh=mesh)
        fully_shard(base, mesh=mesh)
        for layer in base.modules():
            if isinstance(layer, FSDPModule):
                layer.set_gradient_divide_factor(1.0)  # a sum: the loss is divided by the tokens of all processes
                layer.set_force_sum_reduction_for_comms(True)
        model.shards = self
        return model

    def mesh(self) -> DeviceMesh:
        """Return the processes as a line, over which each weight is divided by its rows."""
        return init_device_mesh(self.device, (self.count,))

    def chunks(self, rows: Sequence[Pair], micro_batch: int, targets: float) -> list[tuple[Sequence[Pair], float]]:
        """Return this process's micro-batches of a step and the divisor of each loss; as many in every process.

        A process without rows of its own computes another's, and its loss counts as zero: all must take part in each pass.
        """
        size = -(-micro_batch // self.count)
        most = -(-len(rows) // self.count)
        own = rows[self.rank :: self.count]
        starts = range(0, most, size)
        return [(own[at : at + size], targets) if at < len(own) else (rows[:1], math.inf) for at in starts]

    def clip(self, weights: Sequence[torch.Tensor], limit: float) -> None:
        """Scale the gradients so that their norm over all shards is at most the limit."""
        gradients = [local(weight.grad) for weight in weights if weight.grad is not None]
        norms = torch.stack([torch.linalg.vector_norm(gradient) for gradient in gradients])
        norm = self.total(norms.square().sum()).sqrt()
        factor = torch.clamp(limit / (norm + SMALL), max=1.0)
        for gradient in gradients:
            gradient.mul_(factor)

    def total(self, value: torch.Tensor) -> torch.Tensor:
        """Return the sum of a tensor over all processes."""
        dist.all_reduce(value)
        return value

    def gather(self, value: Any) -> list[Any]:
        """Return the values of all processes, in their order."""
        values = [None] * self.count
        dist.all_gather_object(values, value)
        return values

    def first(self, decision: bool) -> bool:
        """Return the decision of the first process."""
        flag = torch.tensor(int(decision), device=self.device)
        dist.broadcast(flag, src=0)
        return bool(flag.item())

    def answers(self, model: Any, batches: Sequence[Any], work: Callable[[Any], Any]) -> list[Any]:
        """Return the results of at most as many batches as there are processes, each computed by one of them.

        Every pass through the divided model needs all processes. One that is done with its batch passes a single token
        through the model for each pass of the others, until all are done.
        """
        base = base_of(model)
        waiting = base.register_forward_pre_hook(lambda *_: self._announce(1) and None, prepend=True)
        result = work(batches[self.rank]) if self.rank < len(batches) else None
        waiting.remove()
        while self._announce(0):
            base(input_ids=torch.zeros((1, 1), dtype=torch.long, device=self.device), use_cache=False)
        return self.gather(result)[: len(batches)]

    def _announce(self, at_work: int) -> int:
        """Return how many processes are about to pass their batch through the model, this one included if `at_work` is 1."""
        return int(self.total(torch.tensor(at_work, device=self.device)).item())

    def release(self, model: Any) -> None:
        """Drop the weights that a pass has gathered, so that the next one gathers them as they are then."""
        for layer in model.modules():
            if isinstance(layer, FSDPModule):
                layer.reshard()

    @contextlib.contextmanager
    def complete(self, model: Any, *, frozen: bool) -> Iterator[None]:
        """Return a context in which the first process has the trained weights whole, in the processor's memory.

        Args:
            model: from `divide`.
            frozen: whether it has all others, too.
        """
        self.release(model)
        gathered: dict[int, torch.nn.Parameter] = {}
        places = [
            (layer, name, weight)
            for layer in model.modules()
            for name, weight in layer._parameters.items()
            if isinstance(weight, DTensor) and (frozen or weight.requires_grad)
        ]
        for _, _, weight in places:
            if id(weight) not in gathered:  # tied ones stay tied
                values = weight.full_tensor().detach()
                values = values.cpu() if self.rank == 0 else values[:0]
                gathered[id(weight)] = torch.nn.Parameter(values, requires_grad=weight.requires_grad)
        for layer, name, weight in places:
            layer._parameters[name] = gathered[id(weight)]
        try:
            yield
        finally:
            for layer, name, weight in places:
                layer._parameters[name] = weight


def connect(rank: int, count: int, device: str, store: Path) -> Shards:
    """Return this process among those of a run; it waits for the others.

    Args:
        rank: of this process, from 0.
        count: of the processes.
        device: "cpu" or "cuda"; each process computes on the card of its rank.
        store: a file that all of them can write and that does not exist before.
    """
    if device == "cuda":
        torch.cuda.set_device(rank)
    dist.init_process_group(BACKENDS[device], init_method=f"file://{store}", rank=rank, world_size=count)
    return Shards(rank, count, device)


def base_of(model: Any) -> Any:
    """Return the model that an adapter adapts, any other as it is."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def local(tensor: torch.Tensor) -> torch.Tensor:
    """Return this process's shard of a tensor; a tensor that is not divided is returned as it is."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def decoder_layers(model: Any) -> Iterator[torch.nn.Module]:
    """Yield the layers of a decoder: the modules of its lists as long as the config says."""
    count = model.config.get_text_config().num_hidden_layers
    for module in model.modules():
        if isinstance(module, torch.nn.ModuleList) and len(module) == count:
            yield from module


def untied_ends(model: Any) -> list[torch.nn.Module]:
    """Return the embedding and the output layer of a model if they have weights of their own, each worth a group."""
    ends = (model.get_input_embeddings(), model.get_output_embeddings())
    weights = [getattr(end, "weight", None) for end in ends]
    return [] if None in (*ends, *weights) or weights[0] is weights[1] else list(ends)


def plain_packed_weights(model: Any, spec: RunSpec) -> None:
    """Turn bitsandbytes' 4-bit weights into plain frozen ones, which can be divided; their layers unpack as before.

    The bytes of a weight and the scales of its blocks become parameters. The scales of scales, a 500th of the bytes, stay whole
    in every process.

    Raises:
        HarnessError: the model has 8-bit layers.
    """
    for name, layer in model.named_modules():
        kind = type(layer).__name__
        if kind == "Linear8bitLt" and "weight" in layer._parameters:
            problem = f"weights in 8 bits cannot be divided, and {name} has such"
            raise HarnessError(problem, where=f"--shard, --method {spec.method}", fix="--method qlora, or no --shard")
        if kind == "Linear4bit" and "weight" in layer._parameters:  # not the adapter around it
            _make_plain(layer)


def _make_plain(layer: Any) -> None:
    state = layer.weight.quant_state
    layer.weight = torch.nn.Parameter(layer.weight.data.view(-1, 1), requires_grad=False)
    layer.quant_state = None
    layer.register_parameter("block_scales", torch.nn.Parameter(state.absmax, requires_grad=False))
    whole = {"code": state.code}
    if state.nested:
        whole |= {"offset": state.offset, "outer_code": state.state2.code, "outer_scales": state.state2.absmax}
    for name, tensor in whole.items():
        layer.register_buffer(f"block_{name}", tensor, persistent=False)
    state.absmax = None
    layer.unpack_weight = functools.partial(_unpack, layer, state)
    layer.forward = functools.partial(_forward, layer)


def _unpack(layer: Any, state: Any) -> torch.Tensor:
    """Return the weight [outputs, inputs] of a divided 4-bit layer, as `packed_product.unpack` does for a whole one."""
    from bitsandbytes.functional import dequantize_4bit

    now = copy.copy(state)
    now.shape, now.absmax, now.code = torch.Size([state.shape.numel()]), layer.block_scales.data, layer.block_code
    if state.nested:
        now.state2 = copy.copy(state.state2)
        now.offset, now.state2.code, now.state2.absmax = (
            layer.block_offset,
            layer.block_outer_code,
            layer.block_outer_scales,
        )
    weight: torch.Tensor = dequantize_4bit(layer.weight.data, now)
    return weight.view(state.shape).to(layer.compute_dtype)


def _forward(layer: Any, inputs: torch.Tensor) -> torch.Tensor:
    result: torch.Tensor = packed_product.product(inputs.to(layer.compute_dtype), layer.unpack_weight)
    if layer.bias is not None:
        result = result + layer.bias.to(result.dtype)
    return result.to(inputs.dtype)
