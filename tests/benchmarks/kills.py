"""Processes left 5 s after a signal to the program:   python tests/benchmarks/kills.py [--times 100] [--seed 0]

Each time a command is started, gets SIGKILL, SIGTERM or SIGHUP at a random moment while it plans or runs, and everything
that it started is counted 5 seconds later. `--out FILE` keeps what was measured; the same command then goes on where it was.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
import random
import signal
import sys
import tempfile
from pathlib import Path

sys.path[:1] = [str(Path(__file__).resolve().parents[2])]

from tests.support.kills import SIGNALS, kill_once
from tests.support.sample_inputs import write_task

PATIENCE = 5.0  # seconds
RUN = ("--method", "base,lora,full", "--rank", "2", "--epochs", "40")
# With the seconds after which the phase is over on a slow machine. A command with {results} gets its signal while it runs.
COMMANDS: dict[str, tuple[tuple[str, ...], float]] = {
    "plan": (("plan", "--task", "{task}", *RUN), 8.0),
    "run": (("--task", "{task}", "--results", "{results}", *RUN), 8.0),
    "plan --gpu": (("plan", "--task", "{task}", "--gpu", "H100", *RUN), 12.0),
    "run --no-memory": (("--task", "{task}", "--no-memory", "--jobs", "2", "--results", "{results}", *RUN), 8.0),
    "check": (("check", "{task}"), 2.0),
    "run, while it plans": (("--task", "{task}", "--results", "{elsewhere}", *RUN), 8.0),
}


def main(times: int, seed: int, out: Path | None) -> int:
    """Kill so many times; return 1 if a process was left after one of them, else 0."""
    chance = random.Random(seed)
    before = out.read_text(encoding="utf-8").splitlines() if out and out.exists() else []
    with tempfile.TemporaryDirectory() as place:
        names = {"task": str(write_task(Path(place) / "toy.jsonl")), "elsewhere": str(Path(place) / "elsewhere")}
        for at, (name, number) in enumerate(itertools.islice(itertools.cycle(_pairs()), times)):
            words, most = COMMANDS[name]
            for key, value in names.items():
                words = tuple(word.replace(f"{{{key}}}", value) for word in words)
            moments = random.Random(chance.random())
            if at < len(before):
                continue
            while (done := kill_once(name, ("run_all.py", *words), number, moments, most, PATIENCE)).early:
                most *= 0.8  # it had ended before: on this machine it takes less time
            line = json.dumps(dataclasses.asdict(done))
            print(line, flush=True)
            before.append(line)
            if out:
                out.write_text("".join(f"{row}\n" for row in before), encoding="utf-8")
    rows = [json.loads(line) for line in before]
    bad = [row for row in rows if row["left"]]
    slowest = max((row["waited"] for row in rows), default=0.0)
    print(f"{len(bad)} of {len(rows)} left a process after {PATIENCE:g} s; the slowest were gone after {slowest} s")
    return bool(bad)


def _pairs() -> list[tuple[str, signal.Signals]]:
    return [(name, number) for number in SIGNALS for name in COMMANDS]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    sys.exit(main(given.times, given.seed, given.out))
