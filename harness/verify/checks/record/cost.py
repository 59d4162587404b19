"""Checks that a run's environment is described and its recorded cost is plausible.

At the peak of training all weights, the gradients and the optimizer's state are in memory. AdamW keeps two numbers for
each trained weight (Loshchilov and Hutter 2019), of two bytes or more. An optimizer that a method brings itself may keep
them in one byte each (Dettmers et al. 2022).
"""

from __future__ import annotations

import dataclasses
import functools
import math
import re

from harness.data import registry
from harness.record import Cost, Environment, Record
from harness.verify.check import Check, check

ENVIRONMENT = "environment is described"
PARTS_SUM = "memory parts add up to the peak"
PLAUSIBLE = "memory peaks and costs are plausible"
VERSION = re.compile(r"\d+\.\d+")
GPU = re.compile(r"\b(NVIDIA|GeForce|Tesla|Quadro|Radeon|Instinct)\b")
PROCESSOR = re.compile(r"\b(CPU|Grace|Processor|Ryzen|EPYC)\b")
NEEDED = ("torch", "transformers")
STATE_BYTES = 2 * 2  # AdamW, for each trained weight: two numbers of two bytes
SMALL_STATE_BYTES = 2 * 1  # two numbers of one byte


def run_checks(record: Record) -> list[Check]:
    """Return the checks of a run's environment and of its cost, if it was measured."""
    results = [check(ENVIRONMENT, _environment_faults(record))]
    if record.cost is None:
        return results + ([check(PLAUSIBLE, ["a finished run has no measured cost"])] if record.status == "ok" else [])
    return [*results, check(PARTS_SUM, _sum_faults(record.cost)), check(PLAUSIBLE, _cost_faults(record, record.cost))]


def _environment_faults(record: Record) -> list[str]:
    e, cuda = record.environment, record.spec.device == "cuda"
    needed: dict[str, object] = {
        "python": e.python,
        "platform": e.platform,
        "machine": e.machine,
        "device": e.device_name,
    }
    needed |= {"threads": e.threads > 0, "memory": e.memory_bytes > 0, "commit": e.commit}
    needed |= {f"version of {name}": e.packages.get(name, "") for name in NEEDED}
    needed |= {"driver": e.driver, "allocator": e.allocator} if cuda else {}
    faults = [f"no {name}" for name, value in needed.items() if not value]
    if e.device_name and e.device_name not in e.machine:
        faults.append(f"the machine {e.machine!r} does not name the device {e.device_name!r}")
    return [*faults, *_machine_faults(e), *_version_faults(e), *_device_faults(e, cuda=cuda)]


def _machine_faults(e: Environment) -> list[str]:
    """Return a fault if the machine's description differs from the threads and the memory beside it."""
    faults = []
    cores = re.search(r"(?:(\d+) of )?(\d+) cores", e.machine)
    if cores and (e.threads > int(cores[2]) or (cores[1] and e.threads != int(cores[1]))):
        faults.append(f"{e.threads} threads on the machine {e.machine!r}")
    memory = re.search(r"(\d+) GiB", e.machine)
    if memory and round(e.memory_bytes / 2**30) != int(memory[1]):
        faults.append(f"{e.memory_bytes:,} bytes of memory on the machine {e.machine!r}")
    return faults


def _version_faults(e: Environment) -> list[str]:
    versions = {"python": e.python, **e.packages}
    return [f"{name} has the version {text!r}" for name, text in versions.items() if not VERSION.match(text)]


def _device_faults(e: Environment, *, cuda: bool) -> list[str]:
    if cuda:
        return [] if e.allocator.startswith("torch") else [f"the allocator {e.allocator!r} on CUDA"] * bool(e.allocator)
    faults = [f"the CUDA driver {e.driver!r}, and the run was on the CPU"] if e.driver else []
    if GPU.search(e.device_name) and not PROCESSOR.search(e.device_name):
        faults.append(f"the device {e.device_name!r} is a GPU, and the run was on the CPU")
    if e.allocator.startswith("glibc") and not e.platform.startswith("Linux"):
        faults.append(f"the allocator {e.allocator!r} on {e.platform!r}, and glibc is of Linux")
    return faults


def _sum_faults(cost: Cost) -> list[str]:
    train = cost.phases.get("train")
    if cost.parts is None or train is None:
        return []
    total = sum(dataclasses.astuple(cost.parts))
    return (
        [] if total == train.peak_bytes else [f"the parts add up to {total:,} bytes, the peak is {train.peak_bytes:,}"]
    )


def _cost_faults(record: Record, cost: Cost) -> list[str]:
    faults = []
    counted = ("train",) if record.spec.engine else ("train", "evaluate")  # an engine's memory is not measured
    for name, phase in cost.phases.items():
        if phase.peak_bytes < cost.weights_bytes and name in counted:
            faults.append(
                f"the peak of {name} is {phase.peak_bytes:,} bytes, below the {cost.weights_bytes:,} of the weights"
            )
        if record.spec.device == "cuda" and phase.reserved_bytes < phase.peak_bytes:
            faults.append(
                f"{phase.reserved_bytes:,} bytes are reserved in {name}, below its peak of {phase.peak_bytes:,}"
            )
        if not 0 <= phase.seconds < math.inf or phase.resident_bytes <= 0 or phase.tokens < 0:
            faults.append(
                f"{name} has impossible values: {phase.seconds} seconds, {phase.resident_bytes:,} bytes resident, {phase.tokens:,} tokens"
            )
    if record.status == "ok" and "evaluate" not in cost.phases:
        faults.append("the evaluation was not measured")
    if record.spec.train_examples and "train" not in cost.phases:
        faults.append("the training was not measured")
    if not cost.trained_weights >= 0 or (record.spec.train_examples and not cost.trained_weights):
        faults.append(f"{cost.trained_weights} trained weights are recorded")
    return faults + _training_faults(cost, _least_state(record.spec.method))


@functools.cache
def _least_state(name: str) -> int:
    """Return the least bytes of optimizer state for a trained weight; a method that is not installed may bring its own."""
    entry = registry.methods().get(name)
    method = entry.value if entry else None
    return STATE_BYTES if method and method.optimizer is None else SMALL_STATE_BYTES


def _training_faults(cost: Cost, least_state: int) -> list[str]:
    train, parts = cost.phases.get("train"), cost.parts
    if train is None or parts is None:
        return []
    faults = [
        f"{f.name} is negative: {getattr(parts, f.name):,} bytes"
        for f in dataclasses.fields(parts)
        if getattr(parts, f.name) < 0
    ]
    needed = parts.frozen_weights + parts.trained_weights + parts.gradients + parts.optimizer_state
    if train.peak_bytes < needed:
        faults.append(f"weights, gradients and optimizer state are {needed:,} bytes, the peak is {train.peak_bytes:,}")
    if parts.optimizer_state < least_state * cost.trained_weights * 0.99:
        faults.append(
            f"{parts.optimizer_state:,} bytes of optimizer state are too few for {cost.trained_weights:,} trained weights"
        )
    return faults
