"""Validation loss over learning rates, each method at its defaults but for the rate: the curves of docs/learning_rates.md.

    python tests/benchmarks/rates.py tiny                                        the embedded model
    python tests/benchmarks/rates.py smollm2 --model FOLDER --data DATA          SmolLM2-135M-Instruct from a local folder

A run is a training by the project's own loop, then the loss on the validation split in nats per answer token. SmolLM2 trains for
100 steps, `tiny` for all passes of the task: in it a rate can lead after 100 steps and fail in a whole training. Its line goes to results/learning_rates/NAME.jsonl. Runs that have a line there are not repeated, so that a stopped
measurement continues.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import zip_longest
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:1] = [str(ROOT)]

import torch

from harness.data import registry
from harness.errors import HarnessError
from harness.model import checkpoint, likelihood, tokenize
from harness.model.batch import make_batches
from harness.model.loading import load_tokenizer, precision
from harness.model.tokenize import Pair
from harness.record import RunSpec
from harness.runs import plan, specs
from harness.runs.inputs import Inputs
from harness.runs.options import Options
from harness.schedule import planned_steps
from harness.schema import Example, Method
from harness.training import loop

RESULTS = ROOT / "results" / "learning_rates"
STEPS = 100
BATCH_TOKENS = 4096  # of validation, at once
METHODS = ("lora", "full", "qlora")
RANK = 8


@dataclass(frozen=True)
class Subject:
    """A model with its tasks, its examples per step and of validation, and the rates to try, the middle ones first.

    `steps` is the length of a training; 0 stands for all passes that the task has by default.
    """

    tasks: tuple[str, ...]
    batch_size: int
    validation: int
    rates: dict[str, tuple[float, ...]]
    steps: int = STEPS


SUBJECTS = {
    "tiny": Subject(
        ("cfa", "sec_qa"),
        16,
        300,
        {
            "lora": (5e-4, 1e-3, 2.5e-4, 2e-3, 1.25e-4),
            "qlora": (5e-4, 1e-3, 2.5e-4, 2e-3, 1.25e-4),
            "full": (1.3e-3, 6.5e-4, 2.6e-3, 3.2e-4, 5.2e-3),
        },
        steps=0,
    ),
    "smollm2": Subject(
        ("tfns", "openbookqa"),
        8,
        150,
        {
            "lora": (8e-4, 4e-4, 1.6e-3, 2e-4, 3.2e-3),
            "qlora": (8e-4, 4e-4, 1.6e-3, 2e-4, 3.2e-3),
            "full": (8e-5, 4e-5, 1.6e-4, 2e-5, 3.2e-4),
        },
    ),
}


@dataclass(frozen=True)
class Point:
    """One run of a curve: all that decides its loss."""

    model: str
    task: str
    method: str
    rank: int
    alpha: float
    learning_rate: float
    steps: int
    batch_size: int
    warmup: float
    seed: int
    dtype: str


def points(name: str, options: argparse.Namespace) -> Iterator[tuple[Inputs, Method, RunSpec, Point]]:
    """Yield the runs of a model: of each task the middle rates of every method first, then the outer ones."""
    subject, folder = SUBJECTS[name], options.model or name
    model = checkpoint.read(str(folder))
    for task in options.task:
        data = _inputs(task, options, subject)
        for rates in zip_longest(*(options.rate or subject.rates[method] for method in options.method)):
            for method, rate in zip(map(registry.method, options.method), rates, strict=True):
                if rate:
                    spec = _spec(data, method, model, options, rate, subject)
                    yield data, method, spec, _point(name, spec, len(data.splits.train))


def _inputs(name: str, options: argparse.Namespace, subject: Subject) -> Inputs:
    """Return a task with the examples of the steps and of validation."""
    asked = Options(tasks=(name,), data=options.data)
    task = plan.load_task(name, asked)
    splits = asked.source(name).splits(task)
    train = splits.train[: subject.steps * subject.batch_size] if subject.steps else splits.train
    return Inputs(task, replace(splits, train=train, validation=splits.validation[: subject.validation], test=()))


def _spec(
    data: Inputs,
    method: Method,
    model: checkpoint.Checkpoint,
    options: argparse.Namespace,
    rate: float,
    subject: Subject,
) -> RunSpec:
    """Return the spec of a run, resolved as every run's is."""
    per_pass = -(-len(data.splits.train) // subject.batch_size)
    asked = Options(
        tasks=(data.task.name,),
        ranks=(RANK,),
        learning_rate=rate,
        alpha=options.alpha,
        epochs=subject.steps / per_pass if subject.steps else None,
        batch_size=subject.batch_size,
        device="cpu",
        dtype=options.dtype,
        seeds=(options.seed,),
    )
    (spec,) = specs.make(data, (method,), model, asked)
    return spec


def _point(name: str, spec: RunSpec, examples: int) -> Point:
    return Point(
        name,
        spec.task,
        spec.method,
        spec.rank,
        spec.alpha,
        spec.learning_rate,
        planned_steps(examples, spec),
        spec.batch_size,
        spec.warmup,
        spec.seed,
        spec.dtype,
    )


def measure(data: Inputs, method: Method, spec: RunSpec, folder: Path) -> dict[str, Any]:
    """Return the loss before and after training, and the seconds of both; the loss is None if training diverged."""
    tokenizer = load_tokenizer(folder)
    model = method.adapt(method.load(str(folder), spec), spec)
    train, validation = (_pairs(tokenizer, split, data, spec) for split in (data.splits.train, data.splits.validation))
    start = time.perf_counter()
    try:
        fit = loop.fit(model, tokenizer, train, spec, rate_factor=method.rate_factor, make=method.optimizer)
    except loop.TrainingFailed:
        return {"loss": None}
    trained = time.perf_counter()
    loss = mean_loss(model, validation, spec)
    return {
        "loss": loss,
        "train_loss": sum(fit.losses[-10:]) / len(fit.losses[-10:]),
        "train_tokens": fit.tokens,
        "train_examples": len(train),
        "validation_examples": len(validation),
        "train_seconds": round(trained - start, 1),
        "validation_seconds": round(time.perf_counter() - trained, 1),
    }


def _pairs(tokenizer: Any, examples: Sequence[Example], data: Inputs, spec: RunSpec) -> list[Pair]:
    room = tokenize.answer_room(spec.scoring, spec.max_new_tokens)
    return tokenize.encode_train(tokenizer, examples, data.task, spec.max_tokens, room)


def mean_loss(model: Any, pairs: Sequence[Pair], spec: RunSpec) -> float:
    """Return the mean nats per answer token, end token included."""
    model.eval()
    nats: list[float] = []
    with torch.inference_mode(), precision(spec):
        for batch in make_batches([len(pair) for pair in pairs], BATCH_TOKENS):
            for row in likelihood.score_tokens(model, [pairs[index] for index in batch], spec):
                nats += row
    return -sum(nats) / len(nats)


def read(name: str) -> list[dict[str, Any]]:
    """Return the measured runs of a model."""
    path = RESULTS / f"{name}.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def main() -> None:
    """Measure the runs that have no line yet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=sorted(SUBJECTS))
    parser.add_argument("--model", type=Path, help="the folder of a model that is not embedded")
    parser.add_argument("--data", type=Path, help="the folder of data that the project does not ship")
    parser.add_argument("--task", nargs="+", help="only these tasks")
    parser.add_argument("--method", nargs="+", default=METHODS, help="only these methods")
    parser.add_argument("--rate", type=float, nargs="+", help="only these rates")
    parser.add_argument("--alpha", type=float, help="another alpha than the default")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--dtype", choices=("bf16", "fp32"))
    options = parser.parse_args()
    options.task = options.task or SUBJECTS[options.name].tasks
    RESULTS.mkdir(parents=True, exist_ok=True)
    folder = checkpoint.read(str(options.model or options.name)).folder
    for data, method, spec, point in points(options.name, options):
        known = [{key: line[key] for key in asdict(point)} for line in read(options.name)]
        if asdict(point) in known:
            continue
        line = asdict(point) | measure(data, method, spec, folder)
        with (RESULTS / f"{options.name}.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    try:
        main()
    except HarnessError as error:
        sys.exit(str(error))
