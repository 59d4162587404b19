"""What a run takes where the user names nothing and neither task nor method does: from the machine and the data."""

from __future__ import annotations

import math
from typing import Literal

from harness import environment
from harness.data.loading import Splits
from harness.model.checkpoint import Checkpoint
from harness.schema import Task

MICRO_CHARACTERS = 20_000  # about 5,000 tokens go through the model at once
SMALL_WEIGHTS = 64 * 2**20  # bytes; a larger model keeps several cores busy by itself
JOB_MEMORY = 2 * 2**30  # bytes; what the process of a run of a small model may take


def micro_batch(task: Task, splits: Splits, batch_size: int) -> int:
    """Return how many of a step's examples go through the model at once: equal shares that hold the longest ones.

    Counted in characters, since a plan is made without the tokenizer.
    """
    longest = max(len(task.prompt(example)) + len(example.target) for example in splits.train)
    shares = math.ceil(batch_size * longest / MICRO_CHARACTERS)
    return math.ceil(batch_size / shares)


def jobs(model: Checkpoint, device: str) -> int:
    """Return how many runs go on at a time: one per core where a model is too small to keep two cores busy, else one.

    Two runs of `tiny` side by side on one core each trained 1.27 times the tokens per second of one run on both.
    """
    if device != "cpu" or model.weights_bytes > SMALL_WEIGHTS:
        return 1
    return max(1, min(environment.cores(), environment.memory_bytes() // JOB_MEMORY))


def device() -> Literal["cpu", "cuda"]:
    """CUDA where there is a device and torch was built for it, else the CPU."""
    return "cuda" if environment.cuda_present() else "cpu"


def dtype(device: str) -> Literal["bf16", "fp32"]:
    """Choose bf16 where the device multiplies it in hardware; elsewhere it is slower than fp32."""
    fast = environment.cuda_fast_bf16() if device == "cuda" else environment.fast_bf16()
    return "bf16" if fast else "fp32"
