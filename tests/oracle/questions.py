"""The questions of the comparisons: the same for both sides, from local copies of the data."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

from harness.data import loading, registry
from harness.data.loading import Splits
from harness.model.checkpoint import read
from harness.record import RunSpec
from harness.runs import specs
from harness.runs.inputs import Inputs
from harness.runs.options import Options
from harness.schema import Example, Task

TASKS = ("openbookqa", "arc_challenge", "boolq", "mmlu", "tfns", "mmlu_cloze")


def ask(name: str, count: int, data: Path | None) -> tuple[Task, list[Example]]:
    """Return a task and `count` questions of all its splits, in the order of their ids' hashes: more begin with fewer."""
    task = registry.task(name)
    every = [example for _, part in loading.load_splits(task, data_dir=data).items() for example in part]
    every.sort(key=lambda example: hashlib.sha256(example.id.encode()).hexdigest())
    return task, every[:count]


def options_of(name: str, examples: list[Example], data: Path | None) -> list[tuple[str, ...]]:
    """Return the texts of the options; for letters, those of the cloze form of the same questions."""
    if name != "mmlu":
        return [example.choices for example in examples]
    texts = {example.id: example.choices for example in ask("mmlu_cloze", 10**6, data)[1]}
    return [texts[example.id] for example in examples]


def spec_of(task: Task, examples: list[Example], folder: Path) -> RunSpec:
    """Return the spec of the base model's run on these questions, in fp32 on the processor."""
    options = Options(tasks=(task.name,), methods=("base",), model=str(folder), device="cpu", dtype="fp32")
    inputs = Inputs(task, Splits((), (), tuple(examples)))
    (spec,) = specs.make(inputs, (registry.method("base"),), read(str(folder)), options)
    return replace(spec, test_examples=len(examples))
