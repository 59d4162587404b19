"""Clients that are slow, bodies of all sizes, and the end of a server: requests in hand are finished."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from harness.adapters.serve import http as service_http
from harness.adapters.serve import server
from harness.adapters.serve.access import Access
from harness.adapters.serve.http import App
from harness.adapters.serve.model import SharedBase
from tests.support.http_client import EXAMPLES, JSON, TASK, Bench, Client, Gate, eventually, serving

PROMPT = TASK.prompt(EXAMPLES[0])
COMPLETIONS = "/v1/completions"
ADAPTER = "toy-lora-r4-s0"


def raw(client: Client, *pieces: bytes) -> bytes:
    """Send bytes as they are and return all that comes back until the server closes the connection."""
    with socket.create_connection(("127.0.0.1", client.server.port)) as connection:
        for piece in pieces:
            connection.sendall(piece)
        return b"".join(iter(lambda: connection.recv(4096), b""))


def head(length: str) -> bytes:
    return (
        f"POST {COMPLETIONS} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{length}\r\n\r\n".encode()
    )


def error_of(answer: bytes, status: int) -> str:
    assert answer.startswith(b"HTTP/1.1 %d " % status), answer
    return str(json.loads(answer[answer.index(b"{") :])["error"]["message"])


def test_a_body_in_chunks_is_read_up_to_the_limit(client: Client) -> None:
    body = json.dumps({"model": "toy", "prompt": PROMPT, "max_tokens": 2}).encode()
    connection = http.client.HTTPConnection("127.0.0.1", client.server.port)
    connection.request("POST", COMPLETIONS, iter([body[:9], body[9:]]), JSON, encode_chunked=True)
    assert json.loads(connection.getresponse().read())["usage"]["completion_tokens"] == 2
    connection.request("POST", COMPLETIONS, iter([b" " * 5_000] * 3), JSON, encode_chunked=True)
    response = connection.getresponse()
    assert response.status == 413
    assert "15,000 bytes" in json.loads(response.read())["error"]["message"]
    connection.close()


def test_a_body_far_above_the_limit_is_not_read_to_its_end(
    bench: Bench, base: SharedBase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_http, "MAX_READ", 50_000)
    with serving(bench, base) as client:
        answer = raw(client, head("Content-Length: 1000000000"), b" " * 50_001)
    assert "1,000,000,000 bytes" in error_of(answer, 413)


def test_chunks_that_are_none_are_refused(client: Client) -> None:
    error_of(raw(client, head("Transfer-Encoding: chunked"), b"nonsense\r\n"), 400)


def test_a_body_that_does_not_come_is_not_waited_for(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service_http, "BODY_SECONDS", 0.2)
    assert "did not arrive" in error_of(raw(client, head("Content-Length: 100"), b"{"), 408)


@pytest.mark.parametrize("begin", [b"", b"GET /health HTTP/1.1\r\nHo"])
def test_a_request_that_does_not_come_ends_its_connection_and_no_other(
    client: Client, begin: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "IDLE_SECONDS", 1.0)
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(raw, client, begin)
        assert client.ask("GET", "/health")[0] == 200
        assert slow.result() == b""


def test_a_second_request_that_does_not_come_ends_its_connection_too(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", client.server.port)
    connection.request("GET", "/health")
    assert connection.getresponse().read()
    monkeypatch.setattr(server, "IDLE_SECONDS", 1.0)
    connection.sock.sendall(b"GET /hea")
    assert connection.sock.recv(9) == b""


def test_a_client_that_takes_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service_http, "SEND_SECONDS", 0.05)
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/health",
        "headers": [(b"host", b"x")],
        "query_string": b"",
        "state": {},
    }

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        asyncio.run(App(Access(frozenset({"*"})))(scope, receive, send))


# --- the end


def test_before_the_model_is_there_requests_are_answered_with_the_time_to_wait() -> None:
    with server.Server("127.0.0.1", 0) as empty, ThreadPoolExecutor(1) as pool:
        end = pool.submit(empty.run)
        status, found, headers = Client(empty, None).ask("GET", "/health")  # type: ignore[arg-type]
        empty.stop()
        end.result()
    assert (status, found["error"]["code"], headers["Retry-After"]) == (503, "loading", "1")


def in_hand(client: Client, gate: Gate, pool: ThreadPoolExecutor) -> Future[Any]:
    """Ask, and return once the answer is being written."""
    asked = {"model": ADAPTER, "prompt": PROMPT, "max_tokens": 8, "stop": "\n"}
    future = pool.submit(client.ask, "POST", COMPLETIONS, asked)
    assert gate.reached.wait()
    return future


def is_refused(client: Client) -> bool:
    try:
        socket.create_connection(("127.0.0.1", client.server.port)).close()
    except ConnectionError:
        return True
    return False


def test_stopping_finishes_the_request_in_hand_and_refuses_new_ones(
    bench: Bench, base: SharedBase, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(base, monkeypatch)
    with serving(bench, base) as client, ThreadPoolExecutor(1) as pool:
        future = in_hand(client, gate, pool)
        client.server.stop()
        eventually(lambda: is_refused(client))
        gate.open.set()
        status, found, _ = future.result()
    assert (status, found["choices"][0]["finish_reason"]) == (200, "length")


def test_requests_that_wait_are_finished_as_well(
    bench: Bench, base: SharedBase, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(base, monkeypatch)
    with serving(bench, base, max_batch=1) as client, ThreadPoolExecutor(3) as pool:
        first = in_hand(client, gate, pool)
        asked = {"model": "toy", "prompt": PROMPT, "max_tokens": 2}
        others = [pool.submit(client.ask, "POST", COMPLETIONS, asked) for _ in range(2)]
        eventually(lambda: client.engine.state().waiting == 2)
        client.server.stop()
        eventually(lambda: is_refused(client))
        gate.open.set()
        assert [future.result()[0] for future in (first, *others)] == [200, 200, 200]


@pytest.mark.parametrize("seconds", [None, 0.1])
def test_a_request_in_hand_is_cut_at_the_second_stop_or_after_a_while(
    bench: Bench, base: SharedBase, monkeypatch: pytest.MonkeyPatch, seconds: float | None
) -> None:
    gate = Gate(base, monkeypatch)
    if seconds:
        monkeypatch.setattr(server, "FINISH_SECONDS", seconds)
    with serving(bench, base) as client, ThreadPoolExecutor(1) as pool:
        future = in_hand(client, gate, pool)
        for _ in range(1 if seconds else 2):
            client.server.stop()
        eventually(lambda: client.engine.closed)
        gate.open.set()
        status, found, _ = future.result()
    assert (status, found["error"]["code"]) == (503, "shutting_down")
