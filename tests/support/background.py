"""Programs in the background, as a non-interactive shell starts them with `&`: SIGINT is ignored from the beginning."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
IGNORING = ("sh", "-c", 'trap "" INT; exec "$@"', "sh")
NO_CHANGES: Mapping[str, str] = {}


@contextmanager
def background(
    words: Sequence[str], *, cwd: Path = ROOT, environment: Mapping[str, str] = NO_CHANGES
) -> Iterator[subprocess.Popen[str]]:
    """Start a program that ignores SIGINT until it says otherwise; it is killed at the end if it still runs."""
    process = subprocess.Popen(
        [*IGNORING, *words],
        cwd=cwd,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()  # does nothing to a process that has ended


def wait_until(condition: Callable[[], object], process: subprocess.Popen[str]) -> None:
    """Return once the condition holds; fail if the process ends before. How long that takes is pytest's time limit."""
    while not condition():
        if process.poll() is not None:
            raise AssertionError(f"ended with {process.returncode} before its time: {process.communicate()}")
        time.sleep(0.02)
