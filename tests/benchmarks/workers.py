"""Itself: a grid on one core, then with two workers on two cores, which should take half as long.

What cannot be halved is the start of the program, the tables and the figures, about 8 s here. Beside four runs of 4 s that is
half of the time, and two workers that do not slow each other at all then give 1.5; so the runs are as long as to be most of it,
and how long one takes alone and beside another is told apart.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.store import records
from tests.benchmarks import subjects
from tests.benchmarks.timing import OURS, ROOT, Comparison, in_turn, keep

ALONE = "one worker on one core"
TARGET = 2 * 0.9  # of two workers: 0.9 of what each would do alone
GRID = ("--task", "cfa", "--method", "lora", "--rank", "8", "--seeds", "4", "--epochs", "1", "--no-memory")


def run(cores: Sequence[int], jobs: int, sizes: Sequence[str]) -> list[float]:
    """Run four runs of one size on these cores, that many at a time; return the seconds of each in its own process."""
    with tempfile.TemporaryDirectory() as results:
        subprocess.run(
            [sys.executable, "run_all.py", *GRID, *sizes, "--jobs", str(jobs), "--results", results],
            cwd=ROOT,
            capture_output=True,
            check=True,
            preexec_fn=lambda: os.sched_setaffinity(0, cores),
        )
        return [found.record.seconds for found in records.read_all(Path(results), "cfa")]


def main(train_examples: int = 1200, test_examples: int = 100, rounds: int = 2) -> None:
    """Measure on the first two cores; one worker on one of them is the other way."""
    sizes = ("--train-examples", str(train_examples), "--test-examples", str(test_examples))
    cores = sorted(os.sched_getaffinity(0))[:2]
    ways: dict[str, Any] = {
        OURS: lambda: run(cores, len(cores), sizes),
        ALONE: lambda: run(cores[:1], 1, sizes),
    }
    seconds, found = in_turn(ways, rounds=rounds)
    beside, alone = (statistics.mean(found[name]) for name in (OURS, ALONE))
    rest = seconds[ALONE][-1] - sum(found[ALONE])
    keep(
        Comparison(
            "workers",
            f"4 runs of LoRA r8 on `cfa`, {train_examples} examples, two workers on two cores",
            seconds,
            {ALONE: TARGET},
            f"the same four runs; one takes {alone:.1f} s alone and {beside:.1f} s beside another",
            notes=(f"the start of the program, the tables and figures, {rest:.1f} s, are in both times",),
            packages=subjects.versions(("torch",)),
        )
    )
