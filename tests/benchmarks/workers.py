"""Itself: a grid on one core, then with two workers on two cores, which should take half as long."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from typing import Any

from benchmarks import subjects
from benchmarks.timing import ROOT, Comparison, in_turn, keep

TARGET = 2 * 0.9  # of two workers: 0.9 of what each would do alone
GRID = ("--task", "cfa", "--method", "lora", "--rank", "8", "--seeds", "4", "--epochs", "1", "--no-memory")


def run(cores: Sequence[int], jobs: int, sizes: Sequence[str]) -> None:
    """Run four runs of one size on these cores, that many at a time."""
    with tempfile.TemporaryDirectory() as results:
        subprocess.run(
            [sys.executable, "run_all.py", *GRID, *sizes, "--jobs", str(jobs), "--results", results],
            cwd=ROOT,
            capture_output=True,
            check=True,
            preexec_fn=lambda: os.sched_setaffinity(0, cores),
        )


def main(train_examples: int = 240, test_examples: int = 100, rounds: int = 2) -> None:
    """Measure on the first two cores; one worker on one of them is the other way."""
    sizes = ("--train-examples", str(train_examples), "--test-examples", str(test_examples))
    cores = sorted(os.sched_getaffinity(0))[:2]
    ways: dict[str, Any] = {
        "ours": lambda: run(cores, len(cores), sizes),
        "one worker on one core": lambda: run(cores[:1], 1, sizes),
    }
    seconds, _ = in_turn(ways, rounds=rounds)
    keep(
        Comparison(
            "workers",
            f"4 runs of LoRA r8 on `cfa`, {train_examples} examples, two workers on two cores",
            seconds,
            {"one worker on one core": TARGET},
            "the same four runs; the start of the program, the tables and figures are in both times",
            packages=subjects.versions(("torch",)),
        )
    )
