"""Calls in processes of their own, as many side by side as cores and memory allow, with results in the order of the calls."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from harness import environment, lifetime, processes
from harness.errors import HarnessError
from harness.record import Record
from harness.runs import local

FEW = 4  # calls; a process that imports torch takes longer than one of these calls on a toy model
SHARE = 0.8  # of the machine's memory

Item = TypeVar("Item")
Result = TypeVar("Result")


def width(records: Sequence[Record]) -> int:
    """Return how many of these runs can be repeated side by side: by their threads and the memory that they took."""
    if len(records) < FEW or any(record.spec.device != "cpu" for record in records):
        return 1
    threads = max(record.environment.threads for record in records)
    phases = [phase for record in records if record.cost for phase in record.cost.phases.values()]
    largest = max((phase.resident_bytes or phase.peak_bytes for phase in phases), default=0)
    by_memory = environment.memory_bytes() * SHARE // largest if largest else len(records)
    return max(1, int(min(environment.cores() // max(threads, 1), by_memory, len(records))))


def side_by_side(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    count: int,
    substitute: Callable[[], Result | None] = lambda: None,
) -> Iterator[Result]:
    """Yield the function's result for each item; in this process if `count` is 1.

    Before each call `substitute` is asked for a result that takes its place; None for no such result.

    Raises:
        HarnessError: a process was killed, or a library raised something there. Errors of the function are raised unchanged.
    """
    if count < 2:
        yield from (substitute() or function(item) for item in items)
        return
    local.warm_up()
    before = multiprocessing.active_children()
    pool = ThreadPoolExecutor(count)
    try:
        yield from pool.map(lambda item: substitute() or _called(function, item), items)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        lifetime.kill_children(before)


def _called(function: Callable[[Item], Result], item: Item) -> Result:
    try:
        with processes.Call(local.context(), function, item, silent=True) as running:
            return running.result()
    except processes.ProcessEnd as end:
        problem = f"the process that repeated a run died: {end}"
        raise HarnessError(problem, where="--replay", fix="free some memory, then replay again") from end
