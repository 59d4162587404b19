"""A call in a process of its own, a parallel map over items, and the environment of processes.

No process that starts here outlives the one that started it, whether that one returns, raises or is killed. Results do not
depend on the number of cores.
"""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import Connection
from typing import Any, Generic, TypeVar

from harness import environment, signals
from harness.errors import HarnessError, one_line

# All files of a run are on disk before it starts: no library may use the network or print progress bars into the log.
QUIET = {
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TQDM_DISABLE": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "OPENBLAS_NUM_THREADS": "1",  # numpy would start threads on import, and a fork loses them
    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",  # fixed workspaces: without them cuBLAS may add in a different order each time
}


Item = TypeVar("Item")
Result = TypeVar("Result")

STARTER = "ADAPTBENCH_STARTER"  # a variable of the fork server: the id of the process that started it
LOST = 255  # multiprocessing's exit code of a process whose fork server was killed
PR_SET_PDEATHSIG = 1  # prctl(2): the signal that the kernel sends to this process as soon as its parent ends

_inherited: tuple[Callable[[Any], Any], Sequence[Any]]  # in a process of the pool


def end_with_parent(parent: int | None = None) -> None:
    """Let this process be killed as soon as its parent ends, even if the parent itself is killed.

    On Linux the kernel does it, also in the middle of a library's code. It counts as the parent's end if the thread that
    started this process ends. Elsewhere a thread waits for the end.

    Args:
        parent: the id of the parent; None in a process that multiprocessing started afresh or by its fork server.
    """
    import ctypes  # a hundredth of a second that only a helper pays

    starter = multiprocessing.parent_process()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    elif starter is not None:
        threading.Thread(target=_end_after, args=(starter,), daemon=True).start()
    ended = os.getppid() != parent if parent is not None else starter is not None and not starter.is_alive()
    if ended:  # before the kernel was asked
        os._exit(1)


def _end_after(starter: Any) -> None:
    starter.join()
    os._exit(1)


def become_helper(parent: int | None = None) -> None:
    """Let the starter of this process decide when it ends: it ends with it, and a terminal's signals do nothing.

    A request to stop that is meant for this process alone (SIGTERM) ends it. A fork would else have its parent's handlers.
    """
    for number in signals.FROM_TERMINALS:
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    end_with_parent(parent)


def describe_exit(code: int) -> str:
    """Return the end of a process in words; empty for an exit of its own with code 0."""
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


class Ended(Exception):
    """A process ended without an answer; the message is the reason in words."""


class Raised(Exception):
    """A library raised in a process of its own: the exception's name, its message in one line, and the traceback."""

    def __init__(self, name: str, message: str, trace: str) -> None:
        super().__init__(name, message, trace)
        self.name = name
        self.message = message
        self.trace = trace

    def __str__(self) -> str:
        return f"{self.name}: {self.message}"


class Call(Generic[Result]):
    """A function call in a process of its own; use it as a context manager, whose end is the end of the process.

    Args:
        context: multiprocessing's way to start processes, which must not be a bare fork.
        function: of a module, so that the process can import it.
        argument: picklable.
        silent: whether what libraries print there is dropped.
    """

    def __init__(self, context: Any, function: Callable[[Item], Result], argument: Item, *, silent: bool = False) -> None:
        self._answers, end = context.Pipe(duplex=False)
        # As bytes: the process watches its starter before it imports the function's module.
        content = pickle.dumps((function, argument))
        self._process = context.Process(target=_answer, args=(end, content, silent))
        try:
            start(self._process)
        finally:
            end.close()

    def __enter__(self) -> Call[Result]:
        return self

    def __exit__(self, *_: object) -> None:
        self._answers.close()
        if self._process.pid is not None:
            self._process.kill()
            self._process.join()

    def result(self, seconds: float | None = None) -> Result:
        """Return the function's result.

        Raises:
            HarnessError: as the function.
            Raised: the function raised anything else.
            Ended: the process was killed, or ended by itself.
            TimeoutError: there is no result after so many seconds.
        """
        if not self._answers.poll(seconds):
            raise TimeoutError
        try:
            error, result = self._answers.recv()
        except EOFError:
            self._process.join()
            raise Ended(end_of(self._process)) from None
        if error is not None:
            raise error
        return result  # type: ignore[no-any-return]


def _answer(answers: Connection, content: bytes, silent: bool) -> None:
    become_helper()
    if silent:
        drop_output()
    reply: tuple[Exception | None, Any]
    try:
        function, argument = pickle.loads(content)
        reply = None, function(argument)
    except HarnessError as error:
        reply = error, None
    except Exception as error:
        reply = Raised(type(error).__name__, one_line(error), traceback.format_exc()), None
    with contextlib.suppress(BrokenPipeError):
        answers.send(reply)


def drop_output() -> None:
    """Let whatever this process and its libraries print vanish."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    os.close(nowhere)


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
                problem = "the process that starts runs (multiprocessing's fork server) was killed, often for lack of memory"
                raise HarnessError(problem, where="starting a process", fix="free some memory and try again") from error


def end_of(process: Any) -> str:
    """Return how a process of multiprocessing ended, in words; empty if by itself with exit code 0."""
    if process.exitcode == LOST:
        return "killed together with the fork server that started it (often out of memory)"
    return describe_exit(process.exitcode or 0)


def kill_children(before: Sequence[Any] = ()) -> None:
    """Kill the processes that this one started by multiprocessing, but for those from before."""
    for process in multiprocessing.active_children():
        if process not in before:
            process.kill()


def parallel_map(function: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    """Return the function's result for each item, in the order of the items.

    The processes are forks, so the function and the items need not be sent to them. Results are sent back and must be
    picklable. If a fork is not safe (macOS), and for one item or one core, this process does all the work.

    Raises:
        HarnessError: a process was killed. An error of the function is raised unchanged, for the first item that fails.
    """
    count = min(environment.cores(), len(items))
    if count < 2 or sys.platform != "linux":
        return [function(item) for item in items]
    context, before = multiprocessing.get_context("fork"), multiprocessing.active_children()
    initial = (function, items, os.getpid())
    try:
        with ProcessPoolExecutor(count, context, initializer=_inherit, initargs=initial) as pool:
            try:
                return list(pool.map(_at, range(len(items))))
            except BaseException:  # the pool would wait until they have done what they are doing
                kill_children(before)
                raise
    except BrokenProcessPool as error:
        fix = "run the same command again with more free memory or fewer cores"
        problem = "a worker process was killed, often for lack of memory"
        raise HarnessError(problem, where=f"{count} processes in parallel", fix=fix) from error


def _inherit(function: Callable[[Any], Any], items: Sequence[Any], parent: int) -> None:
    global _inherited
    _inherited = function, items
    become_helper(parent)


def _at(index: int) -> Any:
    function, items = _inherited
    return function(items[index])


def set_environment(values: dict[str, str]) -> None:
    """Set environment variables of this process; call it before importing the libraries that read them."""
    os.environ.update(values)


def quieten() -> None:
    """Suppress libraries' bars, notes and warnings in the terminal, for commands that load models in their own process."""
    set_environment(QUIET)
    warnings.simplefilter("ignore")
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)


@contextlib.contextmanager
def environment_of(**values: str) -> Iterator[None]:
    """A context with environment variables for the processes that are started inside."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
