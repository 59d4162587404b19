"""The processes of one run whose model is divided (`--shard`): they are started, watched and end together.

The run's own process computes nothing. It starts one process for each share, passes the first one's events on, and ends all of
them as soon as one fails or dies, so that none waits for it. Only the first process writes into the run's folder; the others
do the same work in a folder that is dropped.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import re
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from harness import environment, lifetime
from harness.errors import HarnessError
from harness.processes import QUIET, set_environment
from harness.runs import runner
from harness.runs.executors import inventory
from harness.runs.job import Job, Reporter, RunEnd, Share
from harness.runs.local import Line, Process, Target
from harness.runs.options import Options
from harness.schema import Method
from harness.store import records

POLL_SECONDS = 0.5
GRACE_SECONDS = 3.0  # between the first failure and the end of all: a later one may tell the cause
CARDS = "the processes of a run take the first cards of CUDA_VISIBLE_DEVICES, and cards are named"
ENGINE = "another program computes the answers, and the processes of a run are ours"
LOST_PEER = re.compile(r"gloo|nccl|connection (closed|reset)|recv|peer|DistBackendError|broken pipe", re.IGNORECASE)


def require(options: Options, methods: Sequence[Method], *, device: str) -> None:
    """Raise an error for runs that cannot be divided over so many processes.

    Raises:
        HarnessError: there are fewer cards, or a method trains in a way that needs its weights whole.
    """
    count, where = options.shard, f"--shard {options.shard}"
    if device == "cuda" and not options.imagined and count > (cards := _cards()):
        problem = f"{count} processes need {count} CUDA devices, and this machine has {cards}"
        raise HarnessError(problem, where=where, fix=f"--shard {cards}" if cards > 1 else "leave --shard out")
    for flag, (present, problem) in {"--devices": (options.cards, CARDS), "--engine": (options.engine, ENGINE)}.items():
        if present:
            raise HarnessError(problem, where=f"{where} {flag}", fix=f"leave {flag} or --shard out")
    for method in methods:
        if reason := _obstacle(method):
            others = ",".join(other.name for other in methods if not _obstacle(other))
            fix = f"leave {method.name} out of --method, or leave --shard out"
            fix += f"; these can be divided: {others}" if others else ""
            raise HarnessError(f"{method.name} cannot be divided over processes: {reason}", where=where, fix=fix)


def _cards() -> int:
    """Return the number of CUDA devices that a process may use; one if the driver's tool lists none."""
    return sum(not card.divided for card in inventory.read()) or int(environment.cuda_present())


def _obstacle(method: Method) -> str:
    if method.rounds:
        return "its clients take turns in one process"
    if method.optimizer:
        return "its own optimizer needs whole weights"
    if method.penalty or method.after_step:
        return "it does work of its own on whole weights in every step"
    if method.save or method.window_tokens:
        return "it has weights outside the layers of the model"
    if method.frozen_bits == 8:
        return "bitsandbytes' weights in 8 bits cannot be divided"
    return ""


def run(job: Job, reporter: Reporter, work: Target) -> None:
    """Do the run in its processes, each of which calls `work`; the record says why if one of them fails."""
    multiprocessing.current_process().daemon = False  # a daemon may have no children; they end with this process anyhow
    with (
        tempfile.TemporaryDirectory(prefix="adaptbench-shard-") as folder,
        _processes(job, work, Path(folder)) as members,
    ):
        end = _watch(members, reporter)
    if end.status != "ok":
        _correct(job, end)
    reporter.tell(end)


@dataclass
class _Member:
    """A process of the run, with its last event; `rank` counts from 0."""

    rank: int
    process: Process
    end: RunEnd | None = None

    def outcome(self) -> RunEnd | None:
        """Return how the process ended, None if it works on."""
        reason = self.process.exit_reason()  # first, so that all events before the end are read
        return self.end or (None if reason is None else RunEnd("failed", reason or "it ended without a word"))

    def failed(self) -> bool:
        """Return whether the process ended otherwise than with its work done."""
        end = self.outcome()
        return end is not None and end.status != "ok"


@contextlib.contextmanager
def _processes(job: Job, work: Target, folder: Path) -> Iterator[list[_Member]]:
    """Return a context with the processes of the run, none of which outlives it."""
    forks = sys.platform == "linux" and job.spec.device == "cpu"  # this process has imported what they need
    context: Any = multiprocessing.get_context("fork" if forks else "spawn")
    threads = max(1, job.threads // job.spec.shards)
    members: list[_Member] = []
    processes: list[Any] = []
    try:
        for rank in range(job.spec.shards):
            connection, far_end = context.Pipe()
            target = _folder(job, folder, rank)
            share = Share(rank, folder / "store", job.folder)
            part = replace(job, share=share, folder=target, threads=threads)
            process = context.Process(target=_member, args=(part, work, far_end, os.getpid() * forks))
            processes.append(process)
            process.start()
            far_end.close()
            members.append(_Member(rank, Process(process, connection, part)))
        yield members
    finally:
        for process in processes:
            if process.pid is not None:
                process.kill()
        for process in processes:
            if process.pid is not None:
                process.join()


def _folder(job: Job, scratch: Path, rank: int) -> Path:
    """Return the folder into which a process writes: the run's for the first, for others one at the same depth."""
    if rank == 0:
        return job.folder
    folder = scratch / str(rank) / job.folder.absolute().relative_to(job.results)
    folder.mkdir(parents=True)
    return folder


def _member(job: Job, work: Target, connection: Any, parent: int) -> None:
    """Do one process's part of a run."""
    lifetime.become_helper(parent)
    set_environment(QUIET)
    work(job, Line(connection))


def _watch(members: Sequence[_Member], reporter: Reporter) -> RunEnd:
    """Return how the run ended, once the first process is done or any process failed."""
    first, is_stopping, deadline = members[0], False, None
    while True:
        wait([*(m.process.connection for m in members), *(m.process.sentinel for m in members)], POLL_SECONDS)
        for member in members:
            is_over = member.outcome() is not None
            for event in member.process.events():
                if isinstance(event, RunEnd):
                    member.end = event
                elif member is first and not is_over:
                    reporter.tell(event)
        if first.end and first.end.status in ("ok", "interrupted"):
            return first.end
        if reporter.should_stop() and not is_stopping:
            is_stopping = True
            first.process.stop()
        failed = [member for member in members if member.failed()]
        deadline = deadline or (time.monotonic() + GRACE_SECONDS if failed else None)
        if deadline and (time.monotonic() > deadline or len(failed) == len(members)):
            return _cause(failed, len(members))
        if deadline:
            time.sleep(POLL_SECONDS / 10)  # an ended process is always ready


def _cause(failed: Sequence[_Member], count: int) -> RunEnd:
    """Return the end of the process that failed by itself; the others only lost it."""
    ends = [(member, end) for member in failed if (end := member.outcome())]
    member, end = min(ends, key=lambda pair: (bool(LOST_PEER.search(pair[1].reason)), pair[0].rank))
    if member.rank == 0 and member.end:  # its record says so
        return end
    return RunEnd(end.status, f"process {member.rank + 1} of {count}: {end.reason}")


def _correct(job: Job, end: RunEnd) -> None:
    """Write the reason into the run's record; the first process may have written that it lost another."""
    try:
        record = replace(records.read_record(job.folder), status=end.status, reason=end.reason)
    except HarnessError:
        record = runner.failure_record(job, end.status, end.reason, 0.0)
    with contextlib.suppress(HarnessError, OSError):
        records.write_record(job.folder, record)
