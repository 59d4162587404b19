"""What a record holds of the machine: time and memory by phase, and the machine itself. No logic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Phase:
    """Cost of one phase (load, train, evaluate, probe), each measured from its own reset.

    `peak_bytes` is what the method comparison uses: live tensor bytes on the CPU, allocated bytes on CUDA.
    `reserved_bytes` is CUDA's, `resident_bytes` the process's own; `seconds` excludes the measured step's overhead.
    """

    seconds: float
    peak_bytes: int
    resident_bytes: int
    reserved_bytes: int = 0
    tokens: int = 0


@dataclass(frozen=True)
class Parts:
    """The training peak by part, in bytes; the parts add up to `peak_bytes` of the train phase."""

    frozen_weights: int
    trained_weights: int
    gradients: int
    optimizer_state: int
    activations_and_rest: int


@dataclass(frozen=True)
class Cost:
    """What a run cost. Weights are counts of numbers, `*_bytes` bytes, times seconds."""

    phases: Mapping[str, Phase]
    parts: Parts | None
    predicted_peak_bytes: int
    weights: int
    trained_weights: int
    weights_bytes: int
    adapter_bytes: int
    train_tokens: int
    train_tokens_per_second: float


@dataclass(frozen=True)
class Environment:
    """The machine and the software. `machine` names what memory and time may be compared within.

    `driver` is the version of CUDA's driver (empty on the CPU), `allocator` what hands out memory and how it is set.
    """

    python: str
    platform: str
    machine: str
    device_name: str
    threads: int
    memory_bytes: int
    packages: Mapping[str, str]
    commit: str
    driver: str = ""
    allocator: str = ""
