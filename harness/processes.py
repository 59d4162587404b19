"""The same function over many things, in as many processes as there are cores; what comes out does not depend on them."""

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

# A run has everything on disk before it starts: no library may ask the network, nor draw progress bars into the log.
QUIET = {
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TQDM_DISABLE": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "OPENBLAS_NUM_THREADS": "1",  # numpy would start threads on import, and a fork keeps none of them
    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",  # fixed workspaces: without them cuBLAS may add in another order each time
}


Thing = TypeVar("Thing")
Made = TypeVar("Made")

_inherited: tuple[Callable[[Any], Any], Sequence[Any]]  # in a process of the pool


def each(function: Callable[[Thing], Made], things: Sequence[Thing]) -> list[Made]:
    """Return what the function makes of each thing, in the order of the things.

    The processes are forks, which have the function and the things without a copy being sent; results are sent back, so they
    can be pickled. Where a fork is not safe (macOS), and with one thing or one core, all is done in this process.

    Raises:
        HarnessError: a process was ended; what the function raises for the first thing that fails is raised as it is.
    """
    count = min(environment.cores(), len(things))
    if count < 2 or sys.platform != "linux":
        return [function(thing) for thing in things]
    context = multiprocessing.get_context("fork")
    try:
        with ProcessPoolExecutor(count, context, initializer=_inherit, initargs=(function, things)) as pool:
            return list(pool.map(_at, range(len(things))))
    except BrokenProcessPool as error:
        fix = "run the same command again, with more memory or less at a time"
        problem = "a process that did a part of the work was ended, often for lack of memory"
        raise HarnessError(problem, where=f"{count} side by side", fix=fix) from error


def _inherit(function: Callable[[Any], Any], things: Sequence[Any]) -> None:
    global _inherited
    _inherited = function, things
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the one who waits, and that ends these
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # a fork has its parent's handler, which would only raise in a task


def _at(place: int) -> Any:
    function, things = _inherited
    return function(things[place])


def set_environment(values: dict[str, str]) -> None:
    """Set environment variables of this process, before the libraries that read them are imported."""
    os.environ.update(values)


def quieten() -> None:
    """Keep libraries' bars, notes and warnings off the terminal, where a command loads models in its own process."""
    set_environment(QUIET)
    warnings.simplefilter("ignore")
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)


@contextlib.contextmanager
def environment_of(**values: str) -> Iterator[None]:
    """Set environment variables while processes are started that are to have them."""
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
