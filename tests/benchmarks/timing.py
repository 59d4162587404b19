"""Ways of doing one piece of work, timed in turn in one process (A B A B), since machines are noisy: ratios count."""

from __future__ import annotations

import gc
import json
import platform
import resource
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from harness import environment
from harness.store import records

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "results" / "benchmarks"
OURS = "ours"

# What people read for the name of a comparison, and for the name of a way.
TITLES = {
    "choices-tiny": "Scoring 600 questions with options, embedded model",
    "choices-wide": "Scoring questions with options, vocabulary of 50,304",
    "grid": "A whole grid: 8 runs trained and tested",
    "labels": "Choosing a label for 300 texts",
    "serving-memory-01": "Bytes to serve 1 adapter",
    "serving-memory-04": "Bytes to serve 4 adapters",
    "serving-memory-16": "Bytes to serve 16 adapters",
    "serving-memory-64": "Bytes to serve 64 adapters",
    "serving-mixed": "Serving 8 adapters, requests mixed",
    "serving-swap": "Making an adapter ready to answer",
    "start-compare": "Starting the command compare",
    "start-list": "Starting the command list",
    "start-plan": "Starting the command plan --no-memory",
    "start-report": "Starting the command report",
    "start-verify": "Starting the command verify",
    "training": "Training LoRA r8 on 160 examples",
    "views": "Building the report, nothing cached",
    "views-again": "Rebuilding the report, figures cached",
    "workers": "Equal runs, two workers on two cores",
    "writing-long": "Writing 150 answers, long prompts",
    "writing-short": "Writing 300 answers, short prompts",
}
WAYS = {
    "0.5 s": "half a second",
    "ten times as many": "10 times as many records, time per record",
}


@dataclass(frozen=True)
class Comparison:
    """Seconds of each way in each round, and what came out of comparing what they did.

    `others` are compared with the way called "ours"; `targets` are the ratios to reach; `same` says in words that the
    work was the same.
    """

    name: str
    work: str
    seconds: Mapping[str, tuple[float, ...]]
    targets: Mapping[str, float]
    same: str
    notes: tuple[str, ...] = ()
    packages: Mapping[str, str] = field(default_factory=dict)
    peaks: Mapping[str, int] = field(default_factory=dict)  # bytes of live tensors, by way

    def ratio(self, other: str) -> float:
        """How many times as long the other way takes: the median over rounds of the ratio within a round."""
        return statistics.median(b / a for a, b in zip(self.seconds[OURS], self.seconds[other], strict=True))

    def spread(self, other: str) -> tuple[float, float]:
        """The least and the largest ratio of a round."""
        ratios = [b / a for a, b in zip(self.seconds[OURS], self.seconds[other], strict=True)]
        return min(ratios), max(ratios)


def in_turn(
    ways: Mapping[str, Callable[[], Any]], *, rounds: int, clock: Callable[[], float] | None = None
) -> tuple[dict[str, tuple[float, ...]], dict[str, Any]]:
    """Return the seconds of every way in each round, and what each returned in the last; a first round is thrown away.

    Args:
        ways: by name.
        rounds: how many count.
        clock: `time.perf_counter` if None.
    """
    now = clock or time.perf_counter
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    found: dict[str, Any] = {}
    for number in range(rounds + 1):
        for name, way in ways.items():
            started = now()
            found[name] = way()
            if number:
                seconds[name].append(now() - started)
    return {name: tuple(taken) for name, taken in seconds.items()}, found


def processor() -> float:
    """Return the processor seconds of this process and of those that it has waited for."""
    found = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in found)


def peaks(ways: Mapping[str, Callable[[], Any]]) -> dict[str, int]:
    """Return the most bytes of live tensors that each way had, by the harness's own counter."""
    from harness.model.byte_counter import ByteCounter

    found = {}
    for name, way in ways.items():
        gc.collect()
        with ByteCounter() as counter:
            way()
        found[name] = counter.peak
    return found


def keep(found: Comparison) -> None:
    """Write a comparison to `results/benchmarks/<name>.json`, with ratios and the machine, and print it in short."""
    others = [name for name in found.seconds if name != OURS]
    ratios = {
        name: {"ratio": found.ratio(name), "range": found.spread(name), "target": found.targets.get(name)}
        for name in others
    }
    machine = {"processor": environment.processor(), "cores": environment.cores(), "python": platform.python_version()}
    data = asdict(found) | {"ratios": ratios, "machine": machine}
    records.write_text(RESULTS / f"{found.name}.json", json.dumps(data, indent=1, ensure_ascii=False) + "\n")
    for name in others:
        low, high = found.spread(name)
        target = f", target {found.targets[name]:g}" if name in found.targets else ""
        print(
            f"{found.name}: {name} takes {found.ratio(name):.2f} times as long ({low:.2f} to {high:.2f}{target})",
            flush=True,
        )
    print(f"{found.name}: {found.same}", flush=True)
