"""Whoever starts the program can stop it: Ctrl-C and SIGTERM end it, also where SIGINT was ignored when it started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from harness.signals import keyboard_interrupts
from harness.store import records
from tests.support.background import ROOT, background, wait_until
from tests.support.sample_inputs import write_model, write_task

BOTH = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)


@BOTH
def test_a_signal_that_was_ignored_interrupts_and_is_ignored_again_afterwards(number: signal.Signals) -> None:
    own = signal.signal(number, signal.SIG_IGN)
    try:
        with pytest.raises(KeyboardInterrupt), keyboard_interrupts():
            signal.raise_signal(number)
        assert signal.getsignal(number) == signal.SIG_IGN
    finally:
        signal.signal(number, own)


def test_a_thread_that_may_set_no_signals_goes_on_without() -> None:
    done: list[bool] = []

    def work() -> None:
        with keyboard_interrupts():
            done.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [True]


@pytest.fixture
def command(tmp_path: Path) -> list[str]:
    """The program on a small task; its runs train nothing, and `--wait-in-plan` lets it wait while it plans."""
    script = tmp_path / "program.py"
    script.write_text(
        "import pathlib, sys, time\n"
        f"sys.path[:0] = [{str(ROOT)!r}]\n"
        "from harness import cli\n"
        "from harness.runs import local\n"
        "local.PRELOAD = []\n"
        "import harness.cli.commands.run as run\n"
        "from tests.support import cli_runner\n"
        "def wait(*_):\n"
        "    (pathlib.Path(__file__).parent / 'planning').touch()\n"
        "    time.sleep(3600)\n"
        "if __name__ == '__main__':\n"
        "    run.plan.check = wait if '--wait-in-plan' in sys.argv else lambda plans: None\n"
        "    words = [word for word in sys.argv[1:] if word != '--wait-in-plan']\n"
        "    sys.exit(cli.main(words, work=cli_runner.base_then_wait))\n"
    )
    task, model = write_task(tmp_path / "toy.jsonl"), write_model(tmp_path / "model")
    flags = ["--task", str(task), "--model", str(model), "--no-memory", "--results", str(tmp_path / "results")]
    flags += ["--method", "base,lora,qlora,full", "--challengers", "none"]
    return [sys.executable, str(script), *flags]


@BOTH
def test_a_run_in_the_background_ends_with_130_the_tables_so_far_and_the_command_that_continues(
    command: list[str], tmp_path: Path, number: signal.Signals
) -> None:
    with background(command) as process:
        base = tmp_path / "results/runs/toy/model/base"
        wait_until(lambda: list(tmp_path.rglob("waiting")) and list(base.rglob(records.RECORD)), process)
        process.send_signal(number)
        out, err = process.communicate()
    assert process.returncode == 130, err
    assert "✓ base" in err
    assert "■ lora" in err
    assert "interrupted" in out
    continued = next(line for line in out.splitlines() if line.startswith("continue"))
    assert f"python run_all.py --task {tmp_path / 'toy.jsonl'}" in continued


def test_a_batch_system_that_sends_sigterm_to_every_process_lets_the_run_finish_its_step(
    command: list[str], tmp_path: Path
) -> None:
    process = subprocess.Popen(command, start_new_session=True, stderr=subprocess.PIPE, text=True)
    try:
        wait_until(lambda: list(tmp_path.rglob("waiting")), process)
        os.killpg(process.pid, signal.SIGTERM)
        process.send_signal(signal.SIGTERM)  # as the script passes it on
        _, err = process.communicate()
    finally:
        process.kill()
    assert process.returncode == 130, err
    (record,) = [run.record for run in records.read_all(tmp_path / "results") if run.record.status != "ok"]
    assert (record.status, record.reason) == ("interrupted", "")  # by the run itself, see `base_then_wait`


@BOTH
def test_a_run_in_the_background_can_be_stopped_before_anything_trains(
    command: list[str], tmp_path: Path, number: signal.Signals
) -> None:
    with background([*command, "--wait-in-plan"]) as process:
        wait_until((tmp_path / "planning").exists, process)
        process.send_signal(number)
        _, err = process.communicate()
    assert process.returncode == 130, err
    assert err.splitlines()[-1] == "interrupted"
    assert "Traceback" not in err


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc")
def test_a_terminal_that_is_closed_interrupts_its_program_as_ctrl_c_does(command: list[str], tmp_path: Path) -> None:
    ours, theirs = os.openpty()
    begin = (
        "import fcntl, os, signal, sys, termios\n"
        "signal.signal(signal.SIGHUP, signal.SIG_DFL)\n"
        "fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"
        "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
    )
    words = [sys.executable, "-c", begin, *command[1:]]
    process = subprocess.Popen(words, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
    os.close(theirs)
    try:
        while not list(tmp_path.rglob("waiting")):
            assert process.poll() is None
            time.sleep(0.02)
        os.close(ours)
        assert process.wait() == 130
    finally:
        process.kill()
    (record,) = [run.record for run in records.read_all(tmp_path / "results") if run.record.status != "ok"]
    assert record.status == "interrupted"
