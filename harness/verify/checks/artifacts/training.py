"""Checks of what training left: the weights are those of the record, and the logged steps are those of the settings.

The steps show number, order and learning rate of every step, so another rate, warm-up, number of epochs or batch size than
the spec states is visible without training. `verify --replay` asks the weights themselves.

A publication has the checksums of every run that trained: they cannot be left out of a record to avoid these checks.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.errors import HarnessError
from harness.record import Record, RunSpec
from harness.schedule import planned_steps, rate_at
from harness.store import training_files
from harness.store.codec import strict_json
from harness.store.records import Run
from harness.verify.check import Check, check
from harness.verify.checks.artifacts import selection
from harness.verify.checks.record.settings import MOST_EPOCHS, find

WEIGHTS = "trained weights match the recorded checksum"
STEPS = "logged steps match the recorded checksum"
SCHEDULE = "logged steps follow the settings"
TOTALS = "logged steps add up to the tokens and the final loss"
LOSS = "final loss is possible"
CHOICE = "chosen weights have the lowest validation loss"
HIGHEST = 100.0  # nats per target token
FIELDS = {"step": int, "steps": int, "loss": float, "tokens": int, "learning_rate": float, "seconds": float}
MIN_STEPS = 10  # that are measured one by one
EXACT = 1e-12  # relative; a cosine may differ in its last digit between two C libraries

Step = Mapping[str, Any]


def run_checks(folder: Path, record: Record) -> list[Check]:
    """Return the checks of a finished run's loss, weights and steps.

    Weights that are not stored are no fault: publications may leave them out. Records of older versions have no checksums.
    """
    choice = [check(CHOICE, selection.faults(record))] if record.selection or record.spec.validations else []
    return [check(LOSS, _loss_faults(record)), *choice, *_stored_checks(folder, record)]


def publication_checks(runs: Sequence[Run]) -> list[Check]:
    """Return the checks that every finished run has the checksums of its stored steps and weights, and no others."""
    finished = [run for run in runs if run.record.status == "ok"]
    return [
        check(WEIGHTS, [fault for run in finished for fault in _weight_checksum_faults(run)]),
        check(STEPS, [fault for run in finished for fault in _step_checksum_faults(run)]),
    ]


def _step_checksum_faults(run: Run) -> list[str]:
    spec, checksum = run.record.spec, run.record.steps_sha256
    if bool(checksum) == bool(spec.train_examples):
        return []
    fault = "did not train and has a checksum of steps" if checksum else "trained and has no checksum of its steps"
    return [f"{spec.task} {spec.id} ({spec.name}) {fault}"]


def _weight_checksum_faults(run: Run) -> list[str]:
    spec, checksum, method = run.record.spec, run.record.adapter_sha256, find(run.record.spec.method)
    name = f"{spec.task} {spec.id} ({spec.name})"
    if checksum:
        return [] if spec.train_examples else [f"{name} did not train and has a checksum of weights"]
    if training_files.weight_files(run.folder):
        return [f"{name} has weights and no checksum of them"]
    return [f"{name} has no checksum of its adapter"] if method and method.adapter else []


def _loss_faults(record: Record) -> list[str]:
    """Return a fault if a trained run has no possible loss, or an untrained run has any."""
    loss = record.final_loss
    if not record.spec.train_examples:
        return [] if loss is None else [f"the run did not train and ended with loss {loss!r}"]
    return [] if loss is not None and 0 <= loss <= HIGHEST else [f"the training ended with loss {loss!r}"]


def _stored_checks(folder: Path, record: Record) -> list[Check]:
    try:
        content = training_files.steps_bytes(folder)
        weights = check(WEIGHTS, _weight_faults(folder, record))
    except (HarnessError, OSError) as error:
        return [Check(STEPS, False, getattr(error, "problem", str(error)))]
    if not record.steps_sha256:
        stray = ["the record has no checksum of its steps"] if content and record.adapter_sha256 else []
        return [weights, check(STEPS, stray)]
    if training_files.steps_sha256(folder) != record.steps_sha256:
        return [weights, check(STEPS, ["the steps have another checksum" if content else "the steps are missing"])]
    try:
        steps = parse(content)
    except ValueError as error:
        return [weights, check(STEPS, []), check(SCHEDULE, [str(error)])]
    faults = [check(SCHEDULE, schedule_faults(steps, record.spec)), check(TOTALS, _total_faults(steps, record))]
    return [weights, check(STEPS, []), *faults]


def _weight_faults(folder: Path, record: Record) -> list[str]:
    paths = training_files.weight_files(folder)
    if not paths:
        return []
    if record.adapter_sha256 and training_files.weights_sha256(folder) != record.adapter_sha256:
        return ["the weights have another checksum"]
    size = sum(path.stat().st_size for path in paths if path.name.startswith("adapter_model"))
    record_size = record.cost.adapter_bytes if record.cost else 0
    return [f"the adapter has {size:,} bytes, the record states {record_size:,}"] if record_size != size else []


def parse(content: bytes) -> list[Step]:
    """Return the steps of the lines of `steps.jsonl`.

    Raises:
        ValueError: a line is not a step, or has a number that is not finite.
    """
    steps: list[Step] = []
    for number, line in enumerate(content.decode("utf-8").splitlines(), start=1):
        step = strict_json(line)
        if not isinstance(step, dict) or step.keys() != FIELDS.keys():
            raise ValueError(f"line {number} is not a step: {json.dumps(step)[:60]}")
        wrong = [name for name, kind in FIELDS.items() if not _is(step[name], kind)]
        if wrong:
            raise ValueError(
                f"line {number}: {wrong[0]} is {step[wrong[0]]!r}, need a finite {FIELDS[wrong[0]].__name__}"
            )
        steps.append(step)
    return steps


def _is(value: object, kind: type) -> bool:
    number = isinstance(value, int if kind is int else (int, float)) and not isinstance(value, bool)
    return number and math.isfinite(value)  # type: ignore[arg-type]


def schedule_faults(steps: Sequence[Step], spec: RunSpec) -> list[str]:
    """Return how steps differ from those that a spec plans.

    The clients of federated training have a schedule each, so their rates are only compared with the peak. A spec does not
    count the examples of joined tasks, so the number of steps is not compared then.
    """
    if not spec.train_examples:
        return ["nothing trains, and there are steps"] if steps else []
    if spec.batch_size < 1 or not 0 < spec.epochs <= MOST_EPOCHS or not math.isfinite(spec.warmup + spec.learning_rate):
        return ["epochs, batch size, warm-up and learning rate plan no steps"]
    planned = steps[0]["steps"] if steps and (spec.rounds or spec.joined) else planned_steps(spec.train_examples, spec)
    faults = []
    if len(steps) != planned:
        faults.append(f"{len(steps)} steps are logged, the settings plan {planned}")
    for number, step in enumerate(steps):
        if (step["step"], step["steps"]) != (number + 1, planned):
            faults.append(f"line {number + 1} is step {step['step']} of {step['steps']}, not {number + 1} of {planned}")
        faults += _rate_faults(number, step["learning_rate"], planned, spec)
        if step["tokens"] <= 0 or step["seconds"] < 0:
            faults.append(f"step {number + 1} has {step['tokens']} tokens and takes {step['seconds']} seconds")
        if step["loss"] < 0:
            faults.append(f"step {number + 1} has the loss {step['loss']:g}")
    if len(steps) >= MIN_STEPS and len({step["seconds"] for step in steps}) == 1 and not spec.rounds:
        faults.append(f"every step takes {steps[0]['seconds']} s to the last digit, whatever its tokens")
    return faults


def _rate_faults(number: int, rate: float, planned: int, spec: RunSpec) -> list[str]:
    if spec.rounds:
        return (
            [] if 0 <= rate <= spec.learning_rate * (1 + EXACT) else [f"rate {rate:g} is above {spec.learning_rate:g}"]
        )
    due = rate_at(spec.learning_rate, spec.warmup, number, planned)
    is_equal = math.isclose(rate, due, rel_tol=EXACT, abs_tol=abs(spec.learning_rate) * EXACT)
    return [] if is_equal else [f"step {number + 1} has the learning rate {rate:g}, the settings give {due:g}"]


def _total_faults(steps: Sequence[Step], record: Record) -> list[str]:
    faults = []
    tokens = sum(step["tokens"] for step in steps)
    if record.cost and tokens != record.cost.train_tokens:
        faults.append(f"the steps have {tokens:,} tokens, the record states {record.cost.train_tokens:,}")
    if steps and steps[-1]["loss"] != record.final_loss:
        faults.append(f"the last loss is {steps[-1]['loss']!r}, the record states {record.final_loss!r}")
    if record.cost and not record.spec.rounds and not _has_rate(record.cost.train_tokens_per_second, steps):
        faults.append(f"{record.cost.train_tokens_per_second:,.1f} tokens per second do not follow from the steps")
    return faults


def _has_rate(rate: float, steps: Sequence[Step]) -> bool:
    """Return whether a rate is that of all steps, or of all but one, whose bytes were counted."""
    tokens, seconds = sum(s["tokens"] for s in steps), math.fsum(s["seconds"] for s in steps)
    pairs = [(tokens, seconds), *((tokens - s["tokens"], seconds - s["seconds"]) for s in steps)]
    return not steps or any(time > 0 and math.isclose(count / time, rate, rel_tol=1e-6) for count, time in pairs)
