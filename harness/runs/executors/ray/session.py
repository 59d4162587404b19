"""The connection to a Ray cluster, made before anything starts; a cluster of this machine ends with the command that started it."""

from __future__ import annotations

import atexit
import contextlib
import importlib
import os
import re
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness import environment
from harness.errors import HarnessError, one_line

FLAG = "--cluster"
LOCAL, PREFIX = "ray", "ray://"
SECONDS = 5  # for an address to answer
QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0", "RAY_DEDUP_LOGS": "0"}
STORE_BYTES = 2**28  # of the object store of a cluster that the command starts; its model is read in place
MODE, TOKENS = "RAY_AUTH_MODE", ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")
STARTED, FOUND = "started a Ray cluster of this machine, for this command", "connected to the Ray cluster"


def connect(address: str) -> tuple[Any, str]:
    """Return the module `ray`, connected, and in words to what; a second call returns the same.

    Args:
        address: `ray` for the cluster of this machine, else `ray://HOST:PORT`.

    Raises:
        HarnessError: Ray is not installed, the address does not answer, or versions differ.
    """
    if address != LOCAL:
        _use_token()
    ray = _module()
    if ray.is_initialized():
        return ray, FOUND
    with _own_handlers():
        try:
            text = _connect(ray, address)
            mute()
            return ray, text
        except HarnessError:
            raise
        except Exception as error:
            raise _explained(error, address) from error


def mute() -> None:
    """Keep Ray from printing the last log lines of a lost node among the tables: the runs say that it was lost."""
    with contextlib.suppress(ImportError):
        importlib.import_module("ray._private.worker")._worker_logs_enabled = False  # type: ignore[attr-defined]


def disconnect() -> None:
    """End the connection and, if this command started it, the cluster; any other cluster goes on."""
    with contextlib.suppress(Exception), _own_handlers():  # as the process ends there is nobody to tell
        importlib.import_module("ray").shutdown()


def _connect(ray: Any, address: str) -> str:
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    if address != LOCAL:
        _require_answer(address)
        ray.init(address, **quiet)
        return f"{FOUND} at {address}"
    try:
        ray.init("auto", **quiet)
    except ConnectionError:
        if os.environ.get("RAY_ADDRESS"):
            raise
        ray.init(
            "local", num_cpus=environment.cores(), include_dashboard=False, object_store_memory=STORE_BYTES, **quiet
        )
        atexit.register(disconnect)
        return STARTED
    return f"{FOUND} of this machine"


def _module() -> Any:
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    try:
        with _own_handlers():
            return importlib.import_module("ray")
    except ImportError as error:
        problem = f"the package ray, which runs on a cluster need, is not installed ({one_line(error)})"
        raise HarnessError(problem, where=FLAG, fix="pip install 'adaptbench[ray]'") from None


def _use_token() -> None:
    """Let Ray's client send the token that is here, if any, as Ray does by itself on a machine of the cluster."""
    token = Path.home() / ".ray" / "auth_token"
    if MODE not in os.environ and (any(os.environ.get(name) for name in TOKENS) or token.is_file()):
        os.environ[MODE] = "token"


def _require_answer(address: str) -> None:
    """Raise an error unless something listens at `ray://HOST:PORT`; Ray itself would wait for minutes."""
    host, _, port = address.removeprefix(PREFIX).rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=SECONDS).close()
    except (OSError, OverflowError) as error:
        problem = f"no Ray cluster answers at {address}: {one_line(error)}"
        fix = "start it with `ray start --head --ray-client-server-port 10001`, or correct the address"
        raise HarnessError(problem, where=FLAG, fix=fix) from None


def _explained(error: Exception, address: str) -> HarnessError:
    text = " ".join(str(error).split())
    if re.search(r"[Vv]ersion", text):
        problem = f"the versions of Ray or Python here and on the cluster differ: {one_line(error)}"
        return HarnessError(problem, where=f"{FLAG} {address}", fix="install the cluster's versions here")
    problem = f"no connection to the Ray cluster: {one_line(error)}"
    fix = "look at `ray status` on the cluster's head"
    if address != LOCAL:
        fix += (
            f"; if the cluster has a token, which `ray get-auth-token` prints there, set {MODE}=token and {TOKENS[0]}"
        )
    return HarnessError(problem, where=f"{FLAG} {address}", fix=fix)


@contextlib.contextmanager
def _own_handlers() -> Iterator[None]:
    """Return a context after which this program's signal handlers are set again: Ray sets one for SIGTERM."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in numbers}
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):  # in a thread Ray sets none either
            for number, handler in before.items():
                signal.signal(number, signal.SIG_DFL if handler is None else handler)
