"""Calls in processes of their own: what they return, how they fail, and that none outlives the process that started it."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

import pytest

from harness import processes
from harness.errors import HarnessError
from harness.processes import Call, LibraryError, ProcessEnd, parallel_map
from harness.runs import local
from tests.support.background import ROOT
from tests.support.kills import kill_once, marked, wait_for_none
from tests.support.sample_inputs import write_model, write_task

LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc")
FOREVER = 3600


def start(function: Any, argument: Any) -> Call[Any]:
    return Call(local.context(), function, argument)


def double(number: int) -> int:
    return 2 * number


def refuse(text: str) -> None:
    raise HarnessError(text, where="here", fix="do this")


class OfNoUse(Exception):
    """An exception that cannot be unpickled, as some libraries have them."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__("in two\nlines")


def fail(_: object) -> None:
    raise OfNoUse(1, 2)


def die(number: int) -> None:
    os.kill(os.getpid(), number)


def signals_of(_: object) -> list[bool]:
    return [signal.getsignal(number) == signal.SIG_IGN for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM)]


def test_a_call_returns_the_result_and_raises_the_error_of_its_function() -> None:
    with start(double, 21) as call:
        assert call.result() == 42
    with start(refuse, "no such thing") as call, pytest.raises(HarnessError) as caught:
        call.result()
    assert (caught.value.problem, caught.value.where, caught.value.fix) == ("no such thing", "here", "do this")


def test_an_error_of_a_library_comes_back_by_name_even_if_it_cannot_be_pickled() -> None:
    with start(fail, None) as call, pytest.raises(LibraryError, match="OfNoUse: in two lines") as caught:
        call.result()
    assert "in fail" in caught.value.trace


@pytest.mark.parametrize(
    ("function", "argument", "words"),
    [(die, signal.SIGKILL, "signal 9"), (die, signal.SIGSEGV, "SIGSEGV"), (os._exit, 3, "exit code 3")],
    ids=["killed", "crashed", "left"],
)
def test_a_process_that_dies_is_named_with_its_end(function: Any, argument: int, words: str) -> None:
    with start(function, argument) as call, pytest.raises(ProcessEnd, match=words):
        call.result()


def test_a_call_that_is_given_up_is_ended_and_so_is_one_that_takes_too_long() -> None:
    with pytest.raises(KeyboardInterrupt), start(time.sleep, FOREVER):
        raise KeyboardInterrupt
    with start(time.sleep, FOREVER) as call, pytest.raises(TimeoutError):
        call.result(0.01)
    assert multiprocessing.active_children() == []


def test_a_terminal_s_signals_are_left_to_the_program_and_sigterm_ends_one_process() -> None:
    with start(signals_of, None) as call:
        assert call.result() == [True, True, False]


@LINUX
def test_a_killed_fork_server_is_named_and_the_next_call_starts_another() -> None:
    with start(double, 1) as call:
        call.result()
    with start(time.sleep, FOREVER) as call:
        pid = forkserver._forkserver._forkserver_pid  # type: ignore[attr-defined]
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(ProcessEnd, match="fork server"):
            call.result()
    with start(double, 21) as call:
        assert call.result() == 42


@LINUX
def test_a_map_that_is_interrupted_ends_its_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.environment.cores", lambda: 2)

    def interrupt(number: int) -> None:
        if number == 1:
            os.kill(os.getppid(), signal.SIGUSR1)
        time.sleep(FOREVER)

    own = signal.signal(signal.SIGUSR1, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            parallel_map(interrupt, [0, 1])
    finally:
        signal.signal(signal.SIGUSR1, own)
    assert multiprocessing.active_children() == []


PROGRAM = """
import multiprocessing, os, pathlib, sys, time
sys.path[:0] = [{root!r}, {here!r}]
import harness.environment
from harness import processes, signals
from harness.runs import local
harness.environment.cores = lambda: 3

def sleep(_):
    pathlib.Path({here!r}, "asleep").touch()
    time.sleep(3600)

def main(way):
    local.PRELOAD = ["slow_import"] if way == "import" else []
    if way == "import":
        local.warm_up()
        time.sleep(3600)
    elif way == "map":
        processes.parallel_map(sleep, range(6))
    else:
        local.warm_up()
        context = local.context() if way == "server" else multiprocessing.get_context("spawn")
        with processes.Call(context, sleep, None) as one, processes.Call(context, sleep, None):
            one.result()

if __name__ == "__main__":
    with signals.keyboard_interrupts():
        main(sys.argv[1])
"""


@LINUX
@pytest.mark.parametrize(
    ("way", "number"),
    [
        ("import", signal.SIGKILL),
        ("import", signal.SIGTERM),
        ("server", signal.SIGKILL),
        ("server", signal.SIGHUP),
        ("spawn", signal.SIGKILL),
        ("spawn", signal.SIGTERM),
        ("map", signal.SIGKILL),
        ("map", signal.SIGHUP),
    ],
    ids=lambda value: value if isinstance(value, str) else value.name,
)
def test_no_process_outlives_a_program_that_is_ended_from_outside(
    way: str, number: signal.Signals, tmp_path: Path
) -> None:
    (tmp_path / "slow_import.py").write_text(
        "import pathlib, time\npathlib.Path(__file__).with_name('asleep').touch()\ntime.sleep(3600)\n"
    )
    script = tmp_path / "program.py"
    script.write_text(PROGRAM.format(root=str(ROOT), here=str(tmp_path)))
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    with processes.environment_of(PYTHONPATH=path), marked([str(script), way], tmp_path / "output") as (process, mark):
        while not (tmp_path / "asleep").exists():
            assert process.poll() is None, (tmp_path / "output").read_text()
            time.sleep(0.02)
        process.send_signal(number)
        left, _ = wait_for_none(process, mark, FOREVER)  # the test's own limit ends it
    assert left == ()


@LINUX
def test_a_program_started_by_nohup_outlives_its_terminal() -> None:
    code = (
        "import os, signal; from harness.signals import keyboard_interrupts\n"
        "with keyboard_interrupts(): os.kill(os.getpid(), signal.SIGHUP); print('goes on')\n"
    )
    ignoring = ["sh", "-c", 'trap "" HUP; exec "$@"', "sh", sys.executable, "-c", code]
    done = subprocess.run(ignoring, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "goes on\n"


@LINUX
@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_the_program_leaves_no_process_when_it_is_ended_at_random_moments(
    number: signal.Signals, tmp_path: Path
) -> None:
    task, chance = write_task(tmp_path / "toy.jsonl"), random.Random(number)
    for words in (("plan",), ("--results", "{results}"), ("--no-memory", "--results", "{results}")):
        for _ in range(2):
            done = kill_once("", ("run_all.py", *words, "--task", str(task)), number, chance, 6.0, FOREVER)
            assert done.left == ()


def test_a_helper_that_is_killed_is_no_fault_of_the_model_s_config(tmp_path: Path) -> None:
    from harness.runs.forecast import preflight

    model = write_model(tmp_path / "model")
    for function, argument, words in ((die, signal.SIGKILL, "killed by signal 9"), (os._exit, 4, "exit code 4")):
        with pytest.raises(HarnessError, match=words) as caught:
            preflight.in_own_process(function, argument, where=str(model))
        assert "config.json" not in str(caught.value)
