"""A counter of the bytes of all live tensor storages, at every operation, for real and for fake tensors."""

from __future__ import annotations

import functools
import time
import weakref
from collections.abc import Iterable
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensor
from torch.utils._python_dispatch import TorchDispatchMode

DEVICE = torch.ops.prim.device.default  # of a fake tensor; PyTorch asks for it more often than it computes

SHARDED = "DTensor"  # the kind of a weight that is divided over processes; its module is imported by divided runs only


class ByteCounter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """A mode that adds a storage's bytes when an operation first uses it and subtracts them when it is freed.

    A storage counts once however many views share it. If an operation grows or shrinks it in place, its new size counts.
    Memory that an operation allocates and frees inside its own kernel is not counted.

    Args:
        model: its parameters, buffers and gradients are live from the start, 4-bit weights with their scales.
        optimizer: its state is live from the start, too.

    Attributes:
        current: live bytes now.
        peak: the most live bytes so far.
        gradients_at_peak: bytes of `.grad` tensors at that moment.
        optimizer_at_peak: bytes of the optimizer's state at that moment.
        seconds: wall time under the counter.
    """

    def __init__(self, model: torch.nn.Module | None = None, optimizer: torch.optim.Optimizer | None = None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.current = 0
        self.peak = 0
        self.gradients_at_peak = 0
        self.optimizer_at_peak = 0
        self.seconds = 0.0
        self._live: dict[int, tuple[int, weakref.ref[Any]]] = {}
        self._optimizer = optimizer
        self._resizes = model is not None and any(local(weight) is not weight for weight in model.parameters())
        self._state = (0, 0)  # entries of the optimizer's state, their bytes
        self._trained = [] if model is None else [weight for weight in model.parameters() if weight.requires_grad]
        self._see(map(local, (*model_tensors(model), *optimizer_tensors(optimizer))))

    def __enter__(self) -> ByteCounter:
        self._start = time.perf_counter()
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, *details: Any) -> None:
        super().__exit__(*details)  # type: ignore[no-untyped-call]
        self.seconds += time.perf_counter() - self._start

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Return the result of one operation, counting the storages it read and wrote."""
        if func is DEVICE and isinstance(args[0], FakeTensor):
            return args[0].fake_device
        for kind in types:
            if kind.__name__ == SHARDED:
                return NotImplemented  # it becomes an operation on this process's shards, which comes here again
        inputs = _tensors(args)
        self._see(inputs)
        if kwargs:
            self._see(_tensors(kwargs))
        result = func(*args, **(kwargs or {}))
        self._see(inputs)  # again: an operation may resize them
        self._see(_tensors(result))
        return result

    def _see(self, tensors: Iterable[torch.Tensor]) -> None:
        """Count the storages of tensors that are whole, or a shard of this process."""
        live = self._live
        for tensor in tensors:
            storage = tensor.untyped_storage()
            size = storage.nbytes()
            entry = live.get(storage._cdata)
            if entry is None or entry[0] != size:
                self._count(storage, size, entry)

    def _count(self, storage: Any, size: int, entry: tuple[int, weakref.ref[Any]] | None) -> None:
        """Count a storage that is new, or has another size than its entry."""
        key = storage._cdata
        if entry is None:
            # PyTorch keeps one Python object per storage while the storage lives: its weak reference dies with the memory,
            # not earlier.
            self._live[key] = (size, weakref.ref(storage, functools.partial(self._free, key)))
        else:
            self._live[key] = (size, entry[1])
        self.current += size - (entry[0] if entry else 0)
        if self.current > self.peak and self._resizes:
            self._measure_again()
        if self.current > self.peak:
            self.peak = self.current
            self.gradients_at_peak = storage_bytes(w.grad for w in self._trained if w.grad is not None)
            self.optimizer_at_peak = self._state_bytes()

    def _measure_again(self) -> None:
        """Take each storage at its present size: FSDP grows and shrinks those of gathered weights outside of operations."""
        for key, (size, reference) in list(self._live.items()):
            storage = reference()
            if storage is not None and (now := storage.nbytes()) != size:
                self._live[key] = (now, reference)
                self.current += now - size

    def _state_bytes(self) -> int:
        """Return the bytes of the optimizer's state; they are added up again only if it has new entries."""
        entries = len(self._optimizer.state) if self._optimizer is not None else 0
        if entries != self._state[0]:
            self._state = (entries, storage_bytes(optimizer_tensors(self._optimizer)))
        return self._state[1]

    def _free(self, key: int, _: Any) -> None:
        self.current -= self._live.pop(key)[0]


def _tensors(*trees: Any) -> list[torch.Tensor]:
    """Return the tensors of nested structures that own a storage, in order.

    An operation's arguments and results are tensors, numbers, sequences of them and few others. `tree_leaves`, which knows
    every kind of structure, takes longer than counting.
    """
    tensors: list[torch.Tensor] = []
    for tree in trees:
        if isinstance(tree, torch.Tensor):
            if tree.layout == torch.strided:
                tensors.append(tree)
        elif isinstance(tree, (tuple, list)):
            tensors += _tensors(*tree)
        elif isinstance(tree, dict):
            tensors += _tensors(*tree.values())
    return tensors


def model_tensors(model: torch.nn.Module | None) -> list[torch.Tensor]:
    """Return a model's parameters, buffers and gradients, and the tensors that bitsandbytes stores with 4-bit weights."""
    if model is None:
        return []
    tensors: list[torch.Tensor] = [*model.buffers()]
    for weight in model.parameters():
        tensors.append(weight)
        tensors.extend(quantization_tensors(weight))
        if weight.grad is not None:
            tensors.append(weight.grad)
    return tensors


def quantization_tensors(weight: torch.Tensor) -> list[torch.Tensor]:
    """Return the scales, offset and code book of a 4-bit weight, the scales of an 8-bit one, or an empty list."""
    tensors: list[torch.Tensor] = [scales] if (scales := getattr(weight, "SCB", None)) is not None else []
    states = [getattr(weight, "quant_state", None)]
    while states:
        state = states.pop()
        if state is None:
            continue
        tensors.extend(value for value in vars(state).values() if isinstance(value, torch.Tensor))
        states.append(getattr(state, "state2", None))
    return tensors


def optimizer_tensors(optimizer: torch.optim.Optimizer | None) -> list[torch.Tensor]:
    """Return the tensors of an optimizer's state."""
    if optimizer is None:
        return []
    return [value for state in optimizer.state.values() for value in state.values() if isinstance(value, torch.Tensor)]


def local(tensor: torch.Tensor) -> torch.Tensor:
    """Return this process's shard of a tensor that is divided over processes, any other as it is."""
    return tensor._local_tensor if type(tensor).__name__ == SHARDED else tensor  # type: ignore[attr-defined,no-any-return]


def storage_bytes(tensors: Iterable[torch.Tensor]) -> int:
    """Return the bytes of the tensors' storages, counting each storage once."""
    storages = {storage._cdata: storage.nbytes() for storage in (local(t).untyped_storage() for t in tensors)}
    return sum(storages.values())
