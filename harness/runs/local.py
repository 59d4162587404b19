"""Runs as processes on this machine.

On Linux a fork server imports torch, transformers and peft once; each run is then forked from it within milliseconds,
with nothing of another run in it. With a CUDA device each process starts afresh: PEFT imports bitsandbytes, which opens
the device at once. A process forked afterwards cannot open it again.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.reduction import ForkingPickler  # between this program's own processes only
from pathlib import Path
from types import FrameType
from typing import Any

from harness import environment, lifetime
from harness.errors import HarnessError
from harness.processes import QUIET, environment_of, set_environment
from harness.record import Placement
from harness.runs.job import Event, Job, Reporter, RunEnd, Running
from harness.store import records

Target = Callable[[Job, Reporter], None]

STOP = "stop"
WATCH = "harness.runs.fork_server"
PRELOAD = ["harness.runs.preload"]


class Line:
    """The worker's end of the connection: sends events, receives the request to stop.

    It listens in a thread of its own. If the starter is killed, the run ends at once, even in the middle of a step. A
    SIGTERM counts as the request: whoever ends a batch job sends it to all of its processes.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._stop = False
        signal.signal(signal.SIGTERM, self._request_stop)
        threading.Thread(target=self._listen, daemon=True).start()

    def _request_stop(self, number: int, frame: FrameType | None) -> None:
        self._stop = True

    def _listen(self) -> None:
        try:
            while True:
                self._stop = self._connection.recv() == STOP or self._stop
        except (EOFError, OSError):
            os._exit(1)

    def tell(self, event: Event) -> None:
        """Send an event; if the starter is dead, the run ends without a trace."""
        try:
            self._connection.send(event)
        except OSError:
            os._exit(1)

    def should_stop(self) -> bool:
        """Whether the starter sent the request to stop."""
        return self._stop


class Process:
    """A run in a process of this machine (a `Running`)."""

    def __init__(self, process: Any, connection: Connection, job: Job, placement: Placement | None = None) -> None:
        self._process = process
        self.connection = connection
        self.job = job
        self.placement = placement

    @property
    def sentinel(self) -> int:
        """The handle that becomes ready as the process ends."""
        return int(self._process.sentinel)

    @property
    def pid(self) -> int:
        """The process id."""
        return int(self._process.pid)

    def events(self) -> list[Event]:
        """Return the events since the last call."""
        events: list[Event] = []
        with contextlib.suppress(EOFError, OSError):
            while self.connection.poll():
                events.append(self.connection.recv())
        return events

    def exit_reason(self) -> str | None:
        """Return None while the process lives, else a reason; empty if the process ended by itself."""
        code: int | None = self._process.exitcode
        if code is None:
            return None
        return lifetime.end_of(self._process) + ", see log.txt" * (0 < code < lifetime.LOST)

    def stop(self) -> None:
        """Ask the run to finish its step and stop."""
        with contextlib.suppress(OSError):
            self.connection.send(STOP)

    def kill(self) -> None:
        """End the process at once."""
        self._process.kill()


class LocalProcesses:
    """An `Executor`: `slots` processes at a time on this machine, each running `target(job, reporter)`."""

    def __init__(self, target: Target, *, slots: int = 1) -> None:
        self.target = target
        self.slots = slots
        self._context = context()

    def takes(self, job: Job, running: Sequence[Running]) -> bool:
        """Return whether fewer than `slots` are in progress."""
        return len(running) < self.slots

    def start(self, job: Job, running: Sequence[Running] = ()) -> Process:
        """Start a process that runs the job."""
        return self.start_with(job, {})

    def start_with(self, job: Job, variables: Mapping[str, str], placement: Placement | None = None) -> Process:
        """Start a process that runs the job with these environment variables, set before it imports a library."""
        warm_up()
        connection, worker_end = self._context.Pipe()
        # As bytes: the process watches its starter before it imports the target's module.
        target = bytes(ForkingPickler.dumps(self.target))
        process = self._context.Process(target=_child, args=(target, job, worker_end, dict(variables)), daemon=True)
        try:
            lifetime.start(process)
        except BaseException:
            connection.close()  # ends a run that starts all the same
            raise
        finally:
            worker_end.close()
        return Process(process, connection, job, placement)

    def wait(self, running: Sequence[Running], seconds: float) -> None:
        """Return if one of them has an event or ended, or after `seconds`."""
        processes = [p for p in running if isinstance(p, Process)]
        wait([*(p.connection for p in processes if not p.connection.closed), *(p.sentinel for p in processes)], seconds)


def context() -> Any:
    """Return the way to start processes: a warm fork server on Linux without a CUDA device, afresh elsewhere."""
    if not _can_fork():
        return multiprocessing.get_context("spawn")
    server = multiprocessing.get_context("forkserver")
    server.set_forkserver_preload([WATCH, *PRELOAD])
    return server


def warm_up() -> None:
    """Start the fork server's imports now, while the plan is made; without a fork server, do nothing."""
    if not _can_fork():
        return
    context()
    from multiprocessing import forkserver

    with environment_of(PYTHONPATH=_path_with_project(), **{lifetime.STARTER: str(os.getpid())}):
        forkserver.ensure_running()


def _can_fork() -> bool:
    return sys.platform == "linux" and not environment.cuda_present()


def _path_with_project() -> str:
    project = str(Path(__file__).resolve().parents[2])
    return os.pathsep.join(filter(None, (project, os.environ.get("PYTHONPATH", ""))))


def _child(target: bytes, job: Job, connection: Connection, variables: dict[str, str]) -> None:
    lifetime.become_helper()
    set_environment(QUIET | variables)
    records.protect(job.results)
    line = Line(connection)  # never closed here: the end of the process closes it
    with contextlib.ExitStack() as stack:
        try:
            if not stack.enter_context(records.work_lock(job.folder)):
                return line.tell(RunEnd("failed", "another process is still doing this run"))
            with records.open_log(job.folder) as log:
                os.dup2(log.fileno(), 1)
                os.dup2(log.fileno(), 2)
        except OSError as error:
            return line.tell(RunEnd("failed", f"cannot write results: {error.strerror or error}"))
        except HarnessError as error:
            return line.tell(RunEnd("failed", error.problem))
        ForkingPickler.loads(target)(job, line)
