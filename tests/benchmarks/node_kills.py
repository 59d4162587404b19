"""Grids on a Ray cluster of three nodes, each of which loses a node:   python tests/benchmarks/node_kills.py [--count 20]

One of the two nodes without Ray's head is killed at a random moment of each grid, by `--seed`. Then all runs must be done, records,
answers, weights and leaderboard must be those of the same grid done by processes of this machine, and no process may be left.
Prints a line for each grid, and ends with code 1 if one of them differs. `--runs 40 --count 1` is a larger grid.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path[:1] = [str(ROOT)]

from harness.runs import local, plan, runner, worker
from harness.runs.executors.ray.executor import RayCluster
from harness.runs.job import Job, Progress
from harness.store import records
from tests.runs.test_runner import Notes
from tests.support.ray_nodes import contents, grid_in, leaderboard, processes_with, three_nodes

PATIENCE = 20.0  # seconds, for the processes of a cluster to end
TRIES = 5  # of a grid that had ended before the moment of its kill
MARK = "MARK_OF_NODE_KILLS"  # a variable that everything started from here has


class Killer:
    """Kills a node of a cluster once, some seconds after the first progress of a run: it may hit a run, or an agent that waits."""

    def __init__(self, nodes: Any, chance: random.Random, runs: int, seconds: float) -> None:
        self.nodes, self.node = nodes, chance.randint(1, 2)
        self.run, self.delay = chance.randint(1, runs), chance.uniform(0.0, seconds)
        self.is_done = False
        self._busy, self._timer = set[str](), threading.Timer(self.delay, self._kill)
        self._lock = threading.Lock()

    def on_progress(self, run: str) -> None:
        """Note the progress of a run by its id."""
        if run not in self._busy:
            self._busy.add(run)
            if len(self._busy) == self.run:
                self._timer.start()

    def cancel(self) -> None:
        """Kill nothing from now on."""
        with self._lock:
            self._timer.cancel()
            self.nodes = None

    def _kill(self) -> None:
        with self._lock:
            if self.nodes is not None:
                self.is_done = True
                self.nodes.remove_node(self.nodes.list_all_nodes()[self.node], allow_graceful=False)


class Watcher(Notes):
    """Notes of a grid that tell a killer which runs are at work."""

    def __init__(self, killer: Killer) -> None:
        super().__init__()
        self.killer = killer

    def on_progress(self, job: Job, progress: Progress) -> None:
        """Note it, and count the run."""
        super().on_progress(job, progress)
        self.killer.on_progress(job.spec.id)


@dataclass(frozen=True)
class Reference:
    """A grid as processes of this machine do it: its contents, its leaderboard, and the seconds of a run."""

    contents: Mapping[str, Any]
    leaderboard: list[dict[str, Any]]
    seconds: float

    @classmethod
    def of(cls, planned: plan.Plan) -> Reference:
        """Do the grid here."""
        runner.run(planned.jobs(), local.LocalProcesses(worker.run, slots=2), Notes())
        runs = [records.finished_run(planned.options.results, spec) for spec in planned.specs]
        seconds = [run.record.seconds for run in runs if run is not None]
        return cls(contents(planned), leaderboard(planned), sum(seconds) / len(seconds))


def grid(folder: Path, seeds: int, chance: random.Random, reference: Reference) -> tuple[str, bool]:
    """Do a grid on a cluster of three nodes and kill one; return what came of it, and whether all is as it should be."""
    start = time.monotonic()
    planned = grid_in(folder / "results", seeds)
    jobs = planned.jobs()
    with three_nodes() as nodes:
        import ray

        killer = Killer(nodes, chance, len(jobs), reference.seconds)
        watcher = Watcher(killer)
        with contextlib.closing(RayCluster(ray, worker.run, root=str(folder / "cache"), share=False)) as cluster:
            outcomes = runner.run(jobs, cluster, watcher).outcomes
        killer.cancel()
    done = sum(outcome.status == "ok" for outcome in outcomes)
    replaced = sum("placed again" in line for line in watcher.lines)
    is_equal = contents(planned) == reference.contents and leaderboard(planned) == reference.leaderboard
    left = _left()
    text = (
        f"node {killer.node} killed {killer.delay:.1f} s after run {killer.run} began: {done} of {len(jobs)} runs done, "
        f"{replaced} placed again, tables and files {'equal' if is_equal else 'DIFFERENT'}, {len(left)} processes left "
        f"({time.monotonic() - start:.0f} s)"
    )
    return text if killer.is_done else "", done == len(jobs) and is_equal and not left


def main(count: int, seed: int, runs: int, here: Path | None) -> int:
    """Do so many grids of so many runs; return 1 unless all of them are whole."""
    chance, whole = random.Random(seed), 0
    with tempfile.TemporaryDirectory() as place:
        reference = Reference.of(grid_in(here or Path(place) / "here", runs - 1))
        os.environ[MARK] = f"{MARK}-{os.getpid()}"  # not before: the server of this machine's runs stays until the end
        print(f"{runs} runs here, {reference.seconds:.1f} s each", flush=True)
        for number in range(1, count + 1):
            for attempt in range(TRIES):
                text, is_whole = grid(Path(place) / f"{number}-{attempt}", runs - 1, chance, reference)
                if text or not is_whole:
                    break
            whole += is_whole and bool(text)
            print(f"{number:>3} of {count}: {text or 'ended before its node was killed'}", flush=True)
    print(f"{whole} of {count} grids are whole: all runs done, equal to those of this machine, no process left")
    return whole < count


def _left() -> list[int]:
    """Return the processes that are left of this program's clusters."""
    end = time.monotonic() + PATIENCE
    while (left := processes_with(os.environ[MARK])) and time.monotonic() < end:
        time.sleep(0.2)
    return left


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="grids on three nodes, one of which is killed")
    parser.add_argument("--count", type=int, default=20, help="grids")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--runs", type=int, default=5, help="runs of a grid: the base model, and seeds of LoRA")
    parser.add_argument(
        "--here", type=Path, help="results folder of this machine's runs, to keep them for the next call"
    )
    chosen = parser.parse_args()
    sys.exit(main(chosen.count, chosen.seed, chosen.runs, chosen.here))
