"""What holds for all tests: a time limit, no luck, threads that do not get in each other's way, forks without torch."""

from __future__ import annotations

import gc
import os
import random
import sys
from multiprocessing import forkserver
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.internal.conjecture import providers
from hypothesis.internal.constants_ast import Constants

from harness import environment, processes
from harness.cli.terminal import silence
from harness.runs import local
from tests.support.snapshot import Snapshots

HERE = Path(__file__).resolve().parent
MANY_MODULES = 100  # imports after which what they left is exempted from garbage collection
SLOW_LIMIT = 1800  # seconds for a test marked slow; `timeout` in pyproject.toml is the limit of all others

FROZEN = pytest.StashKey[int]()  # the number of modules whose objects are exempt

# The same cases in every run, however long one takes. `--hypothesis-profile search` looks for new ones.
_ANY_MACHINE = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("search", _ANY_MACHINE, print_blob=True)
settings.register_profile("same", _ANY_MACHINE, derandomize=True)
settings.load_profile("same")

# Before torch is imported: more threads than cores, each spinning until the others are done, take three times the time.
if workers := os.environ.get("PYTEST_XDIST_WORKER_COUNT"):
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, environment.cores() // int(workers))))
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the flag that stores the texts of all surfaces anew."""
    parser.addoption("--update-snapshots", action="store_true", help="write tests/snapshots/*.txt instead of comparing")


def pytest_sessionstart(session: pytest.Session) -> None:
    """Draw the same cases whichever modules are loaded: Hypothesis adds their constants, which differ from run to run."""
    if settings.get_current_profile_name() == "same":
        providers._get_local_constants = Constants
    # A command that takes long on a busy machine prints no line on it, so that its output is the same everywhere.
    silence.broken.__wrapped__.__kwdefaults__["seconds"] = 3600.0  # type: ignore[attr-defined]


@pytest.fixture
def snapshots(request: pytest.FixtureRequest) -> Snapshots:
    """Return what compares a surface's text with its stored one."""
    return Snapshots(bool(request.config.getoption("--update-snapshots")))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give tests that are marked slow more time."""
    for item in items:
        if item.get_closest_marker("slow") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(SLOW_LIMIT))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Exempt all that imports and collection left from garbage collection.

    A million objects of libraries and tests live as long as the process. The program collects after each phase of a run,
    and a library after each call: that took most of the time of such tests, and more the more modules were loaded.
    """
    loaded = len(sys.modules)
    if loaded > item.session.stash.get(FROZEN, 0) + MANY_MODULES:
        gc.collect()
        gc.freeze()
        item.session.stash[FROZEN] = loaded


@pytest.fixture(autouse=True)
def same_luck() -> None:
    """Start every test at the same random numbers, whichever tests ran before it in this process."""
    random.seed(0)
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed(0)
    if torch := sys.modules.get("torch"):
        torch.manual_seed(0)


@pytest.fixture(autouse=True, scope="session")
def no_torch_beforehand() -> None:
    """Start the fork server with the desk in place of torch, which most processes of the tests do not need."""
    local.PRELOAD = ["tests.support.preload"]
    local.context()
    with processes.environment_of(PYTHONPATH=str(HERE.parent)):
        forkserver.ensure_running()
