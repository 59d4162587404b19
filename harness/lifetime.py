"""Processes of this program end with the process that started them, whether that one returns, raises or is killed.

The system watches: a helper that is stuck in a library's code, or a fork server that imports torch, ends as well.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Sequence
from typing import Any

from harness import signals
from harness.errors import HarnessError

STARTER = "ADAPTBENCH_STARTER"  # a variable of the fork server: the id of the process that started it
LOST = 255  # multiprocessing's exit code of a process whose fork server was killed
PR_SET_PDEATHSIG = 1  # prctl(2): the signal that the kernel sends to this process as soon as its parent ends


_fork_server = 0  # in the fork server and in its forks: its id


def end_with_parent(parent: int = 0) -> None:
    """Let this process be killed as soon as its parent ends, even if the parent itself is killed.

    On Linux the kernel does it, also in the middle of a library's code. It counts as the parent's end if the thread that
    started this process ends. Elsewhere a thread waits for the end.

    Args:
        parent: the id of the parent; 0 in a process that multiprocessing started afresh or by its fork server.
    """
    import ctypes  # a hundredth of a second that only a helper pays

    starter = multiprocessing.parent_process()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    elif starter is not None:
        threading.Thread(target=_end_after, args=(starter,), daemon=True).start()
    # What if it ended before the kernel was asked?
    if os.getppid() != (parent or _fork_server or os.getppid()) or (starter is not None and not starter.is_alive()):
        os._exit(1)


def _end_after(starter: Any) -> None:
    starter.join()
    os._exit(1)


def become_helper(parent: int = 0) -> None:
    """Let the starter of this process decide when it ends: it ends with it, and a terminal's signals do nothing.

    A request to stop that is meant for this process alone (SIGTERM) ends it. A fork would else have its parent's handlers.
    """
    for number in signals.FROM_TERMINALS:
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signals.accept()
    end_with_parent(parent)


def become_fork_server() -> None:
    """Let this process, the fork server, end with the program that started it, also while it imports, and its forks with it.

    A SIGTERM to all processes of a batch job does not end it: the runs that it started would end with it, without a checkpoint.
    """
    global _fork_server
    become_helper(int(os.environ.get(STARTER, 0)))
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    _fork_server = os.getpid()


def describe_exit(code: int) -> str:
    """Return the end of a process in words; empty for an exit of its own with code 0."""
    if code == 0:
        return ""
    if code > 0:
        return f"its process ended with exit code {code}"
    number = -code
    if number == signal.SIGKILL:
        return "killed by signal 9 (often out of memory)"
    with contextlib.suppress(ValueError):
        return f"killed by signal {number} ({signal.Signals(number).name})"
    return f"killed by signal {number}"


def start(process: Any) -> None:
    """Start a process of multiprocessing; a fork server that was killed is started again.

    Raises:
        HarnessError: the fork server was killed a second time.
    """
    for attempt in (1, 2):
        try:
            return process.start()  # type: ignore[no-any-return]
        except (EOFError, ConnectionError, FileNotFoundError) as error:
            if attempt == 2:
                problem = (
                    "the process that starts runs (multiprocessing's fork server) was killed, often for lack of memory"
                )
                raise HarnessError(problem, where="starting a process", fix="free some memory and try again") from error


def end_of(process: Any) -> str:
    """Return how a process of multiprocessing ended, in words; empty if by itself with exit code 0."""
    if process.exitcode == LOST:
        return "killed together with the fork server that started it (often out of memory)"
    return describe_exit(process.exitcode or 0)


def kill_children(before: Sequence[Any] = ()) -> None:
    """Kill the processes that this one started by multiprocessing, but for those from before, and wait for their end."""
    children = [process for process in multiprocessing.active_children() if process not in before]
    for process in children:
        process.kill()
    for process in children:
        process.join()
