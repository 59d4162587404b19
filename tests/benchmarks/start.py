"""Itself: how long commands take to start, which is all that `list` does and what every other command does first.

`report`, `verify` and `compare` are given an empty results folder, which they refuse as soon as they look for runs.
"""

from __future__ import annotations

import importlib.metadata
import statistics
import subprocess
import sys
import tempfile
from functools import partial

from tests.benchmarks.timing import OURS, ROOT, Comparison, in_turn, keep, processor

TARGET_SECONDS = 0.5
LIMIT = f"{TARGET_SECONDS:g} s"
COMMANDS: dict[str, tuple[tuple[str, ...], int]] = {  # with their exit codes
    "list": (("list",), 0),
    "plan": (("plan", "--task", "cfa", "--no-memory", "--results"), 0),
    "report": (("report", "--results"), 2),
    "verify": (("verify",), 2),
    "compare": (("compare", "base", "lora-r8", "--results"), 2),
}


def run(name: str, results: str) -> None:
    """Run a command; one that takes a results folder gets an empty one."""
    words, code = COMMANDS[name]
    folder = [] if name == "list" else [results]
    done = subprocess.run([sys.executable, "run_all.py", *words, *folder], cwd=ROOT, capture_output=True, text=True)
    if done.returncode != code:
        raise RuntimeError(f"{name} ended with exit code {done.returncode}, and not {code}: {done.stderr}")


def main(rounds: int = 9) -> None:
    """Measure each command against the seconds that it may take."""
    with tempfile.TemporaryDirectory() as results:
        seconds, _ = in_turn({name: partial(run, name, results) for name in COMMANDS}, rounds=rounds, clock=processor)
    for name, (words, _) in COMMANDS.items():
        taken = seconds[name]
        keep(
            Comparison(
                f"start-{name}",
                f"`{' '.join(words).removesuffix(' --results')}` in a process of its own, until it is done or looks for runs",
                {OURS: taken, LIMIT: (TARGET_SECONDS,) * len(taken)},
                {LIMIT: 1.0},
                f"It takes {statistics.median(taken):.2f} s",
                notes=(f"seconds of the processor; the target is {LIMIT} or less on a slow machine",),
                packages={"numpy": importlib.metadata.version("numpy")},
            )
        )
