"""Runs jobs, each in its own process, and survives their failures.

A run that dies, whether killed, out of memory, on a full disk or by a bug, becomes a record with its status and
reason; the others go on. The first Ctrl-C lets each run finish its step and write `interrupted`; the second
ends them at once.
"""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import FrameType

from harness import environment, signals
from harness.errors import HarnessError
from harness.record import Record, Status
from harness.runs.job import Executor, Job, Outcome, Progress, RunEnd, Running, Watcher
from harness.store import records

POLL_SECONDS = 0.5


@dataclass(frozen=True)
class Result:
    """Every outcome, in the order of the runs' ends, and whether the user stopped them."""

    outcomes: tuple[Outcome, ...]
    interrupted: bool


class Interrupts:
    """Counts Ctrl-C and termination requests instead of raising in the middle of the program."""

    def __init__(self) -> None:
        self.count = 0
        self._handlers = signals.stop_handlers(self._note)

    def __enter__(self) -> Interrupts:
        self._handlers.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._handlers.__exit__(None, None, None)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.count += 1


@dataclass
class _Slot:
    job: Job
    running: Running
    lock: contextlib.ExitStack
    start: float
    end: RunEnd | None = None


def run(jobs: Sequence[Job], executor: Executor, watcher: Watcher) -> Result:
    """Run the jobs in order, `executor.slots` at a time, and return their outcomes."""
    waiting = deque(jobs)
    slots: list[_Slot] = []
    outcomes: list[Outcome] = []

    def end(outcome: Outcome) -> None:
        outcomes.append(outcome)
        watcher.on_end(outcome)

    with Interrupts() as interrupts:
        heeded = 0
        while slots or (waiting and not interrupts.count):
            while waiting and len(slots) < executor.slots and not interrupts.count:
                result = _begin(waiting.popleft(), executor)
                if isinstance(result, Outcome):
                    end(result)
                else:
                    slots.append(result)
                    watcher.on_start(result.job)
            if interrupts.count > heeded:
                heeded = interrupts.count
                _heed(slots, watcher, heeded)
            executor.wait([slot.running for slot in slots], POLL_SECONDS)
            for slot in list(slots):
                for outcome in _look_after(slot, watcher, interrupted=heeded > 0):
                    slots.remove(slot)
                    end(outcome)
        return Result(tuple(outcomes), interrupted=interrupts.count > 0)


def _begin(job: Job, executor: Executor) -> _Slot | Outcome:
    lock = contextlib.ExitStack()
    try:
        if not lock.enter_context(records.lock(job.folder)):
            return Outcome(job, "busy", "another process is doing this run")
        if run := records.finished_run_in(job.folder, job.spec):  # by another process, after the plan was made
            lock.close()
            return Outcome(job, "ok", "", run.record)
        records.prepare(job.folder)
        return _Slot(job, executor.start(job), lock, time.monotonic())
    except (HarnessError, OSError) as error:
        lock.close()
        reason = error.problem if isinstance(error, HarnessError) else str(error)
        return Outcome(job, "failed", reason)


def _heed(slots: Sequence[_Slot], watcher: Watcher, count: int) -> None:
    if count == 1:
        watcher.on_stop()
    for slot in slots:
        if count == 1:
            slot.running.stop()
        else:
            slot.running.kill()


def _look_after(slot: _Slot, watcher: Watcher, *, interrupted: bool) -> Iterator[Outcome]:
    """Pass a run's events on; yield its outcome if it has ended."""
    reason = slot.running.exit_reason()  # first, so that all events before the end are read below
    for event in slot.running.events():
        if isinstance(event, Progress):
            watcher.on_progress(slot.job, event)
        else:
            slot.end = event
    if reason is None:
        return
    with slot.lock:
        yield _conclude(slot, reason, interrupted=interrupted)


def _conclude(slot: _Slot, exit_reason: str, *, interrupted: bool) -> Outcome:
    job = slot.job
    with contextlib.suppress(HarnessError):
        records.clean_log(job.folder)
    if (job.folder / records.RECORD).exists():
        with contextlib.suppress(HarnessError):
            record = records.read_record(job.folder)
            return Outcome(job, record.status, record.reason, record)
    status: Status = "interrupted" if interrupted else "failed"
    reason = (
        "stopped at once by a second Ctrl-C" if interrupted else exit_reason or "ended without a record, see log.txt"
    )
    if slot.end is not None:
        status, reason = slot.end.status, slot.end.reason
    record = failure_record(job, status, reason, time.monotonic() - slot.start)
    with contextlib.suppress(HarnessError, OSError):
        records.write_record(job.folder, record)
    return Outcome(job, status, reason, record)


def failure_record(job: Job, status: Status, reason: str, seconds: float) -> Record:
    """Return the record of a run that could not write its own: a row with a reason, without scores and costs."""
    start = datetime.now(UTC) - timedelta(seconds=seconds)
    return Record(
        spec=job.spec,
        status=status,
        scores={},
        parse_rate=0.0,
        chance=None,
        cost=None,
        environment=environment.describe(job.spec.device, threads=job.threads),
        reason=reason,
        started=start.isoformat(timespec="seconds"),
        seconds=seconds,
    )
