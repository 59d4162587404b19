"""Runs jobs, each in its own process, and survives their failures.

A run that dies, whether killed, out of memory, on a full disk or by a bug, becomes a record with its status and
reason; the others go on. The first Ctrl-C lets each run finish its step and write `interrupted`; the second
ends them at once. SIGTERM and SIGHUP do the same, but a run has `PATIENCE` seconds for its step, and `CHECKPOINT_SECONDS`
more if it trains and writes checkpoints: whoever sends them is gone, or ends this process soon. Several of them count as one.
"""

from __future__ import annotations

import contextlib
import math
import signal
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from types import FrameType

from harness import environment, signals
from harness.errors import HarnessError
from harness.record import Placement, Record, Status
from harness.runs.job import Executor, Job, Note, Outcome, Progress, RunEnd, Running, Watcher
from harness.store import records

POLL_SECONDS = 0.5
PATIENCE = 2.0  # seconds
CHECKPOINT_SECONDS = 5.0


@dataclass(frozen=True)
class Result:
    """Every outcome, in the order of the runs' ends, and whether the user stopped them."""

    outcomes: tuple[Outcome, ...]
    interrupted: bool


class Interrupts:
    """Counts requests to stop instead of raising in the middle of the program."""

    def __init__(self) -> None:
        self.count = 0
        self._first: signal.Signals | None = None
        self._deadline = math.inf
        self._starting = False
        self._handlers = signals.stop_handlers(self._note)

    def __enter__(self) -> Interrupts:
        self._handlers.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._handlers.__exit__(None, None, None)

    def urgency(self, more: float = 0.0) -> int:
        """Return 0 without a request to stop, 1 after the first, 2 if the runs shall end at once; `more` seconds later."""
        return min(2, self.count + (time.monotonic() > self._deadline + more))

    def reason(self) -> str:
        """Return why the runs end, for the record of one that cannot write its own."""
        if self.count > 1:
            return "stopped at once by a second Ctrl-C"
        return f"stopped by {self._first.name} in the middle of a step" if self._first else ""

    def start(self, job: Job, executor: Executor, running: Sequence[Running]) -> Running:
        """Start a job.

        Raises:
            KeyboardInterrupt: a request to stop came first. A fork server that still imports torch would make it wait.
        """
        self._starting = True
        try:
            return executor.start(job, running)
        finally:
            self._starting = False

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._first = self._first or signal.Signals(number)
        if number == signal.SIGINT:
            self.count += 1
        else:  # a service manager and a script may both pass it on
            self.count = max(self.count, 1)
            self._deadline = min(self._deadline, time.monotonic() + PATIENCE)
        if self._starting:
            raise KeyboardInterrupt


@dataclass
class _Slot:
    job: Job
    running: Running
    lock: contextlib.ExitStack
    start: float
    end: RunEnd | None = None
    phase: str = ""
    trained: float = 0.0  # seconds in training
    shared: float = 0.0  # the same, times the number of other runs on the machine
    shared_card: float = 0.0  # the same, times the number of other runs on the card

    @property
    def neighbours(self) -> float | None:
        """How many other runs ran on the machine beside the training, on average; None if no training was seen."""
        return round(self.shared / self.trained, 2) if self.trained else None

    @property
    def placement(self) -> Placement | None:
        """The card or the node of the run, with how many others trained on the card beside it."""
        placement = self.running.placement
        if placement is None or not placement.card or not self.trained:
            return placement
        return replace(placement, neighbours=round(self.shared_card / self.trained, 2))


def run(jobs: Sequence[Job], executor: Executor, watcher: Watcher) -> Result:
    """Run the jobs, as many at a time as the executor takes, and return their outcomes.

    The first job starts that the executor takes: small ones pass a large one that waits for room.
    """
    waiting = deque(jobs)
    slots: list[_Slot] = []
    outcomes: list[Outcome] = []

    def end(outcome: Outcome) -> None:
        outcomes.append(outcome)
        watcher.on_end(outcome)

    with Interrupts() as interrupts:
        heeded = 0
        while slots or (waiting and not interrupts.count):
            while not interrupts.count and (job := _next(waiting, executor, slots)) is not None:
                with contextlib.suppress(KeyboardInterrupt):  # counted
                    result = _begin(job, executor, interrupts, [slot.running for slot in slots])
                    if isinstance(result, Outcome):
                        end(result)
                    else:
                        slots.append(result)
                        watcher.on_start(result.job)
            if (urgency := interrupts.urgency(_seconds_for_checkpoints(slots))) > heeded:
                heeded = urgency
                _heed(slots, watcher, heeded)
            before = time.monotonic()
            executor.wait([slot.running for slot in slots], POLL_SECONDS)
            _count_neighbours(slots, time.monotonic() - before)
            for slot in list(slots):
                for outcome in _look_after(slot, watcher, interrupts.reason() if heeded else ""):
                    slots.remove(slot)
                    end(outcome)
        return Result(tuple(outcomes), interrupted=interrupts.count > 0)


def _next(waiting: deque[Job], executor: Executor, slots: Sequence[_Slot]) -> Job | None:
    """Remove and return the first job that the executor takes now; None if it takes none."""
    running = [slot.running for slot in slots]
    job = next((job for job in waiting if executor.takes(job, running)), None)
    if job is not None:
        waiting.remove(job)
    return job


def _begin(job: Job, executor: Executor, interrupts: Interrupts, running: Sequence[Running]) -> _Slot | Outcome:
    lock = contextlib.ExitStack()
    records.protect(job.results)
    try:
        if not lock.enter_context(records.lock(job.folder)):
            return Outcome(job, "busy", "another process is doing this run")
        if run := records.finished_run_in(job.folder, job.spec):  # by another process, after the plan was made
            lock.close()
            return Outcome(job, "ok", "", run.record)
        records.prepare(job.folder)
        return _Slot(job, interrupts.start(job, executor, running), lock, time.monotonic())
    except KeyboardInterrupt:
        lock.close()
        raise
    except (HarnessError, OSError) as error:
        lock.close()
        reason = error.problem if isinstance(error, HarnessError) else str(error)
        return Outcome(job, "failed", reason)


def _count_neighbours(slots: Sequence[_Slot], seconds: float) -> None:
    places = [(place.node, place.card) if (place := slot.running.placement) else ("", "") for slot in slots]
    for slot, (node, card) in zip(slots, places, strict=True):
        if slot.phase == "train":
            slot.trained += seconds
            slot.shared += seconds * (sum(place[0] == node for place in places) - 1)
            slot.shared_card += seconds * (places.count((node, card)) - 1)


def _seconds_for_checkpoints(slots: Sequence[_Slot]) -> float:
    return CHECKPOINT_SECONDS * any(slot.phase == "train" and slot.job.checkpoint_minutes for slot in slots)


def _heed(slots: Sequence[_Slot], watcher: Watcher, urgency: int) -> None:
    if urgency == 1:
        watcher.on_stop()
    for slot in slots:
        if urgency == 1:
            slot.running.stop()
        else:
            slot.running.kill()


def _look_after(slot: _Slot, watcher: Watcher, stop: str) -> Iterator[Outcome]:
    """Pass a run's events on; yield its outcome if it has ended. `stop` is the reason to stop, if there is one."""
    reason = slot.running.exit_reason()  # first, so that all events before the end are read below
    for event in slot.running.events():
        if isinstance(event, Progress):
            slot.phase = event.phase
            watcher.on_progress(slot.job, event)
        elif isinstance(event, Note):
            watcher.on_note(slot.job, event)
        else:
            slot.end = event
    if reason is None:
        return
    with slot.lock:
        yield _conclude(slot, reason, stop)


def _conclude(slot: _Slot, exit_reason: str, stop: str) -> Outcome:
    job = slot.job
    with contextlib.suppress(HarnessError):
        records.clean_log(job.folder)
    if (job.folder / records.RECORD).exists():
        with contextlib.suppress(HarnessError):
            record = records.read_record(job.folder)
            neighbours = slot.neighbours if record.status == "ok" else None
            if neighbours is not None or slot.placement is not None:
                record = replace(record, neighbours=neighbours, placement=slot.placement)
                records.write_record(job.folder, record)
            return Outcome(job, record.status, record.reason, record)
    status: Status = "interrupted" if stop else "failed"
    reason = stop or exit_reason or "ended without a record, see log.txt"
    if slot.end is not None:
        status, reason = slot.end.status, slot.end.reason
    record = failure_record(job, status, reason, time.monotonic() - slot.start, slot.placement)
    with contextlib.suppress(HarnessError, OSError):
        records.write_record(job.folder, record)
    return Outcome(job, status, reason, record)


def failure_record(job: Job, status: Status, reason: str, seconds: float, placement: Placement | None = None) -> Record:
    """Return the record of a run that could not write its own: a row with a reason, without scores and costs."""
    start = datetime.now(UTC) - timedelta(seconds=seconds)
    return Record(
        spec=job.spec,
        status=status,
        scores={},
        parse_rate=0.0,
        chance=None,
        cost=None,
        environment=environment.describe(
            job.spec.device,
            threads=job.threads,
            shards=job.spec.shards,
            device_name=placement.model if placement and job.spec.device == "cuda" else "",
        ),
        reason=reason,
        started=start.isoformat(timespec="seconds"),
        seconds=seconds,
        placement=placement,
    )
