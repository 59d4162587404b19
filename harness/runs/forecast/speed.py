"""The speed of this processor with a model, from steps that are really done, so that a first run has an estimate too."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.record import RunSpec

if TYPE_CHECKING:
    from harness.model.loading import Shape
    from harness.model.tokenize import Pair

LARGEST = 400_000_000  # weights; to load more and to do a step takes longer than the estimate is worth
OPERATIONS = 1.5e11  # of a step, about: a second or two on a slow core
TOKENS = 64  # of a step, at least
SECONDS = 0.5  # of repeated steps, at least
YARDSTICK, RANK = "lora", 8  # what trains in the step that is timed


@dataclass(frozen=True)
class Speed:
    """Tokens per second of training and of scoring, seconds of loading, and the tokens of the training examples.

    `characters` are those of the training examples, to estimate the tokens of other texts.
    """

    training: float
    reading: float
    loading: float
    tokens: int
    characters: int


def measure(
    folder: Path, spec: RunSpec, pairs: Sequence[Pair], shape: Shape, *, characters: int, threads: int
) -> Speed | None:
    """Return the speed of LoRA's step and of reading; None on a GPU, for a large model and if the step cannot be done.

    Args:
        folder: of the model.
        spec: a run that trains; gives precision, window and micro-batch.
        pairs: all training examples.
        shape: of the model.
        characters: of all training examples.
        threads: of a run.
    """
    if spec.device != "cpu" or shape.weights > LARGEST or not pairs or not shape.max_rank:
        return None
    import torch

    torch.set_num_threads(threads)
    probe = replace(
        spec, method=YARDSTICK, rank=min(RANK, shape.max_rank), alpha=float(RANK), dropout=0.0, rounds=0, clients=0
    )
    rows = _rows(pairs, probe, shape)
    try:
        training, reading, loading = _timed(folder, probe, rows)
    except Exception:  # an architecture that LoRA does not fit, or whose code fails: an estimate is not worth an error
        return None
    count = sum(map(len, rows))
    tokens = sum(min(len(pair), spec.max_tokens) for pair in pairs)
    return Speed(count / training, count / reading, loading, tokens, characters)


def _rows(pairs: Sequence[Pair], spec: RunSpec, shape: Shape) -> list[Pair]:
    """Return a micro-batch of examples of middle length, smaller for a large model."""
    from harness.runs.forecast.peak_memory import cut

    order = sorted(pairs, key=len)
    start = max(0, (len(order) - spec.micro_batch) // 2)
    most = max(TOKENS, int(OPERATIONS / (6 * shape.weights)))
    rows: list[Pair] = []
    for pair in order[start : start + spec.micro_batch]:
        room = min(spec.max_tokens, most - sum(map(len, rows)))
        if rows and room < len(pair):
            break
        rows.append(cut(pair, max(2, room)))
    return rows


def _timed(folder: Path, spec: RunSpec, rows: Sequence[Pair]) -> tuple[float, float, float]:
    """Return the seconds of a micro-batch in training and in scoring, and of loading."""
    import torch

    from harness.data import registry
    from harness.model.batch import collate
    from harness.model.cpu_attention import fast_backward
    from harness.model.loading import precision
    from harness.model.logits import logits_at
    from harness.training import loop

    method = registry.method(YARDSTICK)
    start = time.perf_counter()
    model = method.load(str(folder), spec)
    model = method.adapt(model, spec)
    loading = time.perf_counter() - start
    optimizer = loop.make_optimizer(model, spec)
    loop.make_ready(model, spec)
    with fast_backward(model, dtype=spec.dtype, device=spec.device):
        training = _mean(lambda: loop.train_step(model, optimizer, rows, spec, 0.0, 0))
    model.eval()
    ids, positions, _ = collate(rows, 0, spec.device)
    with torch.inference_mode(), precision(spec):
        reading = _mean(lambda: logits_at(model, positions, input_ids=ids, use_cache=False))
    return training, reading, loading


def _mean(call: Callable[[], Any]) -> float:
    """Return the mean seconds of a call, after one that is not counted."""
    call()
    start, count = time.perf_counter(), 0
    while time.perf_counter() - start < SECONDS:
        call()
        count += 1
    return (time.perf_counter() - start) / max(1, count)
