"""`--tune N`: the learning rate of each method and rank is the best of N on the validation split.

The rates are the same multiples of the default for every method and rank, so that none gets more tries than another.
Every trial is a run of its own below `results/trials`, trained like any other on the training split and answering the
validation split: the test split is neither answered nor scored before the rates are chosen. One seed serves, the first.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.errors import DIVERGED, HarnessError
from harness.record import Record, RunSpec
from harness.schema import Metric
from harness.store import records

FACTOR = math.sqrt(10)  # between neighbours: three rates span a decade

Look = Callable[[RunSpec], Record | None]


@dataclass(frozen=True)
class Settled:
    """Runs whose rate is known, runs that still wait for trials, and why those wait: (spec at its default, reason)."""

    specs: tuple[RunSpec, ...]
    waiting: tuple[tuple[RunSpec, str], ...]


def rates(default: float, count: int) -> tuple[float, ...]:
    """Return `count` rates, lowest first, evenly spaced on a log scale around the default, which is one of them.

    An even count has one more below than above: too high a rate does more harm.
    """
    steps = range(-(count // 2), (count + 1) // 2)
    return tuple(float(f"{default * FACTOR**step:.3g}") if step else default for step in steps)


def trials(asked: Sequence[RunSpec], count: int, *, examples: int) -> tuple[RunSpec, ...]:
    """Return the trials of runs at their default rates, one seed for all; none for runs that do not train.

    Args:
        asked: the runs, each at its default rate.
        count: rates for each method and rank; 0 is no tuning.
        examples: how many the validation split has.
    """
    if not count:
        return ()
    return tuple(
        dict.fromkeys(t for spec in asked if spec.train_examples for t in _trials(spec, asked, count, examples))
    )


def _trials(spec: RunSpec, asked: Sequence[RunSpec], count: int, examples: int) -> list[RunSpec]:
    seed = next(one.seed for one in asked if one.train_examples)
    trial = replace(spec, seed=seed, split="validation", test_examples=examples, probes=())
    return [replace(trial, learning_rate=rate) for rate in rates(spec.learning_rate, count)]


def settle(asked: Sequence[RunSpec], count: int, metric: Metric, look: Look, *, examples: int) -> Settled:
    """Give each run the rate that its trials chose; runs that do not train stay as they are.

    Args:
        asked: the runs, each at its default rate.
        count: rates for each method and rank.
        metric: the headline metric, by which trials are compared.
        look: returns a trial's record, None where there is none.
        examples: how many the validation split has.
    """
    specs, waiting = [], []
    for spec in asked:
        if not spec.train_examples:
            specs.append(spec)
            continue
        tried = [(trial, look(trial)) for trial in _trials(spec, asked, count, examples)]
        if reason := _unfinished(tried):
            waiting.append((spec, reason))
        else:
            best = choose(tried, spec.learning_rate, metric)
            over = tuple(trial.learning_rate for trial, _ in tried)
            specs.append(spec if best is None else replace(spec, learning_rate=best, tuned_over=over))
    return Settled(tuple(dict.fromkeys(specs)), tuple(waiting))


def choose(tried: Sequence[tuple[RunSpec, Record | None]], default: float, metric: Metric) -> float | None:
    """Return the rate whose trial scored best; of equals the one nearest to the default, of these the lower.

    None where no trial has a score: the run then goes untuned at the default, and its row tells why, should it fail too.
    """
    sign = 1.0 if metric.higher_is_better else -1.0
    scored = [
        (sign * r.scores[metric.name].value, t.learning_rate) for t, r in tried if r is not None and r.status == "ok"
    ]
    if not scored:
        return None
    return max(scored, key=lambda one: (one[0], -round(abs(math.log(one[1] / default)), 6), -one[1]))[1]


def ended(record: Record | None) -> bool:
    """Whether a trial need not run again: it has a score, or its loss stopped being a number, which tells as much."""
    return record is not None and (record.status == "ok" or diverged(record))


def diverged(record: Record) -> bool:
    """Whether a run failed because its learning rate was too high for it."""
    return record.status == "failed" and record.reason.startswith(DIVERGED)


def _unfinished(tried: Sequence[tuple[RunSpec, Record | None]]) -> str:
    """Say what a choice waits for; empty where it can be made: all ended, or all failed, of which the run will tell."""
    if all(ended(record) for _, record in tried):
        return ""
    if all(record is not None and record.status in ("failed", "oom") for _, record in tried):
        return ""
    trial, record = next((trial, record) for trial, record in tried if not ended(record))
    state = f"{record.status}: {record.reason}" if record else "not run yet"
    return f"the trial at {trial.learning_rate:.2g} is {state}"


def looking(root: Path) -> Look:
    """Return what reads a trial's record below a results folder."""

    def look(trial: RunSpec) -> Record | None:
        folder = records.run_dir(root, trial)
        if not (folder / records.RECORD).exists():
            return None
        try:
            record = records.read_record(folder)
        except records.Damaged:
            return None
        if record.spec != trial:
            raise HarnessError("a trial's folder holds another run", where=str(folder), fix="move it away")
        return record

    return look


def of(spec: RunSpec, root: Path) -> list[records.Run]:
    """Return the trials from which a run's rate was chosen, by rate; those that are missing are not in it."""
    like = replace(spec, learning_rate=0.0, tuned_over=(), seed=0, split="validation", test_examples=0, probes=())
    found = [
        run
        for run in records.read_trials(root, spec.task)
        if replace(run.record.spec, learning_rate=0.0, seed=0, test_examples=0) == like
        and run.record.spec.learning_rate in spec.tuned_over
    ]
    return sorted(found, key=lambda run: (run.record.spec.learning_rate, run.record.spec.seed))
