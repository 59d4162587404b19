"""What a plan must know that takes torch to find out, asked in a process of its own.

The program that plans, shows progress and prints tables stays light; a broken checkpoint breaks the probe.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness import local
from harness.checkpoint import Checkpoint
from harness.data import Splits
from harness.errors import HarnessError
from harness.schema import RunSpec, Task

ADAPTER_BYTES = 4  # adapters are kept in fp32
SPARE = 4  # times a micro-batch are sent: longest in characters is not quite longest in tokens


@dataclass(frozen=True)
class Question:
    """The model folder, the runs, and the longest training examples as (prompt, target), micro-batches of them."""

    folder: Path
    specs: tuple[RunSpec, ...]
    longest: tuple[tuple[str, str], ...]

    @staticmethod
    def about(model: Checkpoint, task: Task, splits: Splits, specs: Sequence[RunSpec]) -> Question:
        """Ask about these runs of a task."""
        rows = max((spec.micro_batch for spec in specs), default=1)
        rendered = [(task.prompt(example), example.target) for example in splits.train]
        longest = sorted(rendered, key=lambda pair: -len(pair[0]) - len(pair[1]))[: SPARE * rows]
        return Question(model.folder, tuple(specs), tuple(longest))


@dataclass(frozen=True)
class Seen:
    """The model's weights (a count), and per run id the predicted training peak and adapter size in bytes."""

    weights: int
    predicted: Mapping[str, int] = field(default_factory=dict)
    adapter_bytes: Mapping[str, int] = field(default_factory=dict)


def look(question: Question) -> Seen:
    """Check the model folder and the ranks, and predict each run's memory.

    Raises:
        HarnessError: a broken checkpoint, or a rank above the layer's size.
    """
    from harness import encode, models, predict, registry

    folder = str(question.folder)
    shape = models.shape(folder)
    for rank in sorted({spec.rank for spec in question.specs if spec.rank}):
        models.check_rank(shape, rank)
    tokenizer = models.load_tokenizer(question.folder)
    pairs = [encode.Pair(*map(tuple, encode.encode_pair(tokenizer, *texts))) for texts in question.longest]
    peaks: dict[RunSpec, int] = {}  # runs that differ in what memory does not depend on share one prediction
    for spec in map(_as_memory_sees_it, question.specs):
        if spec not in peaks:
            peaks[spec] = predict.training_peak(question.folder, spec, registry.method(spec.method), pairs)
    adapters = {spec.id: ADAPTER_BYTES * models.adapter_weights(shape, spec.rank) for spec in question.specs}
    predicted = {spec.id: peaks[_as_memory_sees_it(spec)] for spec in question.specs}
    return Seen(weights=shape.weights, predicted=predicted, adapter_bytes=adapters)


def _as_memory_sees_it(spec: RunSpec) -> RunSpec:
    return replace(spec, seed=0, learning_rate=0.0, weight_decay=0.0, epochs=0.0, alpha=1.0, warmup=0.0)


def look_in_own_process(question: Question) -> Seen:
    """`look`, in a process that may die without harm."""
    local.warm_up()
    with ProcessPoolExecutor(1, mp_context=local.context(), initializer=_silence) as pool:
        try:
            return pool.submit(look, question).result()
        except BrokenProcessPool:
            raise HarnessError(
                "the process that looked at the model died, often for want of memory",
                where=str(question.folder),
                fix="free some memory, or plan without predictions: --no-memory",
            ) from None


def _silence() -> None:
    """Keep libraries' notes out of the terminal; what matters comes back as an error."""
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)
