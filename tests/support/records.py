"""Specs, records and answers made up for the tests of everything that reads results."""

from __future__ import annotations

from typing import Any

from harness.record import Answer, Cost, Environment, Parts, Phase, Record, RunSpec, Score

SPEC: dict[str, Any] = {
    "task": "toy",
    "task_version": 1,
    "data": "0123456789abcdef",
    "scoring": "choices",
    "model": "tiny",
    "model_revision": "aaaabbbbcccc",
    "method": "lora",
    "rank": 8,
    "alpha": 32.0,
    "dropout": 0.0,
    "learning_rate": 0.01,
    "weight_decay": 0.0,
    "warmup": 0.1,
    "epochs": 1.0,
    "batch_size": 8,
    "micro_batch": 8,
    "max_tokens": 256,
    "max_new_tokens": 8,
    "train_examples": 24,
    "test_examples": 12,
    "seed": 0,
    "dtype": "fp32",
    "device": "cpu",
}


def make_spec(**changes: Any) -> RunSpec:
    """Return a spec of LoRA rank 8 on the task `toy`."""
    return RunSpec(**(SPEC | changes))


def make_cost() -> Cost:
    """Return the cost of a small run; the parts add up to the training peak."""
    phases = {
        "load": Phase(seconds=1.0, peak_bytes=10_000_000, resident_bytes=300_000_000),
        "train": Phase(seconds=20.0, peak_bytes=60_000_000, resident_bytes=400_000_000, tokens=200_000),
        "evaluate": Phase(seconds=4.0, peak_bytes=20_000_000, resident_bytes=350_000_000, tokens=50_000),
    }
    return Cost(
        phases=phases,
        parts=Parts(10_000_000, 1_000_000, 1_000_000, 2_000_000, 46_000_000),
        predicted_peak_bytes=58_000_000,
        weights=1_700_000,
        trained_weights=50_000,
        weights_bytes=3_400_000,
        adapter_bytes=200_000,
        train_tokens=200_000,
        train_tokens_per_second=10_000.0,
    )


def make_environment(**changes: Any) -> Environment:
    """Return a made-up machine."""
    values: dict[str, Any] = {
        "python": "3.11.7",
        "platform": "Linux x86_64",
        "machine": "A processor, 2 cores, 24 GiB",
        "device_name": "A processor",
        "threads": 2,
        "memory_bytes": 24 * 2**30,
        "packages": {"torch": "2.13.0", "transformers": "5.23.0"},
        "commit": "abcdef012345",
        "allocator": "glibc 2.36",
    }
    return Environment(**(values | changes))


def make_record(spec: RunSpec | None = None, **changes: Any) -> Record:
    """Return an ok record with accuracy 75 %."""
    values: dict[str, Any] = {
        "spec": spec or make_spec(),
        "status": "ok",
        "scores": {"accuracy": Score(value=0.75, low=0.5, high=0.9, n=12, groups=6)},
        "parse_rate": 1.0,
        "chance": 1 / 3,
        "cost": make_cost(),
        "environment": make_environment(),
        "final_loss": 0.4,
        "started": "2026-01-01T00:00:00+00:00",
        "seconds": 25.0,
    }
    return Record(**(values | changes))


def make_answers(right: int, wrong: int) -> list[Answer]:
    """Return answers of which `right` are right; two to a group."""
    total = right + wrong
    return [
        Answer(
            id=f"q{i}",
            group=f"g{i // 2}",
            target="a",
            text="a" if i < right else "b",
            parsed="a" if i < right else "b",
            choices=("a", "b", "c"),
            loglik=(-0.5, -1.5, -2.5) if i < right else (-1.5, -0.5, -2.5),
        )
        for i in range(total)
    ]
