"""A training over gloo processes of this machine, and the same training in one, for tests and for the benchmark."""

from __future__ import annotations

import multiprocessing
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from harness.data import registry
from harness.model.loading import load_tokenizer
from harness.model.tokenize import encode_train
from harness.record import RunSpec
from harness.training import loop, shard
from tests.support.tiny_models import toy_examples, toy_task


@dataclass(frozen=True)
class Course:
    """The losses of a training in one process, and its peak in bytes."""

    losses: tuple[float, ...]
    peak_bytes: int


def train(folder: Path, spec: RunSpec, count: int) -> list[Course]:
    """Return the course in each of so many processes, which train the model of a folder on toy examples together."""
    context = multiprocessing.get_context("fork")  # with what this process has imported
    with tempfile.TemporaryDirectory() as scratch:
        pairs = []
        for rank in range(count):
            ours, theirs = context.Pipe(duplex=False)
            where = (rank, count, Path(scratch) / "store")
            process = context.Process(target=_train, args=(theirs, where, folder, spec), daemon=True)
            process.start()
            theirs.close()
            pairs.append((ours, process))
        try:
            return [ours.recv() for ours, _ in pairs]
        finally:
            for _, process in pairs:
                process.join(5)
                process.kill()


def _train(answers: Any, where: tuple[int, int, Path], folder: Path, spec: RunSpec) -> None:
    torch.set_num_threads(1)
    rank, count, store = where
    method, tokenizer = registry.method(spec.method), load_tokenizer(folder)
    model = method.adapt(method.load(str(folder), spec), spec)
    shards = shard.connect(rank, count, "cpu", store) if count > 1 else None
    if shards:
        model = shards.divide(model, spec)
    examples = encode_train(tokenizer, toy_examples(spec.train_examples), toy_task(), spec.max_tokens, 0)
    fit = loop.fit(model, tokenizer, examples, spec, rate_factor=method.rate_factor, shards=shards)
    answers.send(Course(fit.losses, fit.peak_bytes))


def difference(one: Sequence[Course], many: Sequence[Course]) -> float:
    """Return the largest relative difference of a step's loss in any process."""
    return max(abs(a - b) / abs(a) for course in many for a, b in zip(one[0].losses, course.losses, strict=True))


def share(one: Sequence[Course], many: Sequence[Course]) -> float:
    """Return the largest peak of a process over that of the training in one."""
    return max(course.peak_bytes for course in many) / one[0].peak_bytes
