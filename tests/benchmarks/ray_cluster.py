"""Itself: 16 equal runs as processes of this machine, then on a Ray cluster that runs on it; Ray may take a tenth more.

    python tests/benchmarks/ray_cluster.py --rounds 3      prints the seconds of each round and their ratio, keeps nothing

Each way is a whole command, the start of Ray included. With `--running` Ray runs before the first command and until the last.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path[:1] = [str(ROOT)]

from tests.benchmarks.workers import command, sizes_of

START_SECONDS = 20.0  # for a Ray to start
BOUND = 1.10  # of the seconds of local processes


def seconds_of(words: list[str]) -> float:
    """Return the seconds of a command whose results nobody needs."""
    with tempfile.TemporaryDirectory() as results:
        start = time.perf_counter()
        subprocess.run([*words, "--no-report", "--results", results], cwd=ROOT, capture_output=True, check=True)
        return time.perf_counter() - start


def main(train_examples: int, test_examples: int, rounds: int) -> None:
    """Time both ways in turn and print the ratio of their medians."""
    jobs = len(os.sched_getaffinity(0))
    local = command(sizes_of(train_examples, test_examples), jobs, "unused")[:-2]
    found: dict[str, list[float]] = {"local": [], "ray": []}
    for _ in range(rounds):
        found["local"].append(seconds_of(local))
        found["ray"].append(seconds_of([*local, "--cluster", "ray"]))
        print(f"local {found['local'][-1]:.1f} s, Ray {found['ray'][-1]:.1f} s", flush=True)
    ratio = statistics.median(found["ray"]) / statistics.median(found["local"])
    print(f"Ray took {ratio:.2f} times as long, {'within' if ratio <= BOUND else 'above'} {BOUND:.2f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="a Ray cluster of this machine against its own processes")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--train-examples", type=int, default=1200)
    parser.add_argument("--test-examples", type=int, default=100)
    parser.add_argument("--running", action="store_true")
    chosen = parser.parse_args()
    head = [str(Path(sys.executable).parent / "ray"), "start", "--head", "--include-dashboard=false", "--block"]
    server = subprocess.Popen(head, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) if chosen.running else None
    try:
        if server:
            time.sleep(START_SECONDS)
        main(chosen.train_examples, chosen.test_examples, chosen.rounds)
    finally:
        if server:
            server.terminate()  # ends the processes of this Ray alone, as `ray stop` would not
            server.wait()
