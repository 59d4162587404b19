"""The same function over many things, in as many processes as there are cores; what comes out does not depend on them."""

from __future__ import annotations

import multiprocessing
import signal
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

from harness import environment
from harness.errors import HarnessError

Thing = TypeVar("Thing")
Made = TypeVar("Made")

_inherited: tuple[Callable[[Any], Any], Sequence[Any]]  # in a process of the pool


def each(function: Callable[[Thing], Made], things: Sequence[Thing]) -> list[Made]:
    """Return what the function makes of each thing, in the order of the things.

    The processes are forks, which have the function and the things without a copy being sent; results are sent back, so they
    can be pickled. Where a fork is not safe (macOS, Windows), and with one thing or one core, all is done in this process.

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


def _at(place: int) -> Any:
    function, things = _inherited
    return function(things[place])
