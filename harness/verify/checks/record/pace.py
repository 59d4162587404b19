"""Checks of tokens and times: rates times seconds are tokens, phases add up to the run, and no time lies in the future.

A training phase has more to do than its steps (encoding, saving), and a run more than its phases (reading, writing).
The allowance for this is generous, but not a multiple.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

from harness import environment
from harness.record import Cost, Phase, Record, RunSpec
from harness.verify.check import Check, check
from harness.verify.checks.record import interruptions
from harness.verify.checks.record.settings import MOST_EPOCHS

TOKENS = "tokens, seconds and tokens per second agree"
TIMES = "phases and times agree with the run's"
STARTED = "the run began after its commit and before now"
PHASES = ("load", "train", "fit", "engine", "evaluate", "probe", "validation")
TAKEN_OVER = ("load", "train")  # by the run of another engine, if these weights were trained before
SHARE = 0.2  # of the steps' time, for what is done beside them
SECONDS = 3.0  # for what a phase does once
EXAMPLE_SECONDS = 0.005  # to read and encode one
LONGEST_STEP = 2.0  # times the tokens of the mean step
COUNTED_SHARE = 0.1  # of the time of all steps, at most, in a training of few steps
COUNTED_SECONDS = 0.1  # or so much, at most half of the time: a busy machine may have held up the others
RUN_SECONDS = 120.0  # to start, read data and write files
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
CLOCKS = timedelta(minutes=10)  # by which clocks of two machines may differ


def run_checks(record: Record) -> list[Check]:
    """Return the checks of a run's tokens and times."""
    checks = [check(STARTED, _start_faults(record))]
    if record.cost is None:
        return checks
    return [*checks, check(TOKENS, _token_faults(record, record.cost)), check(TIMES, _time_faults(record, record.cost))]


def _token_faults(record: Record, cost: Cost) -> list[str]:
    spec, train = record.spec, record.cost.phases.get("train") if record.cost else None
    faults = [] if spec.challenger else _read_faults(record, cost.phases.get("evaluate"))
    if train is None:
        numbers = {"tokens": cost.train_tokens, "tokens per second": cost.train_tokens_per_second}
        return faults + [f"{value:,} {name} without training" for name, value in numbers.items() if value]
    if train.tokens != cost.train_tokens:
        faults.append(f"{cost.train_tokens:,} tokens of training, {train.tokens:,} in its phase")
    faults += _rate_faults(record, cost, train)
    planned = spec.batch_size > 0 and 0 < spec.epochs <= MOST_EPOCHS
    if spec.train_examples and planned and not spec.joined and not spec.rounds:
        least, most = 2, spec.max_tokens
        steps = _steps(spec)
        rounding = spec.batch_size * math.ceil(spec.epochs + 1)
        low = max(1, spec.epochs * spec.train_examples - rounding)
        high = min(steps * spec.batch_size, spec.epochs * spec.train_examples + rounding)
        if not low * least <= cost.train_tokens <= high * most:
            faults.append(f"{cost.train_tokens:,} tokens in {spec.epochs:g} epochs of {spec.train_examples:,} examples")
    return faults


def _steps(spec: RunSpec) -> int:
    return max(1, round(spec.epochs * math.ceil(spec.train_examples / spec.batch_size)))


def _counted_seconds(spec: RunSpec, needed: float) -> float:
    """Return the most by which the step under the byte-counter shortens the phase.

    Its time by the speed of the others stands in the phase, but no more than it took: on a machine whose speed changes it may
    have been the fastest. It has the longest examples, at most `LONGEST_STEP` times the tokens of the mean step.
    """
    if not (spec.batch_size > 0 and spec.train_examples > 0 and 0 < spec.epochs <= MOST_EPOCHS):
        return 0.0
    steps = _steps(spec)
    return max(needed * min(LONGEST_STEP / steps, COUNTED_SHARE), min(needed / 2, COUNTED_SECONDS))


def _rate_faults(record: Record, cost: Cost, train: Phase) -> list[str]:
    rate = cost.train_tokens_per_second
    if not 0 < rate < math.inf:
        return [f"{rate} tokens per second of training"]
    needed = cost.train_tokens / rate
    allowance = needed * SHARE + SECONDS + EXAMPLE_SECONDS * record.spec.train_examples
    high = math.inf if record.spec.rounds or record.spec.joined else needed + allowance
    if not needed * 0.999 - _counted_seconds(record.spec, needed) <= train.seconds <= high:
        relation = "more than the phase's" if train.seconds < needed else f"and {allowance:,.3f} s beside, not"
        return [
            f"{cost.train_tokens:,} tokens at {rate:,.1f} a second take {needed:,.3f} s, {relation} {train.seconds:,.3f} s"
        ]
    return []


def _read_faults(record: Record, evaluate: Phase | None) -> list[str]:
    """Return a fault if fewer tokens were read in the test than there are questions."""
    if evaluate is None or record.status != "ok":
        return []
    count = record.spec.test_examples
    if evaluate.tokens < count:
        return [f"{evaluate.tokens:,} tokens were read in {count:,} test examples"]
    return []


def _time_faults(record: Record, cost: Cost) -> list[str]:
    faults = [f"a phase is called {name!r}" for name in cost.phases if name not in PHASES]
    if ("probe" in cost.phases) != bool(record.probes) and record.status == "ok":
        faults.append("a phase of probes and results of probes belong together")
    if ("validation" in cost.phases) != (record.validation is not None) and record.status == "ok":
        faults.append("a phase of validation and results of validation belong together")
    if ("fit" in cost.phases) != bool(record.spec.challenger):
        faults.append("a phase of fitting and a challenger belong together")
    if "load" not in cost.phases and not record.spec.challenger:
        faults.append("the loading was not measured")
    if not record.spec.train_examples and "train" in cost.phases:
        faults.append("a training was measured and none was done")
    if ("engine" in cost.phases) != bool(record.spec.engine and not record.spec.challenger):
        faults.append("a phase of an engine's start and an engine belong together")
    total = math.fsum(phase.seconds for phase in cost.phases.values())
    least = math.fsum(p.seconds for n, p in cost.phases.items() if not (record.spec.engine and n in TAKEN_OVER))
    spent = record.checkpoints.seconds if record.checkpoints else 0.0
    if not least <= record.seconds <= total * (1 + SHARE) + RUN_SECONDS + spent:
        faults.append(f"the phases took {total:,.1f} s, the run {record.seconds:,.1f} s")
    loaded = cost.phases.get("load")
    if loaded and record.spec.device == "cpu" and loaded.peak_bytes != cost.weights_bytes:
        faults.append(f"{loaded.peak_bytes:,} bytes were loaded, the model has {cost.weights_bytes:,}")
    faults += interruptions.faults(record, total)
    return faults + [fault for name, phase in cost.phases.items() for fault in _memory_faults(record, name, phase)]


def _memory_faults(record: Record, name: str, phase: Phase) -> list[str]:
    memory, faults = record.environment.memory_bytes, []
    if phase.seconds <= 0:
        faults.append(f"{name} took {phase.seconds} seconds")
    if phase.resident_bytes > memory > 0:
        faults.append(f"{phase.resident_bytes:,} bytes were resident in {name}, the machine has {memory:,}")
    if record.spec.device != "cpu":
        return faults
    if phase.peak_bytes > memory > 0:
        faults.append(f"the peak of {name} is {phase.peak_bytes:,} bytes, the machine has {memory:,}")
    if phase.reserved_bytes:
        faults.append(f"{phase.reserved_bytes:,} bytes were reserved on CUDA in {name}, and the run was on the CPU")
    if name in ("train", "evaluate") and phase.resident_bytes * 2 < phase.peak_bytes:
        faults.append(
            f"{phase.resident_bytes:,} bytes were resident in {name}, less than half its peak of {phase.peak_bytes:,}"
        )
    return faults


def _start_faults(record: Record) -> list[str]:
    try:
        start = datetime.fromisoformat(record.started)
    except ValueError:
        return [f"the run began at {record.started!r}, no date"]
    if start.tzinfo is None:
        return [f"the run began at {record.started!r}, without a time zone"]
    faults = []
    if not 0 <= record.seconds < 10**9:
        return [f"the run took {record.seconds} seconds"]
    if start + timedelta(seconds=record.seconds) > datetime.now(UTC) + CLOCKS:
        faults.append(f"the run began at {record.started} and ends in the future")
    committed = environment.commit_time(record.environment.commit.removesuffix("+"))
    if committed and EPOCH + timedelta(seconds=committed) > start + CLOCKS:
        faults.append(f"the run began at {record.started}, before its commit {record.environment.commit}")
    return faults
