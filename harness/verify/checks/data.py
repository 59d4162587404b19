"""Do a task's examples and prompts, rendered by the code that is here, have the fingerprint that the runs recorded?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from harness.data import loading
from harness.data.loading import Splits
from harness.data.split import sample
from harness.record import Record
from harness.schema import Task
from harness.verify.check import Check

RENDERS = "examples and prompts have the recorded fingerprint"
AT_HAND = "the task's data is at hand"
SLACK = 16  # a limit cuts between groups, so what it left may be smaller than the limit itself


def of_task(task: Task, records: Sequence[Record], splits: Splits | None) -> list[Check]:
    """Render a task's prompts again.

    Args:
        task: the task as it is here.
        records: its runs.
        splits: all its examples, None where the data is not here.
    """
    if splits is None:
        return [
            Check(AT_HAND, False, f"{task.name}: without it gold answers and prompts are not checked; pass --data DIR")
        ]
    by_data: dict[str, list[Record]] = {}
    for record in records:
        by_data.setdefault(record.spec.data, []).append(record)
    lost = [name for name, runs in by_data.items() if limits(task, runs, splits) is None]
    detail = f"{task.name}: no prompts of version {task.version} here have {', '.join(lost)}" if lost else ""
    return [Check(AT_HAND, True), Check(RENDERS, not lost, detail)]


def limits(task: Task, records: Sequence[Record], splits: Splits) -> tuple[int, int] | None:
    """Return the limits (training, test; 0 is all) under which the examples have the records' fingerprint, if any do."""
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
    """Yield limits that leave as many examples as the runs had; those of training are only known from runs that trained."""
    trained = {record.spec.train_examples for record in records if record.spec.train_examples}
    trains = [0 if count == len(splits.train) else count for count in sorted(trained)] or [0]
    tested = records[0].spec.test_examples
    tests = [0] if tested == len(splits.test) else [0, *range(tested, tested + SLACK)]
    yield from ((train, test) for test in tests for train in trains)
