"""Runs repeated side by side: as many as threads and memory allow, results in order, the end of a process in words."""

from __future__ import annotations

import multiprocessing
import os
import signal
from dataclasses import replace

import pytest

from harness import environment
from harness.cli.commands import replay_processes
from harness.errors import HarnessError
from harness.record import Record
from tests.support.records import make_record, make_spec


def record(*, threads: int = 1, resident: int = 2**30, device: str = "cpu") -> Record:
    made = make_record(spec=make_spec(device=device))
    assert made.cost is not None
    phases = {name: replace(phase, resident_bytes=resident) for name, phase in made.cost.phases.items()}
    return replace(made, environment=replace(made.environment, threads=threads), cost=replace(made.cost, phases=phases))


def test_the_width_follows_threads_memory_and_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "cores", lambda: 8)
    monkeypatch.setattr(environment, "memory_bytes", lambda: 16 * 2**30)
    assert replay_processes.width([record()] * 20) == 8
    assert replay_processes.width([record(threads=2)] * 20) == 4
    assert replay_processes.width([record(), record(resident=5 * 2**30)] * 10) == 2
    assert replay_processes.width([record(resident=2**40)] * 20) == 1
    assert replay_processes.width([record()] * 3) == 1
    assert replay_processes.width([record(device="cuda")] * 20) == 1


def test_results_come_in_the_order_of_the_calls() -> None:
    assert list(replay_processes.side_by_side(abs, [-3, 2, -1], 2)) == [3, 2, 1]
    assert not multiprocessing.active_children()


def test_the_end_of_a_process_is_an_error_in_words() -> None:
    with pytest.raises(HarnessError, match="the process that repeated a run died") as caught:
        list(replay_processes.side_by_side(kill, [signal.SIGKILL], 2))
    assert "memory" in caught.value.fix


def kill(number: int) -> None:
    """End this process."""
    os.kill(os.getpid(), number)
