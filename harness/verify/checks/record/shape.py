"""Checks of counts and bytes of weights: against the precision, the optimizer, the adapter and the model's shape.

The numbers follow from each other. A weight has two or four bytes; AdamW keeps two numbers for each trained weight; an
adapter's file holds the trained weights and a header of names. LoRA on every linear layer has rank times inputs plus
outputs of each, which is known in full for the embedded model and proportional to the rank for any other.
"""

from __future__ import annotations

from harness.record import Cost, Parts, Record
from harness.verify import embedded
from harness.verify.check import Check, check
from harness.verify.checks.record.settings import find

SHAPE = "weights and bytes follow from model, method and precision"
FAMILY = (
    "lora",
    "qlora",
    "lora8",
    "lora+",
    "rslora",
    "fedlora",
    "pissa",
)  # the same adapter, trained in different ways
FULL = "full"  # how the names of methods begin that train every weight
TENSORS = 4_000  # at most, in a model whose counts are checked
HEADER = 400  # bytes of a tensor's name and shape in an adapter's file, at most
SMALL = "full8"  # the method with 8-bit moments of large tensors
SMALL_TENSORS = 2**18  # weights in tensors that are too small for it, at most
BUFFERS = 2**20  # bytes of a model beside its weights, such as rotary frequencies, at most


def run_checks(record: Record) -> list[Check]:
    """Return the check of a run's counts and bytes of weights, if it was measured."""
    cost = record.cost
    if cost is None:
        return []
    if record.spec.challenger:
        return [check(SHAPE, _challenger_faults(cost))]
    faults = [*_count_faults(record, cost), *_byte_faults(record, cost), *_adapter_faults(record, cost)]
    faults += _part_faults(record, cost, cost.parts) if cost.parts else []
    return [check(SHAPE, faults)]


def _challenger_faults(cost: Cost) -> list[str]:
    """Return a fault for each count of weights, bytes or tokens of a run that has no model."""
    names = ("weights", "trained_weights", "weights_bytes", "adapter_bytes", "train_tokens", "predicted_peak_bytes")
    return [f"a challenger has {getattr(cost, name):,} {name}" for name in names if getattr(cost, name)]


def _count_faults(record: Record, cost: Cost) -> list[str]:
    spec, faults = record.spec, []
    if cost.weights < 1:
        faults.append(f"the model has {cost.weights} weights")
    if spec.model == embedded.NAME and cost.weights != embedded.weights():
        faults.append(f"{cost.weights:,} weights, the embedded model has {embedded.weights():,}")
    reached = cost.weights - cost.idle_weights
    if spec.method.startswith(FULL) and cost.trained_weights != reached:
        faults.append(f"{spec.method} trained {cost.trained_weights:,} of {reached:,} weights")
    if not 0 <= cost.packed_weights <= cost.weights or not 0 <= cost.idle_weights < max(1, cost.weights):
        faults.append(f"{cost.packed_weights:,} packed and {cost.idle_weights:,} idle of {cost.weights:,} weights")
    if spec.model == embedded.NAME and cost.idle_weights:
        faults.append(f"{cost.idle_weights:,} idle weights, the embedded model has none")
    if spec.method in FAMILY and cost.trained_weights % max(1, spec.rank):
        faults.append(f"{cost.trained_weights:,} trained weights are no multiple of rank {spec.rank}")
    if spec.model == embedded.NAME and spec.method in FAMILY and not spec.start:
        needed = embedded.lora_weights(spec.rank)
        if cost.trained_weights != needed:
            faults.append(f"{cost.trained_weights:,} trained weights, rank {spec.rank} has {needed:,}")
    if not spec.train_examples and (cost.trained_weights or cost.adapter_bytes or cost.parts):
        faults.append("the run did not train and has trained weights, an adapter or parts of a training peak")
    return faults


def _byte_faults(record: Record, cost: Cost) -> list[str]:
    """Return a fault if the loaded model has other bytes than its weights in their precision."""
    spec, method = record.spec, find(record.spec.method)
    if method is None or spec.start:
        return []
    width = 2 if spec.dtype == "bf16" else 4
    trained = cost.trained_weights * 4
    if spec.method.startswith(FULL):
        low = high = cost.weights * (method.trained_bits / 8 if spec.dtype == "bf16" else 4.0)
    elif bits := spec.base_bits or (method.frozen_bits if method.frozen_bits < 16 else 0):
        low, high = cost.weights * bits / 8, cost.weights * width + trained
        if cost.packed_weights:
            plain = (cost.weights - cost.packed_weights) * width
            low, high = low + plain * (1 - bits / (8 * width)), plain + 2 * cost.packed_weights * bits / 8 + trained
    else:
        low, high = cost.weights * width, cost.weights * width + 4 * trained
    if not low * 0.999 <= cost.weights_bytes <= high + max(BUFFERS, high // 100):
        return [f"{cost.weights:,} weights cannot have {cost.weights_bytes:,} bytes as {spec.method} loads them"]
    return []


def _adapter_faults(record: Record, cost: Cost) -> list[str]:
    spec, method = record.spec, find(record.spec.method)
    if method is None or not method.trains:
        return []
    if not method.adapter:
        return [f"{spec.method} has no adapter, recorded {cost.adapter_bytes:,} bytes"] if cost.adapter_bytes else []
    low = cost.trained_weights * 2
    high = cost.trained_weights * 16 + TENSORS * HEADER
    if spec.method in FAMILY:
        low = cost.trained_weights * 4
        high = low + _tensors(cost) * HEADER
    if not low <= cost.adapter_bytes <= high:
        return [f"an adapter of {cost.trained_weights:,} weights cannot have {cost.adapter_bytes:,} bytes"]
    return []


def _tensors(cost: Cost) -> int:
    """Return the number of trained tensors: AdamW keeps one step count of four bytes for each."""
    state = cost.parts.optimizer_state if cost.parts else 0
    count = (state - 8 * cost.trained_weights) // 4
    return count if 0 < count <= TENSORS else TENSORS


def _part_faults(record: Record, cost: Cost, parts: Parts) -> list[str]:
    spec, method, faults = record.spec, find(record.spec.method), []
    if spec.shards > 1:
        return _shard_faults(record, cost, parts)
    if parts.frozen_weights + parts.trained_weights != cost.weights_bytes:
        total = parts.frozen_weights + parts.trained_weights
        faults.append(f"frozen and trained weights are {total:,} bytes, the model has {cost.weights_bytes:,}")
    if parts.trained_weights not in (2 * cost.trained_weights, 4 * cost.trained_weights):
        faults.append(f"{parts.trained_weights:,} bytes hold {cost.trained_weights:,} trained weights")
    if parts.gradients > 4 * cost.trained_weights:
        faults.append(f"{parts.gradients:,} bytes of gradients for {cost.trained_weights:,} trained weights")
    if spec.method == SMALL and parts.optimizer_state > 4 * cost.trained_weights + 8 * SMALL_TENSORS:
        faults.append(f"{parts.optimizer_state:,} bytes of 8-bit state for {cost.trained_weights:,} trained weights")
    if method is None or method.optimizer is not None or spec.rounds:
        return faults
    sizes = (8,) if parts.trained_weights == 4 * cost.trained_weights else (4, 8)
    if not any(0 <= parts.optimizer_state - size * cost.trained_weights <= 512 * TENSORS for size in sizes):
        faults.append(
            f"{parts.optimizer_state:,} bytes of optimizer state for {cost.trained_weights:,} trained weights"
        )
    return faults


def _shard_faults(record: Record, cost: Cost, parts: Parts) -> list[str]:
    """Return what is wrong with the parts of the first of several processes: its shard is the largest, at most the whole."""
    shards, numbers, faults = record.spec.shards, cost.trained_weights, []
    sizes = {
        "weights": (parts.frozen_weights + parts.trained_weights, cost.weights_bytes, cost.weights_bytes),
        "trained weights": (parts.trained_weights, 2 * numbers, 4 * numbers),
        "optimizer state": (parts.optimizer_state, 4 * numbers, 8 * numbers + 512 * TENSORS),
        "gradients": (parts.gradients, 0, 4 * numbers),
    }
    for name, (size, low, high) in sizes.items():
        if not low <= size * shards or size > high:
            faults.append(f"{size:,} bytes of {name} in one of {shards} processes, {high:,} in all")
    if not record.environment.backend:
        faults.append(f"nothing connected the {shards} processes")
    peaks = cost.process_peaks
    if len(peaks) != shards or peaks[0] != cost.phases["train"].peak_bytes:
        faults.append(f"{len(peaks)} peaks of {shards} processes, of which the first is not that of the training")
    return faults
