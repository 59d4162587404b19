"""Defaults from the machine and the data, for settings that user, task and method leave open."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Literal

from harness import environment
from harness.data.loading import Splits
from harness.model import token_counts
from harness.model.checkpoint import Checkpoint
from harness.record import RunSpec
from harness.runs.forecast import micro_batch as forecast
from harness.runs.forecast.micro_batch import Load
from harness.schedule import planned_steps
from harness.schema import Method, Task

WARMUP = 0.05  # share of the steps in which the learning rate rises to its peak
WARMUP_STEPS = 10  # at least: Adam's first steps are as large as the rate, whatever the gradient
SMALL_WEIGHTS = 64 * 2**20  # bytes; a larger model keeps several cores busy by itself
JOB_MEMORY = 2 * 2**30  # bytes; for the process of a run of a small model, at most
PER_CARD = 4  # runs on a card at a time, if they fit: more of them wait for each other


def micro_batch(
    task: Task, splits: Splits, method: Method, model: Checkpoint, spec: RunSpec, *, card_memory: int = 0
) -> int:
    """Return the number of a step's examples that go through the model at once (see `forecast.micro_batch`).

    `spec` gives batch size, window, device and precision, `card_memory` the bytes of the card, 0 for this machine's first.
    """
    texts = [(task.prompt(example), example.target) for example in splits.train]
    longest = sorted(texts, key=lambda pair: -len(pair[0]) - len(pair[1]))[: 4 * spec.batch_size]
    load = Load(_rows(longest, model, spec.max_tokens), model.config, spec.dtype)
    if spec.device == "cpu":
        return forecast.on_cpu(load, spec.batch_size)
    return forecast.on_cuda(load, spec.batch_size, method, card_memory or environment.cuda_memory())


@functools.lru_cache(maxsize=1)  # all runs of a task read the same texts
def _counted(texts: tuple[tuple[str, str], ...], model: Checkpoint) -> tuple[tuple[int, int], ...]:
    count = token_counts.counter(model.folder, model.config)
    return tuple((math.ceil(count(prompt)), math.ceil(count(target)) + 1) for prompt, target in texts)


def _rows(texts: Sequence[tuple[str, str]], model: Checkpoint, window: int) -> list[tuple[int, int]]:
    """Return the (prompt, target) lengths of texts in tokens, longest first, the prompt cut to the window."""
    counts = [(max(0, min(prompt, window - target)), target) for prompt, target in _counted(tuple(texts), model)]
    return sorted(counts, key=lambda row: -sum(row))


def warmup(examples: int, spec: RunSpec) -> float:
    """Return the share of warm-up in a training on so many examples: 5 %, at least ten steps, at most half of them.

    Half of the steps is the bound of trainings below 20 steps. It takes nothing from them: a linear rise and the cosine
    have the same mean, half of the peak.
    """
    return max(WARMUP, min(WARMUP_STEPS / planned_steps(examples, spec), 0.5))


def jobs(model: Checkpoint, device: str, *, cards: int = 0, shards: int = 1) -> int:
    """Return the number of runs at a time: one per core if the model is too small to keep two cores busy, else one.

    Two runs of `tiny` side by side on one core each trained 1.27 times the tokens per second of one run on both. On named
    cards it is one each, or as many as cores and memory feed, `PER_CARD` each at most.
    """
    if cards:
        return max(cards, min(PER_CARD * cards, environment.cores(), environment.memory_bytes() // JOB_MEMORY))
    if device != "cpu" or model.weights_bytes > SMALL_WEIGHTS:
        return 1
    return max(1, min(environment.cores() // shards, environment.memory_bytes() // JOB_MEMORY))


def device() -> Literal["cpu", "cuda"]:
    """Return CUDA if there is a device and torch was built for it, else the CPU."""
    return "cuda" if environment.cuda_present() else "cpu"


def dtype(device: str) -> Literal["bf16", "fp32"]:
    """Return bf16 if the device multiplies it in hardware, else fp32, which is faster without."""
    if device == "mps":
        return "fp32"  # bf16 depends on the version of macOS
    fast = environment.cuda_fast_bf16() if device == "cuda" else environment.fast_bf16()
    return "bf16" if fast else "fp32"
