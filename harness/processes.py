"""A call in a process of its own, a parallel map over items, and the environment of processes.

Results do not depend on the number of cores.
"""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import sys
import traceback
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.reduction import ForkingPickler  # between this program's own processes only
from typing import Any, Generic, TypeVar

from harness import environment, signals
from harness.errors import HarnessError, one_line
from harness.lifetime import become_helper, end_of, kill_children, start

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

_is_fork = False  # whether this process is one of a parallel map: the cores are busy with the others


class ProcessEnd(Exception):
    """A process ended without an answer; the message is the reason in words."""


class LibraryError(Exception):
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

    def __init__(
        self, context: Any, function: Callable[[Item], Result], argument: Item, *, silent: bool = False
    ) -> None:
        self._answers, end = context.Pipe(duplex=False)
        # As bytes: the process watches its starter before it imports the function's module.
        content = bytes(ForkingPickler.dumps((function, argument)))
        self._process = context.Process(target=_answer, args=(end, content, silent))
        before = multiprocessing.active_children()
        try:
            start(self._process)
        except BaseException:
            kill_children(before)
            raise
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
            LibraryError: the function raised anything else.
            ProcessEnd: the process was killed, or ended by itself.
            TimeoutError: there is no result after so many seconds.
        """
        if not self._answers.poll(seconds):
            raise TimeoutError
        try:
            error, result = self._answers.recv()
        except EOFError:
            self._process.join()
            raise ProcessEnd(end_of(self._process)) from None
        if error is not None:
            raise error
        return result  # type: ignore[no-any-return]


def _answer(answers: Connection, content: bytes, silent: bool) -> None:
    become_helper()
    if silent:
        drop_output()
    reply: tuple[Exception | None, Any]
    try:
        function, argument = ForkingPickler.loads(content)
        reply = None, function(argument)
    except HarnessError as error:
        reply = error, None
    except Exception as error:
        reply = LibraryError(type(error).__name__, one_line(error), traceback.format_exc()), None
    with contextlib.suppress(BrokenPipeError):
        answers.send(reply)


def drop_output() -> None:
    """Let whatever this process and its libraries print vanish."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    os.close(nowhere)


def parallel_map(function: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    """Return the function's result for each item, in the order of the items.

    The processes are forks, so the function and the items need not be sent to them. Results are sent back and must be
    picklable. If a fork is not safe (macOS), for one item or one core, and in such a process, this process does all the work.

    Raises:
        HarnessError: a process was killed. An error of the function is raised unchanged, for the first item that fails.
    """
    count = min(environment.cores(), len(items))
    if count < 2 or sys.platform != "linux" or _is_fork:
        return [function(item) for item in items]
    before = multiprocessing.active_children()
    try:
        return _Forks(function, items, count).results()
    finally:
        kill_children(before)


class _Forks(Generic[Item, Result]):
    """Forks of this process that work on items. Not a pool of the library: its locks and threads do not stand a signal."""

    def __init__(self, function: Callable[[Item], Result], items: Sequence[Item], count: int) -> None:
        self._items = items
        self._waiting = deque(range(len(items)))
        self._at_work: dict[Connection, int] = {}
        self._results: dict[int, Result] = {}
        self._errors: dict[int, Exception] = {}
        self._processes: dict[Connection, Any] = {}
        context = multiprocessing.get_context("fork")
        for _ in range(count):
            ours, theirs = context.Pipe()
            process = context.Process(target=_work, args=(function, items, theirs, os.getpid()))
            with signals.postponed():
                process.start()
            theirs.close()
            self._processes[ours] = process
            self._next_item(ours)

    def results(self) -> list[Result]:
        """Return all results; errors as `parallel_map`."""
        while self._at_work and min(self._at_work.values()) < min(self._errors, default=len(self._items)):
            for ready in wait(list(self._at_work)):
                if isinstance(ready, Connection):
                    self._take(ready)
        for connection in self._processes:
            connection.close()
        if self._errors:
            raise self._errors[min(self._errors)]
        return [self._results[number] for number in range(len(self._items))]

    def _next_item(self, connection: Connection) -> None:
        if self._waiting and not self._errors:
            self._at_work[connection] = number = self._waiting.popleft()
            with contextlib.suppress(OSError):  # it was killed, which shows where its result is awaited
                connection.send(number)

    def _take(self, connection: Connection) -> None:
        number = self._at_work.pop(connection)
        try:
            error, result = connection.recv()
        except (EOFError, OSError):
            process = self._processes[connection]
            process.join()
            raise HarnessError(
                f"a worker process ended before its work was done: {end_of(process) or 'by itself'}",
                where=f"{len(self._processes)} processes in parallel",
                fix="run the same command again with more free memory or fewer cores",
            ) from None
        if error is None:
            self._results[number] = result
        else:
            self._errors[number] = error
        self._next_item(connection)


def _work(function: Callable[[Any], Any], items: Sequence[Any], connection: Connection, parent: int) -> None:
    global _is_fork
    _is_fork = True
    become_helper(parent)
    with contextlib.suppress(EOFError, OSError):
        while True:
            item = items[connection.recv()]
            try:
                reply = bytes(ForkingPickler.dumps((None, function(item))))
            except Exception as error:
                reply = bytes(ForkingPickler.dumps((_picklable(error), None)))
            connection.send_bytes(reply)


def _picklable(error: Exception) -> Exception:
    """Return the error itself, or its name and text if it would not arrive."""
    try:
        ForkingPickler.loads(ForkingPickler.dumps(error))
    except Exception:
        return LibraryError(type(error).__name__, one_line(error), traceback.format_exc())
    return error


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
