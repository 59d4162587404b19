"""What holds for all tests: processes are forked from a server that has imported what most of them need, but no torch."""

from __future__ import annotations

import os
from multiprocessing import forkserver
from pathlib import Path

import pytest

from harness import local

HERE = Path(__file__).resolve().parent


@pytest.fixture(autouse=True, scope="session")
def no_torch_beforehand() -> None:
    """Start the fork server with the desk in place of torch, which most processes of the tests do not need."""
    local.PRELOAD = ["desk", "hypothesis"]
    local.context()
    with local.environment_of(PYTHONPATH=os.pathsep.join((str(HERE.parent), str(HERE)))):
        forkserver.ensure_running()
