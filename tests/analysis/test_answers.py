"""Facts about the answers of a row: its classes are named as the task writes them."""

from __future__ import annotations

from harness.analysis.answers import class_counts
from harness.metrics import fold
from harness.record import Answer


def test_classes_are_named_as_the_task_writes_them_and_counted_without_regard_to_case() -> None:
    pairs = [("Rückfrage", "rückfrage"), ("Rückfrage", "Bezahlt"), ("Bezahlt", "Bezahlt")]
    answers = [Answer(str(i), "", target, parsed, parsed) for i, (target, parsed) in enumerate(pairs)]
    first, second = class_counts(answers, fold)
    assert (first.name, first.targets, first.answers, first.hits) == ("Rückfrage", 2, 1, 1)
    assert (second.name, second.targets, second.answers, second.hits) == ("Bezahlt", 1, 2, 1)
