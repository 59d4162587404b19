"""Defaults from the machine and the data, for settings that user, task and method leave open."""

from __future__ import annotations

import math
from typing import Literal

from harness import environment
from harness.data.loading import Splits
from harness.model.checkpoint import Checkpoint
from harness.schema import Task

MICRO_CHARACTERS = 20_000  # about 5,000 tokens go through the model at once
SMALL_WEIGHTS = 64 * 2**20  # bytes; a larger model keeps several cores busy by itself
JOB_MEMORY = 2 * 2**30  # bytes; for the process of a run of a small model, at most


def micro_batch(task: Task, splits: Splits, batch_size: int) -> int:
    """Return the number of a step's examples that go through the model at once.

    Steps are cut into equal shares, small enough for the longest examples. Lengths are in characters, since a plan is
    made without the tokenizer.
    """
    longest = max(len(task.prompt(example)) + len(example.target) for example in splits.train)
    shares = math.ceil(batch_size * longest / MICRO_CHARACTERS)
    return math.ceil(batch_size / shares)


def jobs(model: Checkpoint, device: str) -> int:
    """Return the number of runs at a time: one per core if the model is too small to keep two cores busy, else one.

    Two runs of `tiny` side by side on one core each trained 1.27 times the tokens per second of one run on both.
    """
    if device != "cpu" or model.weights_bytes > SMALL_WEIGHTS:
        return 1
    return max(1, min(environment.cores(), environment.memory_bytes() // JOB_MEMORY))


def device() -> Literal["cpu", "cuda"]:
    """Return CUDA if there is a device and torch was built for it, else the CPU."""
    return "cuda" if environment.cuda_present() else "cpu"


def dtype(device: str) -> Literal["bf16", "fp32"]:
    """Return bf16 if the device multiplies it in hardware, else fp32, which is faster without."""
    fast = environment.cuda_fast_bf16() if device == "cuda" else environment.fast_bf16()
    return "bf16" if fast else "fp32"
