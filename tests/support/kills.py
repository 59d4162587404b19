"""The program ended from outside at a random moment, and the processes that it leaves behind."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from harness.store import records
from tests.support.background import ROOT

MARK = "ADAPTBENCH_KILL_TEST"  # a variable that every process of one start inherits
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGHUP)
# A terminal's or a person's start: nothing is ignored, whatever this process ignores.
FRESH = (
    "import os, signal, sys\n"
    "for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP): signal.signal(number, signal.SIG_DFL)\n"
    "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
)


@dataclass(frozen=True)
class Kill:
    """A command that got a signal at a moment of a phase, and the processes left afterwards.

    Attributes:
        command: its name in the table of the caller.
        signal: its name.
        phase: "planning" or "running".
        seconds: from the start of the phase to the signal.
        early: whether the command had ended before.
        left: the command lines of the processes that were left.
        waited: the seconds until none was left, or until the caller's patience ended.
    """

    command: str
    signal: str
    phase: str
    seconds: float
    early: bool
    left: tuple[str, ...]
    waited: float


def living(mark: str) -> dict[int, str]:
    """Return the processes with the mark that are alive, with their command lines."""
    alive = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if f"{MARK}={mark}\0".encode() in (folder / "environ").read_bytes():
                line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace").strip()
                alive[int(folder.name)] = line
        except OSError:  # another user's, or gone; the environment of a zombie is empty
            continue
    return alive


@contextmanager
def marked(words: Sequence[str], output: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """Start a Python program in a session of its own; whatever it leaves is killed at the end."""
    mark = uuid4().hex
    with output.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", FRESH, *words],
            cwd=ROOT,
            env=os.environ | {MARK: mark},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield process, mark
    finally:
        for pid in living(mark):
            os.kill(pid, signal.SIGKILL)
        process.wait()


def wait_for_none(process: subprocess.Popen[bytes], mark: str, seconds: float) -> tuple[tuple[str, ...], float]:
    """Return the command lines of the processes left after so many seconds, and the seconds until there were none."""
    start = time.monotonic()
    while True:
        process.poll()
        left, waited = living(mark), time.monotonic() - start
        if not left or waited > seconds:
            return tuple(left.values()), waited
        time.sleep(0.05)


def is_running(results: Path) -> bool:
    """Return whether a run has started below the results folder."""
    return any(results.rglob(records.LOG))


def kill_once(
    name: str, words: Sequence[str], number: signal.Signals, chance: random.Random, most: float, patience: float
) -> Kill:
    """Start a command, end it at a random moment within `most` seconds of its phase, and count what is left.

    The phase is "running" if the words have {results}: it then starts with the first run. It is planning otherwise, from the
    start of the process on.
    """
    with tempfile.TemporaryDirectory() as place:
        results = Path(place) / "results"
        running = any("{results}" in word for word in words)
        filled = [word.replace("{results}", str(results)) for word in words]
        with marked(filled, Path(place) / "output.txt") as (process, mark):
            while running and not is_running(results) and process.poll() is None:
                time.sleep(0.02)
            seconds = chance.uniform(0, most)
            start = time.monotonic()
            while time.monotonic() - start < seconds and process.poll() is None:
                time.sleep(0.01)
            early = process.poll() is not None
            if not early:
                process.send_signal(number)
            left, waited = wait_for_none(process, mark, patience)
    phase = "running" if running else "planning"
    return Kill(name, number.name, phase, round(seconds, 2), early, left, round(waited, 2))
