"""A parallel map over items, one process per core, and the environment of processes.

Results do not depend on the number of cores.
"""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

from harness import environment
from harness.errors import HarnessError

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

_inherited: tuple[Callable[[Any], Any], Sequence[Any]]  # in a process of the pool


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
    context = multiprocessing.get_context("fork")
    try:
        with ProcessPoolExecutor(count, context, initializer=_inherit, initargs=(function, items)) as pool:
            return list(pool.map(_at, range(len(items))))
    except BrokenProcessPool as error:
        fix = "run the same command again with more free memory or fewer cores"
        problem = "a worker process was killed, often for lack of memory"
        raise HarnessError(problem, where=f"{count} processes in parallel", fix=fix) from error


def _inherit(function: Callable[[Any], Any], items: Sequence[Any]) -> None:
    global _inherited
    _inherited = function, items
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the parent process, and that ends its workers
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # a fork has its parent's handler, which would only raise in a task


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
