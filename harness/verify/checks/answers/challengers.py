"""The check that the answers of challengers are those of a new fit on the task's training examples.

A fit takes seconds and draws nothing, so it is done again in full. Challengers that read a model's hidden states are
left to `verify --replay`, since nothing here loads a model. Answers of a server are taken on trust.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

from harness.challengers.parts import answers
from harness.data import registry
from harness.data.loading import Splits
from harness.data.split import sample
from harness.errors import HarnessError
from harness.record import Answer
from harness.schema import Task
from harness.store import withhold
from harness.store.records import Run
from harness.verify.check import Check, check
from harness.verify.checks.answers import data

REFIT = "challengers' answers are those of a new fit"
NEAR = 1e-4  # nats by which other versions of numpy, scipy and scikit-learn may differ


def task_checks(task: Task, runs: Sequence[Run], splits: Splits | None) -> list[Check]:
    """Return the check of a task's challengers; none without its examples or without challengers.

    Args:
        task: the task as it is now.
        runs: all its runs: those that trained tell how many examples a limit left.
        splits: all its examples, None if the data is not available.
    """
    challengers = [run for run in runs if run.record.spec.challenger and run.record.status == "ok"]
    if splits is None or not challengers:
        return []
    return [check(REFIT, [fault for run in challengers for fault in _faults(task, run, runs, splits)])]


def _faults(task: Task, run: Run, runs: Sequence[Run], splits: Splits) -> Iterator[str]:
    spec = run.record.spec
    entry = registry.challengers().get(spec.method)
    if entry is None or entry.value is None or entry.value.embeds or entry.value.remote:
        return
    like = [run.record, *(other.record for other in runs if other.record.spec.data == spec.data)]
    if (limits := data.limits(task, like, splits)) is None:
        return  # reported by the check of the fingerprint
    train, test = sample(splits.train, limits[0]), sample(splits.test, limits[1])
    scored = replace(task, scoring=spec.scoring)
    try:
        stored = run.answers()
        fitted = answers.fit(entry.value, scored, train, spec.seed)
        fresh = answers.answer(entry.value, fitted, test, scored)
    except HarnessError as error:
        yield f"{spec.task} {spec.name} {spec.id}: {error.problem}"
        return
    if stored and withhold.is_withheld(stored[0]):
        fresh = list(withhold.stand_in_answers(fresh))
    by_id = {answer.id: answer for answer in fresh}
    if other := [answer.id for answer in stored if not _equal(answer, by_id.get(answer.id))]:
        yield f"{spec.task} {spec.name} {spec.id}: another answer to {len(other)} questions, first {other[0]}"


def _equal(stored: Answer, fresh: Answer | None) -> bool:
    if fresh is None or len(stored.loglik) != len(fresh.loglik):
        return False
    if stored.loglik:
        return all(math.isclose(a, b, abs_tol=NEAR) for a, b in zip(stored.loglik, fresh.loglik, strict=True))
    return (stored.text, stored.parsed) == (fresh.text, fresh.parsed)
