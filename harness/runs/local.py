"""Runs as processes on this machine.

On Linux a fork server imports torch, transformers and peft once; each run is then forked from it within milliseconds,
with nothing of another run in it. With a CUDA device each process starts afresh: bitsandbytes, which PEFT imports, opens
the device when it is imported, and what was forked after that cannot.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from harness import environment
from harness.processes import QUIET, environment_of, set_environment
from harness.runs.job import Ended, Event, Job, Reporter, Running
from harness.store import records

Target = Callable[[Job, Reporter], None]

STOP = "stop"
PRELOAD = ["harness.runs.preload"]


class Line:
    """The worker's end: tells events, hears the request to stop.

    It listens in a thread of its own, so that a run whose starter was killed ends at once, in the middle of a step too.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._stop = False
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        try:
            while True:
                self._stop = self._connection.recv() == STOP or self._stop
        except (EOFError, OSError):
            os._exit(1)

    def tell(self, event: Event) -> None:
        """Send an event; where nobody listens any more, the run ends without a trace: its starter is dead."""
        try:
            self._connection.send(event)
        except OSError:
            os._exit(1)

    def should_stop(self) -> bool:
        """Whether the request to stop has come."""
        return self._stop


class Process:
    """A run in a process of this machine (a `Running`)."""

    def __init__(self, process: Any, connection: Connection) -> None:
        self._process = process
        self.connection = connection

    @property
    def sentinel(self) -> int:
        """Becomes ready when the process ends."""
        return int(self._process.sentinel)

    @property
    def pid(self) -> int:
        """The process id."""
        return int(self._process.pid)

    def events(self) -> list[Event]:
        """Events since the last call."""
        events: list[Event] = []
        with contextlib.suppress(EOFError, OSError):
            while self.connection.poll():
                events.append(self.connection.recv())
        return events

    def ended(self) -> str | None:
        """None while it lives; else a reason, empty where it ended by itself."""
        code = self._process.exitcode
        return None if code is None else exit_reason(code)

    def stop(self) -> None:
        """Ask it to stop after the step in hand."""
        with contextlib.suppress(OSError):
            self.connection.send(STOP)

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()


class LocalProcesses:
    """An `Executor`: `slots` processes at a time on this machine, each running `target(job, reporter)`."""

    def __init__(self, target: Target, *, slots: int = 1) -> None:
        self.target = target
        self.slots = slots
        self._context = context()

    def start(self, job: Job) -> Process:
        """Start a process that runs the job."""
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=_child, args=(self.target, job, theirs), daemon=True)
        process.start()
        theirs.close()
        return Process(process, ours)

    def wait(self, running: Sequence[Running], seconds: float) -> None:
        """Return when one of them has something to tell, or after `seconds`."""
        processes = [p for p in running if isinstance(p, Process)]
        wait([*(p.connection for p in processes if not p.connection.closed), *(p.sentinel for p in processes)], seconds)


def exit_reason(code: int) -> str:
    """Say in words how a process ended; empty for an exit of its own with code 0."""
    if code == 0:
        return ""
    if code > 0:
        return f"its process ended with exit code {code}, see log.txt"
    number = -code
    if number == signal.SIGKILL:
        return "killed by signal 9 (often out of memory)"
    with contextlib.suppress(ValueError):
        return f"killed by signal {number} ({signal.Signals(number).name})"
    return f"killed by signal {number}"


def context() -> Any:
    """How processes are started: from a warm fork server on Linux without a CUDA device, afresh elsewhere."""
    if not _can_fork():
        return multiprocessing.get_context("spawn")
    chosen = multiprocessing.get_context("forkserver")
    chosen.set_forkserver_preload(PRELOAD)
    return chosen


def warm_up() -> None:
    """Start the fork server's imports now, while the plan is made. Nothing happens where there is no fork server."""
    if not _can_fork():
        return
    context()
    from multiprocessing import forkserver

    with environment_of(PYTHONPATH=_path_with_project()):
        forkserver.ensure_running()


def _can_fork() -> bool:
    return sys.platform == "linux" and not environment.cuda_present()


def _path_with_project() -> str:
    project = str(Path(__file__).resolve().parents[2])
    return os.pathsep.join(filter(None, (project, os.environ.get("PYTHONPATH", ""))))


def _child(target: Target, job: Job, connection: Connection) -> None:
    # Ctrl-C reaches every process of the terminal; what a run does then is its starter's decision.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    set_environment(QUIET)
    line = Line(connection)  # never closed here: the end of the process says that it ended
    with contextlib.ExitStack() as held:
        try:
            if not held.enter_context(records.working(job.folder)):
                return line.tell(Ended("failed", "another process is still doing this run"))
            with (job.folder / records.LOG).open("ab", buffering=0) as log:
                os.dup2(log.fileno(), 1)
                os.dup2(log.fileno(), 2)
        except OSError as error:
            return line.tell(Ended("failed", f"cannot write results: {error.strerror or error}"))
        target(job, line)
