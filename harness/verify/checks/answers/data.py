"""Checks of a task's examples and prompts, rendered by the present code, against the fingerprint in the records."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from harness.data import loading
from harness.data.loading import Splits
from harness.data.split import sample
from harness.record import Record
from harness.schema import Task
from harness.verify.check import Check, check

FINGERPRINT = "examples and prompts match the recorded fingerprint"
AVAILABLE = "task data is available"
COUNTS = "numbers of examples are those of the data"
SLACK = 16  # a limit cuts between groups, so fewer examples than the limit may remain


def task_checks(task: Task, records: Sequence[Record], splits: Splits | None) -> list[Check]:
    """Return the checks of a task's prompts, rendered again.

    Args:
        task: the task as it is now.
        records: its runs.
        splits: all its examples, None if the data is not available.
    """
    if splits is None:
        return [
            Check(
                AVAILABLE, False, f"{task.name}: gold answers and prompts cannot be checked without it; pass --data DIR"
            )
        ]
    by_data: dict[str, list[Record]] = {}
    for record in records:
        by_data.setdefault(record.spec.data, []).append(record)
    selected = {name: limits(task, runs, splits) for name, runs in by_data.items()}
    unmatched = [name for name, pair in selected.items() if pair is None]
    names = ", ".join(unmatched)
    detail = f"{task.name}: no prompts of version {task.version} have the fingerprint {names}" if unmatched else ""
    faults = [fault for name, pair in selected.items() if pair for fault in _count_faults(by_data[name], pair, splits)]
    return [Check(AVAILABLE, True), Check(FINGERPRINT, not unmatched, detail), check(COUNTS, faults)]


def _count_faults(records: Sequence[Record], pair: tuple[int, int], splits: Splits) -> list[str]:
    """Return a fault for each run with another number of examples than the limits of its fingerprint select."""
    train, test = len(sample(splits.train, pair[0])), len(sample(splits.test, pair[1]))
    faults = [
        f"{r.spec.task} {r.spec.id} has {r.spec.train_examples:,} training examples, its data {train:,}"
        for r in records
        if r.spec.train_examples not in (0, train)
    ]
    return faults + [
        f"{r.spec.task} {r.spec.id} has {r.spec.test_examples:,} test examples, its data {test:,}"
        for r in records
        if r.spec.test_examples != test and r.spec.split == "test"
    ]


def limits(task: Task, records: Sequence[Record], splits: Splits) -> tuple[int, int] | None:
    """Return the limits (training, test; 0 is all) that give the records' fingerprint, None if none do."""
    for train, test in _candidates(records, splits):
        limited = Splits(
            train=sample(splits.train, train),
            validation=sample(splits.validation, test),
            test=sample(splits.test, test),
        )
        if loading.fingerprint(replace(task, scoring=records[0].spec.scoring), limited) == records[0].spec.data:
            return train, test
    return None


def _candidates(records: Sequence[Record], splits: Splits) -> Iterator[tuple[int, int]]:
    """Yield limits that give the runs' numbers of examples; only runs with training tell the limit of training."""
    trained = {record.spec.train_examples for record in records if record.spec.train_examples}
    trains = [0 if count == len(splits.train) else count for count in sorted(trained)] or [0]
    tested = records[0].spec.test_examples
    tests = [0] if tested == len(splits.test) else [0, *range(tested, tested + SLACK)]
    yield from ((train, test) for test in tests for train in trains)
