"""Itself: 16 equal runs as processes of this machine, then on a Ray cluster that runs on it; Ray may take a tenth more.

    python tests/benchmarks/ray_cluster.py --rounds 3      prints the seconds of each round and their ratio, keeps nothing

Each way is a whole command, the start of Ray included; they take turns, and the other one begins each round. After a round
the leaderboards of both are compared, byte for byte but for what clocks and dates decide; a difference ends with code 1.
With `--running` Ray runs before the first command and until the last, with `--client` also, and the command
reaches it as it would a remote one (`ray://`). Fewer runs or `--train-examples` try the script itself: the start of
Ray then weighs more.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path[:1] = [str(ROOT)]

from harness.data import registry
from harness.store import records
from tests.benchmarks.workers import RUNS, command, sizes_of
from tests.support.ray_nodes import timeless

START_SECONDS = 60.0  # for a Ray to start, at most
CLIENT_PORT = 10001
BOUND = 1.10  # of the seconds of local processes
RAY = [sys.executable, "-m", "ray.scripts.scripts"]


def seconds_of(words: list[str]) -> float:
    """Return the seconds of a command, whose output is shown if it fails."""
    start = time.perf_counter()
    done = subprocess.run(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(words)}\n{done.stdout[-3000:]}\nended with code {done.returncode}")
    return time.perf_counter() - start


def leaderboard_of(results: Path, runs: int) -> bytes:
    """Return the leaderboard of a results folder without times."""
    done = [run for run in records.read_all(results, "cfa") if run.record.status == "ok"]
    if len(done) != runs:
        raise SystemExit(f"{len(done)} of {runs} runs are done in {results}")
    return json.dumps(timeless(done, "cfa", registry.task("cfa").metrics), indent=1).encode()


def main(sizes: tuple[str, ...], rounds: int, jobs: int, runs: int, address: str) -> int:
    """Time both ways in turn, and print the ratio of their medians; return 1 if their leaderboards differ."""
    ways = {"local": (), "Ray": ("--cluster", address)}
    found: dict[str, list[float]] = {name: [] for name in ways}
    equal = 0
    for number in range(rounds):
        with tempfile.TemporaryDirectory() as place:
            for name in list(ways)[:: -1 if number % 2 else 1]:
                words = command(sizes, jobs, Path(place) / name, runs)
                found[name].append(seconds_of([*words, "--no-report", *ways[name]]))
            boards = {name: leaderboard_of(Path(place) / name, runs) for name in ways}
        equal += boards["local"] == boards["Ray"]
        sides = ", ".join(f"{name} {found[name][-1]:.1f} s" for name in ways)
        print(f"{sides}; leaderboards {'equal' if boards['local'] == boards['Ray'] else 'DIFFERENT'}", flush=True)
    ratio = statistics.median(found["Ray"]) / statistics.median(found["local"])
    ratios = sorted(b / a for a, b in zip(found["local"], found["Ray"], strict=True))
    print(f"Ray took {ratio:.3f} times as long ({ratios[0]:.3f} to {ratios[-1]:.3f}), bound {BOUND:.2f}")
    print(f"the leaderboards of {runs} runs were equal in {equal} of {rounds} rounds")
    return equal < rounds


@contextmanager
def running_ray() -> Iterator[None]:
    """A Ray of this machine for the commands, which have its token in their environment; its processes end with it."""
    os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(16), "RAY_USAGE_STATS_ENABLED": "0"}
    head = [*RAY, "start", "--head", "--include-dashboard=false", f"--num-cpus={os.cpu_count()}", "--block"]
    head += ["--ray-client-server-port", str(CLIENT_PORT)]
    server = subprocess.Popen(head, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + START_SECONDS
        while subprocess.run([*RAY, "status"], capture_output=True, check=False).returncode:
            if server.poll() is not None or time.monotonic() > end:
                raise SystemExit("Ray did not start: see `ray start --head --block`")
            time.sleep(1)
        yield
    finally:
        server.terminate()  # ends the processes of this Ray alone, as `ray stop` would not
        server.wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="a Ray cluster of this machine against its own processes")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--train-examples", type=int, default=1200)
    parser.add_argument("--test-examples", type=int, default=100)
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)), help="runs at a time")
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--running", action="store_true")
    parser.add_argument("--client", action="store_true")
    chosen = parser.parse_args()
    address = f"ray://127.0.0.1:{CLIENT_PORT}" if chosen.client else "ray"
    arguments = sizes_of(chosen.train_examples, chosen.test_examples), chosen.rounds, chosen.jobs, chosen.runs, address
    if chosen.running or chosen.client:
        with running_ray():
            sys.exit(main(*arguments))
    sys.exit(main(*arguments))
