"""Checks of logged steps across runs: rows of one seed read the same batches, and no two runs take the same losses.

The order of examples depends on seed and data alone, so the tokens of each step are equal in all rows of a seed, and they
differ between seeds. Two runs that differ in seed, rank or method have other losses once the rate has warmed up: a loss
has seven digits or more, and equal ones in the second half of training are copied.

A run that starts from another run's weights has another first loss than rows that start from the base model, and joined
tasks add tokens.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

from harness.errors import HarnessError
from harness.record import Record, RunSpec
from harness.store import training_files
from harness.store.records import Run
from harness.verify import replay
from harness.verify.check import Check, check
from harness.verify.checks.answers.likeness import LEAST_LOSS, may_be_equal
from harness.verify.checks.artifacts import training
from harness.verify.checks.record import rows
from harness.verify.checks.record.shape import FAMILY

BATCHES = "rows of one seed read the same batches, and seeds others"
LOSSES = "no run's losses are another's"
STARTS = "runs that continue others, or join tasks, differ from those that do not"
MIN_STEPS = 10  # to compare the order of two seeds
MIN_COUNTS = 5  # different numbers of tokens among them
MOST_EQUAL = 3  # losses that two runs may share by chance, in the second half of training


@dataclass(frozen=True)
class Log:
    """A run with the tokens and losses of its steps."""

    record: Record
    tokens: tuple[int, ...]
    losses: tuple[float, ...]

    @property
    def spec(self) -> RunSpec:
        """The run's spec."""
        return self.record.spec


def publication_checks(runs: Sequence[Run]) -> list[Check]:
    """Return the checks of the logged steps of all runs of a publication."""
    logs = [log for run in runs if run.record.status == "ok" and run.record.steps_sha256 and (log := _log(run))]
    pooled = [log for log in logs if not log.spec.rounds]
    return [
        check(BATCHES, [*_row_faults(pooled), *_seed_faults(pooled)]),
        check(LOSSES, list(_loss_faults(logs))),
        check(STARTS, [*_start_faults(pooled, runs), *_joined_faults(pooled)]),
    ]


def _log(run: Run) -> Log | None:
    try:
        steps = training.parse(training_files.steps_bytes(run.folder))
    except (HarnessError, ValueError):
        return None
    return Log(run.record, tuple(step["tokens"] for step in steps), tuple(step["loss"] for step in steps))


def _order(log: Log) -> tuple[Hashable, ...]:
    """Return what decides the order of the examples, without the seed."""
    spec = log.spec
    reader = rows.reader(log.record)
    return (*reader, spec.train_examples, spec.epochs, spec.batch_size, spec.joined)


def _name(spec: RunSpec) -> str:
    return f"{spec.task} {spec.name} seed {spec.seed}"


def _row_faults(logs: Sequence[Log]) -> Iterable[str]:
    """Yield a fault for each run whose steps have other tokens than most rows of its seed."""
    groups: defaultdict[Hashable, list[Log]] = defaultdict(list)
    for log in logs:
        groups[(*_order(log), log.spec.seed)].append(log)
    for group in groups.values():
        counts = [log.tokens for log in group]
        usual = max(counts, key=counts.count)
        for log in group:
            if log.tokens != usual:
                step = next((n for n, (a, b) in enumerate(zip(log.tokens, usual, strict=False), 1) if a != b), 0)
                other = next(other for other in group if other.tokens == usual)
                yield f"{_name(log.spec)} has other tokens than {_name(other.spec)}, first in step {step}"


def _seed_faults(logs: Sequence[Log]) -> Iterable[str]:
    origins: dict[Hashable, RunSpec] = {}
    for log in logs:
        if len(log.tokens) < MIN_STEPS or len(set(log.tokens)) < MIN_COUNTS:
            continue
        first = origins.setdefault((*_order(log), log.tokens), log.spec)
        if first.seed != log.spec.seed:
            yield f"{_name(first)} and {_name(log.spec)} have the same tokens in every step"


def _loss_faults(logs: Sequence[Log]) -> Iterable[str]:
    groups: defaultdict[Hashable, list[Log]] = defaultdict(list)
    for log in logs:
        groups[(log.spec.task, log.spec.data, len(log.losses))].append(log)
    for group in groups.values():
        for first, second in itertools.combinations(group, 2):
            half = len(first.losses) // 2
            pairs = zip(first.losses[half:], second.losses[half:], strict=True)
            same = sum(a == b > LEAST_LOSS and len(f"{a:.17g}".lstrip("-0.")) > 6 for a, b in pairs)
            if same > MOST_EQUAL and not may_be_equal(first.spec, second.spec):
                yield f"{same} losses of {_name(first.spec)} are those of {_name(second.spec)}"


def _start_faults(logs: Sequence[Log], runs: Sequence[Run]) -> Iterable[str]:
    """Yield a fault for each run that names a start and has the first loss of a run from the base model.

    Before the first step LoRA changes nothing, so all runs of the family in one precision have the base model's loss.
    """
    fresh = {(*_first(log), log.spec.seed): log for log in logs if log.spec.method in FAMILY and not log.spec.start}
    for log in logs:
        other = fresh.get((*_first(log), log.spec.seed)) if log.spec.start else None
        if other and abs(log.losses[0] - other.losses[0]) <= replay.LOSS["fp32"]:
            yield (
                f"{_name(log.spec)} starts from {log.spec.start}, and its first loss is that of {_name(other.spec)}, which does not"
            )
    ids = {run.record.spec.id for run in runs}
    yield from (
        f"{_name(run.record.spec)} starts from {run.record.spec.start}, which is not here"
        for run in runs
        if run.record.spec.start and not any(name.startswith(run.record.spec.start) for name in ids)
    )


def _first(log: Log) -> tuple[Hashable, ...]:
    method = log.spec.method if log.spec.method in ("qlora", "lora8", "pissa") else "lora"
    return (*_order(log), log.tokens[:1], method, log.spec.dtype)


def _joined_faults(logs: Sequence[Log]) -> Iterable[str]:
    """Yield a fault for each run with joined tasks that trains on no more tokens than one without them."""
    alone = {(*rows.reader(log.record), log.spec.epochs): log for log in logs if not log.spec.joined}
    for log in logs:
        other = alone.get((*rows.reader(log.record), log.spec.epochs)) if log.spec.joined else None
        if other and sum(log.tokens) <= sum(other.tokens):
            joined = ", ".join(log.spec.joined)
            yield f"{_name(log.spec)} joins {joined} and has no more tokens than {_name(other.spec)}"
