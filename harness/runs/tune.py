"""`--tune N`: the learning rate of each method and rank is the best of N on the validation split.

The rates are the same multiples of the default for every method and rank, so that none gets more tries than another.
Every trial is a run of its own below `results/trials`. It trains on the training split and answers the validation split:
the test split is neither answered nor scored before the rates are chosen. All trials have the first seed.
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

ReadRecord = Callable[[RunSpec], Record | None]


@dataclass(frozen=True)
class ChosenRates:
    """Runs at the rates of their best trials, and runs that wait for trials: (spec at its default rate, reason)."""

    specs: tuple[RunSpec, ...]
    waiting: tuple[tuple[RunSpec, str], ...]


def rates(default: float, count: int) -> tuple[float, ...]:
    """Return `count` rates, lowest first, evenly spaced on a log scale around the default, which is one of them.

    An even count has one more below than above: too high a rate does more harm.
    """
    steps = range(-(count // 2), (count + 1) // 2)
    return tuple(float(f"{default * FACTOR**step:.3g}") if step else default for step in steps)


def trials(default_specs: Sequence[RunSpec], count: int, *, examples: int) -> tuple[RunSpec, ...]:
    """Return the trials of runs, one seed for all; runs that do not train have none.

    Args:
        default_specs: the runs, each at its default rate.
        count: rates for each method and rank; 0 is no tuning.
        examples: the number of examples in the validation split.
    """
    if not count:
        return ()
    training = [spec for spec in default_specs if spec.train_examples]
    return tuple(dict.fromkeys(trial for spec in training for trial in _trials(spec, default_specs, count, examples)))


def _trials(spec: RunSpec, default_specs: Sequence[RunSpec], count: int, examples: int) -> list[RunSpec]:
    seed = next(default.seed for default in default_specs if default.train_examples)
    trial = replace(spec, seed=seed, split="validation", test_examples=examples, probes=())
    return [replace(trial, learning_rate=rate) for rate in rates(spec.learning_rate, count)]


def choose_rates(
    default_specs: Sequence[RunSpec], count: int, metric: Metric, read: ReadRecord, *, examples: int
) -> ChosenRates:
    """Give each run the rate that its trials chose; runs that do not train stay as they are.

    Args:
        default_specs: the runs, each at its default rate.
        count: rates for each method and rank.
        metric: the headline metric, by which trials are compared.
        read: returns a trial's record, None if there is none.
        examples: the number of examples in the validation split.
    """
    specs, waiting = [], []
    for spec in default_specs:
        if not spec.train_examples:
            specs.append(spec)
            continue
        results = [(trial, read(trial)) for trial in _trials(spec, default_specs, count, examples)]
        if reason := _unfinished(results):
            waiting.append((spec, reason))
        else:
            best = choose(results, spec.learning_rate, metric)
            tried = tuple(trial.learning_rate for trial, _ in results)
            specs.append(spec if best is None else replace(spec, learning_rate=best, tuned_over=tried))
    return ChosenRates(tuple(dict.fromkeys(specs)), tuple(waiting))


def choose(results: Sequence[tuple[RunSpec, Record | None]], default: float, metric: Metric) -> float | None:
    """Return the rate of the best trial; of equal ones the nearest to the default, of these the lower.

    None if no trial has a score. The run then takes the default rate, and if it fails too, its row gives the reason.
    """
    sign = 1.0 if metric.higher_is_better else -1.0
    scores = [
        (sign * record.scores[metric.name].value, trial.learning_rate)
        for trial, record in results
        if record is not None and record.status == "ok"
    ]
    if not scores:
        return None
    return max(scores, key=lambda pair: (pair[0], -round(abs(math.log(pair[1] / default)), 6), -pair[1]))[1]


def is_finished(record: Record | None) -> bool:
    """Whether a trial need not run again: it has a score, or its loss stopped being a number."""
    return record is not None and (record.status == "ok" or diverged(record))


def diverged(record: Record) -> bool:
    """Whether a run failed because its learning rate was too high for it."""
    return record.status == "failed" and record.reason.startswith(DIVERGED)


def _unfinished(results: Sequence[tuple[RunSpec, Record | None]]) -> str:
    """Return the trial that a choice waits for, in words; empty if all trials are finished, or all failed."""
    if all(is_finished(record) for _, record in results):
        return ""
    if all(record is not None and record.status in ("failed", "oom") for _, record in results):
        return ""
    trial, record = next((trial, record) for trial, record in results if not is_finished(record))
    state = f"{record.status}: {record.reason}" if record else "not run yet"
    return f"the trial at {trial.learning_rate:.2g} is {state}"


def record_reader(root: Path) -> ReadRecord:
    """Return a function that reads a trial's record below a results folder."""

    def read(trial: RunSpec) -> Record | None:
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

    return read


def trials_of_run(spec: RunSpec, root: Path) -> list[records.Run]:
    """Return the trials behind a run's rate, by rate; missing ones are left out."""
    like = replace(spec, learning_rate=0.0, tuned_over=(), seed=0, split="validation", test_examples=0, probes=())
    trials = [
        run
        for run in records.read_trials(root, spec.task)
        if replace(run.record.spec, learning_rate=0.0, seed=0, test_examples=0) == like
        and run.record.spec.learning_rate in spec.tuned_over
    ]
    return sorted(trials, key=lambda run: (run.record.spec.learning_rate, run.record.spec.seed))
