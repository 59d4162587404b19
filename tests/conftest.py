"""What holds for all tests: threads that do not get into each other's way, processes forked without torch."""

from __future__ import annotations

import os
from multiprocessing import forkserver
from pathlib import Path

import pytest

from harness import environment, processes
from harness.runs import local

HERE = Path(__file__).resolve().parent

# Before torch is imported: more threads than cores, each spinning until the others are done, take three times the time.
if workers := os.environ.get("PYTEST_XDIST_WORKER_COUNT"):
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, environment.cores() // int(workers))))
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


@pytest.fixture(autouse=True, scope="session")
def no_torch_beforehand() -> None:
    """Start the fork server with the desk in place of torch, which most processes of the tests do not need."""
    local.PRELOAD = ["tests.support.cli_runner", "hypothesis"]
    local.context()
    with processes.environment_of(PYTHONPATH=str(HERE.parent)):
        forkserver.ensure_running()
