"""Itself: 16 equal runs on one core, then with two workers on two cores, which should take half as long.

    python tests/benchmarks workers                      the comparison, kept in results/benchmarks/workers.json
    python tests/benchmarks/workers.py --rounds 3 --parts    the seconds of each part as well, nothing kept

What cannot be halved is the start of the program and what follows the runs; `--parts` times a command whose runs are done
already, which is this rest. How long a run takes alone and beside another is told apart: if it takes longer beside another, the
processors share a bus or a core, and no program can change that. `bound` is the ratio with that and without any rest.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path[:1] = [str(ROOT)]

from harness import processes
from harness.runs import plan
from harness.runs.job import Job
from harness.runs.options import Options
from harness.store import records
from tests.benchmarks import subjects
from tests.benchmarks.timing import OURS, Comparison, in_turn, keep

ALONE = "one worker on one core"
TARGET = 1.8  # of two workers: 0.9 of what each would do alone
RUNS = 16
GRID = ("--task", "cfa", "--method", "lora", "--challengers", "none", "--rank", "8", "--epochs", "1", "--no-memory")


def command(sizes: Sequence[str], jobs: int, results: Path | str, runs: int = RUNS) -> list[str]:
    """Return the command of the runs, `jobs` at a time."""
    words = (*GRID, "--seeds", str(runs), *sizes, "--jobs", str(jobs), "--results", str(results))
    return [sys.executable, "run_all.py", *words]


def call(words: Sequence[str], cores: Sequence[int]) -> None:
    """Call the program on these cores; what it prints is of no interest."""
    subprocess.run(words, cwd=ROOT, capture_output=True, check=True, preexec_fn=lambda: os.sched_setaffinity(0, cores))


def run(cores: Sequence[int], sizes: Sequence[str]) -> list[float]:
    """Do the runs with a worker on each core; return the seconds of each in its own process."""
    with tempfile.TemporaryDirectory() as results:
        call(command(sizes, len(cores), results), cores)
        return [found.record.seconds for found in records.read_all(Path(results), "cfa")]


def rest(cores: Sequence[int], sizes: Sequence[str]) -> float:
    """Return the seconds of the command on these cores if its runs are done and no view of them is there yet."""
    with tempfile.TemporaryDirectory() as results:
        call(command(sizes, len(cores), results), cores)
        for path in Path(results).iterdir():
            if path.name != "runs":
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        start = time.perf_counter()
        call(command(sizes, len(cores), results), cores)
        return time.perf_counter() - start


def sizes_of(train_examples: int, test_examples: int) -> tuple[str, ...]:
    """Return the flags of the sizes of a run."""
    return ("--train-examples", str(train_examples), "--test-examples", str(test_examples))


def bound(alone: float, beside: float) -> float:
    """Return the ratio that two workers reach if a run takes these seconds alone and beside another, and nothing else does."""
    return 2 * alone / beside


def main(train_examples: int = 480, test_examples: int = 100, rounds: int = 2) -> None:
    """Measure on the first two cores; one worker on one of them is the other way."""
    sizes = sizes_of(train_examples, test_examples)
    cores = sorted(os.sched_getaffinity(0))[:2]
    ways: dict[str, Any] = {OURS: lambda: run(cores, sizes), ALONE: lambda: run(cores[:1], sizes)}
    seconds, found = in_turn(ways, rounds=rounds)
    beside, alone = (statistics.mean(found[name]) for name in (OURS, ALONE))
    over = seconds[ALONE][-1] - sum(found[ALONE])
    keep(
        Comparison(
            "workers",
            f"{RUNS} runs of LoRA r8 on `cfa`, {train_examples} examples, two workers on two cores",
            seconds,
            {ALONE: TARGET},
            f"the same runs; one takes {alone:.1f} s alone and {beside:.1f} s beside another",
            notes=(
                f"the start of the program, the tables and figures, {over:.1f} s, are in both times",
                f"without them the ratio would be {bound(alone, beside):.2f}",
            ),
            packages=subjects.versions(("torch",)),
        )
    )


class Quiet:
    """A reporter that nobody hears."""

    def tell(self, event: object) -> None:
        """Say nothing."""

    def should_stop(self) -> bool:
        """Go on."""
        return False


def processor_seconds(jobs: Sequence[Job], cores: Sequence[int]) -> list[float]:
    """Return the processor seconds of runs that start at the same time, each a fork on a core of its own."""
    import harness.runs.preload  # noqa: F401 - as in the fork server
    from harness.runs import worker

    pids = []
    for job, core in zip(jobs, cores, strict=False):
        records.prepare(job.folder)
        if (pid := os.fork()) == 0:
            os.sched_setaffinity(0, {core})
            processes.drop_output()
            worker.run(job, Quiet())
            os._exit(0)
        pids.append(pid)
    usages = [os.wait4(pid, 0)[2] for pid in pids]
    return [usage.ru_utime + usage.ru_stime for usage in usages]


def parts(train_examples: int, test_examples: int) -> None:
    """Print the processor seconds of a run alone and beside another, and the seconds of what is not a run."""
    cores = sorted(os.sched_getaffinity(0))[:2]
    for count in (1, 2, 1, 2):
        with tempfile.TemporaryDirectory() as results:
            options = Options(
                tasks=("cfa",),
                methods=("lora",),
                ranks=(8,),
                seeds=(0, 1),
                epochs=1.0,
                train_examples=train_examples,
                test_examples=test_examples,
                results=Path(results),
                jobs=2,
                memory=False,
            )
            jobs = plan.make(options)[0].jobs()[:count]
            seconds = processor_seconds(jobs, cores)
        print(f"{count} at a time: {statistics.mean(seconds):.2f} processor seconds a run")
    for used in (cores, cores[:1]):
        print(
            f"start, tables and figures on {len(used)} cores: {rest(used, sizes_of(train_examples, test_examples)):.1f} s"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="two workers against one")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--train-examples", type=int, default=480)
    parser.add_argument("--test-examples", type=int, default=100)
    parser.add_argument("--parts", action="store_true")
    chosen = parser.parse_args()
    if chosen.parts:
        parts(chosen.train_examples, chosen.test_examples)
    else:
        main(chosen.train_examples, chosen.test_examples, chosen.rounds)
