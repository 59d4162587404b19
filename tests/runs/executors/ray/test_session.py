"""Whatever prevents a connection is said before anything starts."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.cli import parse
from harness.errors import HarnessError
from harness.runs.executors.ray import session


@pytest.fixture
def port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def fake(monkeypatch: pytest.MonkeyPatch, init: Any) -> None:
    module = SimpleNamespace(is_initialized=lambda: False, init=init, shutdown=lambda: None)
    monkeypatch.setitem(sys.modules, "ray", module)


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(HarnessError, match="not installed") as caught:
        session.connect("ray")
    assert "adaptbench[ray]" in caught.value.fix


def test_an_address_that_nobody_answers_is_refused_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    fake(monkeypatch, lambda *_, **__: pytest.fail("Ray was asked to connect"))
    with socket.create_server(("127.0.0.1", 0)) as server:
        free = server.getsockname()[1]
    with pytest.raises(HarnessError, match=f"no Ray cluster answers at ray://127.0.0.1:{free}"):
        session.connect(f"ray://127.0.0.1:{free}")


@pytest.mark.parametrize(
    ("variables", "has_file", "mode"),
    [
        ({}, False, None),
        ({}, True, "token"),
        ({"RAY_AUTH_TOKEN": "abc"}, False, "token"),
        ({"RAY_AUTH_MODE": "disabled", "RAY_AUTH_TOKEN": "abc"}, True, "disabled"),
    ],
)
def test_the_token_that_is_here_is_sent_to_a_remote_cluster(
    variables: dict[str, str],
    has_file: bool,
    mode: str | None,
    port: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in (session.MODE, *session.TOKENS):
        monkeypatch.setenv(name, "")  # so that it is as before afterwards
        monkeypatch.delenv(name)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HOME", str(tmp_path))
    if has_file:
        (tmp_path / ".ray").mkdir()
        (tmp_path / ".ray" / "auth_token").write_text("abc")
    fake(monkeypatch, lambda *_, **__: None)
    session.connect(f"ray://127.0.0.1:{port}")
    assert os.environ.get(session.MODE) == mode


def test_ray_prints_no_log_of_a_lost_node_among_the_tables(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    worker = SimpleNamespace(_worker_logs_enabled=True)
    monkeypatch.setitem(sys.modules, "ray._private.worker", worker)
    monkeypatch.setenv(session.MODE, "disabled")
    fake(monkeypatch, lambda *_, **__: None)
    session.connect(f"ray://127.0.0.1:{port}")
    assert worker._worker_logs_enabled is False


def test_a_connection_that_times_out_may_lack_the_token(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    def init(*_: object, **__: object) -> None:
        raise ConnectionError("ray client connection timeout")

    monkeypatch.setenv(session.MODE, "disabled")
    fake(monkeypatch, init)
    with pytest.raises(HarnessError, match="ray client connection timeout") as caught:
        session.connect(f"ray://127.0.0.1:{port}")
    assert "RAY_AUTH_MODE=token and RAY_AUTH_TOKEN" in caught.value.fix


def test_other_versions_are_said(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    def init(*_: object, **__: object) -> None:
        raise RuntimeError("Version mismatch: The cluster was started with:\n Ray: 2.40.0\n Python: 3.12.1")

    fake(monkeypatch, init)
    with pytest.raises(HarnessError, match="versions of Ray or Python here and on the cluster differ"):
        session.connect(f"ray://127.0.0.1:{port}")


def test_a_cluster_of_this_machine_is_used_and_otherwise_started(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []

    def init(address: str, **_: object) -> None:
        calls.append(address)
        if address == "auto":
            raise ConnectionError("Could not find any running Ray instance")

    fake(monkeypatch, init)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    assert session.connect("ray")[1] == session.STARTED
    assert calls == ["auto", "local"]
    fake(monkeypatch, lambda address, **_: None)
    assert session.connect("ray")[1] == "connected to the Ray cluster of this machine"


def test_the_signal_handlers_of_the_program_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    fake(monkeypatch, lambda *_, **__: signal.signal(signal.SIGTERM, signal.SIG_IGN))
    before = signal.getsignal(signal.SIGTERM)
    session.connect("ray")
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.mark.parametrize("value", ["ray", "ray://head:10001", "ray://10.0.0.1:10001", "ray://[::1]:10001"])
def test_addresses_are_read(value: str) -> None:
    assert parse.cluster(value, "--cluster", "ray") == value


@pytest.mark.parametrize("value", ["dask", "ray:", "ray://head", "head:6379", "ray://head:port"])
def test_anything_else_is_refused(value: str) -> None:
    with pytest.raises(HarnessError, match="neither ray nor the address"):
        parse.cluster(value, "--cluster", "ray")
