"""Who may send requests, how many connections there may be, and how long an answer may take."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from typing import Any

import pytest

from harness.adapters.serve import access
from harness.adapters.serve.model import SharedBase
from harness.adapters.serve.refusal import Refusal
from harness.cli.app import main
from harness.cli.commands import serve
from harness.errors import HarnessError
from tests.support.http_client import EXAMPLES, PATIENCE, TASK, Bench, Client, Stream, eventually, serving

PROMPT = TASK.prompt(EXAMPLES[0])
COMPLETIONS = "/v1/completions"
KEY = "s3cret/key+of=some~length"


def status(allowed: access.Access, host: str, path: str = "/v1/models", **headers: str) -> int:
    pairs = [(b"host", host.encode()), *((name.encode(), value.encode()) for name, value in headers.items())]
    try:
        allowed.check(path, pairs)
    except Refusal as refusal:
        return refusal.status
    return 200


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:8000", "localhost.:1", "127.0.0.1:8000", "127.1.2.3", "[::1]:80", "[::1]"]
)
def test_this_machine_s_own_names_are_served(host: str) -> None:
    assert status(access.for_address("127.0.0.1", "127.0.0.1"), host) == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "localhost.evil.example", "evil.example:8000", "127.0.0.1.evil.example", "", "localhost:x", "[", "10.0.0.1", "0x7f.1", "localhost,evil", "evil.example#localhost", "a@localhost", "::1"],
)  # fmt: skip
def test_any_other_host_is_refused(host: str) -> None:
    assert status(access.for_address("127.0.0.1", "127.0.0.1"), host) == 403


def test_further_names_are_served_and_names_below_one() -> None:
    allowed = access.for_address("127.0.0.1", "127.0.0.1", ["Models.example.org", "*.lab.example"])
    hosts = ["models.example.org:80", "a.lab.example", "a.b.lab.example", "lab.example", "xlab.example", "example.org"]
    assert [status(allowed, host) for host in hosts] == [200, 200, 200, 403, 403, 403]
    assert status(access.for_address("127.0.0.1", "127.0.0.1", ["*"]), "evil.example") == 200


def test_a_server_on_every_address_is_called_by_any_address_and_by_its_machine_s_name() -> None:
    allowed = access.for_address("0.0.0.0", "0.0.0.0")
    hosts = ["10.1.2.3:8000", "[fd00::1]:8000", socket.gethostname(), "localhost", "evil.example"]
    assert [status(allowed, host) for host in hosts] == [200, 200, 200, 200, 403]


@pytest.mark.parametrize("name", ["a b", "a:80", "http://a", "", "a/b", "*a"])
def test_a_name_that_no_host_has_is_an_error(name: str) -> None:
    with pytest.raises(HarnessError, match="name of a host"):
        access.for_address("127.0.0.1", "127.0.0.1", [name])


@pytest.mark.parametrize("key", ["a b", "schlüssel", "a\nb", "\x7f"])
def test_a_key_that_no_header_carries_is_an_error(key: str) -> None:
    with pytest.raises(HarnessError, match="ASCII") as error:
        access.for_address("127.0.0.1", "127.0.0.1", key=key)
    assert key not in str(error.value)


def test_a_request_with_another_host_is_refused_in_openais_form(client: Client) -> None:
    code, found, _ = client.ask("GET", "/v1/models", sent={"Host": "evil.example"})
    assert (code, found["error"]["code"], found["error"]["type"]) == (403, "host_not_allowed", "permission_error")
    assert client.ask("GET", "/health", sent={"Host": "evil.example"})[0] == 403


def test_a_key_is_needed_for_everything_but_health(bench: Bench, base: SharedBase) -> None:
    lines: list[str] = []
    asked = {"model": "toy", "prompt": PROMPT, "max_tokens": 1}
    json_type = {"Content-Type": "application/json"}
    with serving(bench, base, log=lines.append, options={"key": KEY}) as client:
        for value in (None, "", "Bearer", "Bearer ", f"Basic {KEY}", f"Bearer {KEY}x", f"Bearer {KEY[:-1]}", KEY):
            sent = json_type | ({} if value is None else {"Authorization": value})
            for method, path, body in (("POST", COMPLETIONS, asked), ("GET", "/v1/models", None), ("GET", "/x", None)):
                code, found, headers = client.ask(method, path, body, sent)
                assert (code, headers["Www-Authenticate"]) == (401, "Bearer")
                assert found["error"]["code"] == "invalid_api_key"
                assert found["error"]["type"] == "authentication_error"
                assert KEY not in found["error"]["message"]
        for scheme in ("Bearer", "bearer"):
            assert client.ask("POST", COMPLETIONS, asked, json_type | {"Authorization": f"{scheme} {KEY}"})[0] == 200
        assert client.ask("GET", "/health")[0] == 200
    assert lines
    assert not any(KEY in line for line in lines)


def test_a_connection_above_the_limit_is_told_so_and_a_later_one_is_served(bench: Bench, base: SharedBase) -> None:
    with serving(bench, base, options={"max_connections": 2}) as client:
        held = [http.client.HTTPConnection("127.0.0.1", client.server.port) for _ in range(2)]
        for connection in held:
            connection.request("GET", "/health")
            assert connection.getresponse().read()
        code, found, headers = client.ask("POST", COMPLETIONS, {"model": "toy", "prompt": PROMPT})
        assert (code, found["error"]["code"]) == (503, "too_many_connections")
        assert int(headers["Retry-After"]) > 0
        held[0].close()
        eventually(lambda: client.ask("GET", "/health")[0] == 200)
        held[1].request("GET", "/health")
        assert json.loads(held[1].getresponse().read())["status"] == "ok"
        held[1].close()


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_that_takes_too_long_is_given_up_and_its_place_is_free(
    bench: Bench, base: SharedBase, stream: bool
) -> None:
    go = threading.Event()

    def load(key: str) -> Any:
        assert go.wait(PATIENCE)
        return {}

    asked = {"model": "toy-lora-r4-s0", "prompt": PROMPT, "max_tokens": 60, "stream": stream}
    with serving(bench, base, load=load, max_batch=1, options={"max_seconds": 0.2}) as client:
        code, found, _ = client.ask("POST", COMPLETIONS, asked)
        assert (code, found["error"]["code"]) == (504, "timeout")
        go.set()
        eventually(lambda: client.engine.state().running == client.engine.state().waiting == 0)
        assert client.engine.state().answered <= 1


def test_a_stream_that_takes_too_long_ends_with_the_error(
    bench: Bench, base: SharedBase, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.support.http_client import Gate

    gate = Gate(base, monkeypatch)
    with serving(bench, base, options={"max_seconds": 1.0}) as client:
        stream = Stream(client, max_tokens=60)
        parts = list(stream)
        assert parts[-1]["error"]["code"] == "timeout"
        assert not stream.done
        gate.open.set()
        eventually(lambda: client.engine.state().running == 0)
        assert gate.tokens < 60


# --- the command


@pytest.fixture
def options(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Return what the command would serve with, instead of loading a model."""
    servers: list[Any] = []
    monkeypatch.setattr(serve, "_serve", lambda server, *rest: servers.append(server))
    monkeypatch.delenv(access.KEY_VARIABLE, raising=False)
    return servers


def command(bench: Bench, *words: str) -> int:
    return main(["serve", "--model", str(bench.model), "--results", str(bench.results), "--port", "0", *words])


def test_the_key_is_that_of_the_flag_or_of_the_environment(
    bench: Bench, options: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert command(bench) == 0
    monkeypatch.setenv(access.KEY_VARIABLE, "fromoutside")
    assert command(bench) == 0
    assert command(bench, "--api-key", "typed", "--allowed-host", "a.example", "--allowed-host", "b.example") == 0
    assert [server.app.access.key for server in options] == ["", "fromoutside", "typed"]
    assert options[-1].app.access.names >= {"a.example", "b.example", "localhost"}


def test_an_empty_key_of_the_environment_does_not_open_the_server(
    bench: Bench, options: list[Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(access.KEY_VARIABLE, "")
    assert command(bench) == 2
    assert "is set and empty" in capsys.readouterr().err
    assert not options


@pytest.mark.parametrize(
    ("words", "part"),
    [
        ([], ""),
        (["--host", "::1"], ""),
        (["--host", "0.0.0.0"], "whoever reaches this machine can use the server"),
        (["--host", "::"], "whoever reaches this machine can use the server"),
        (["--host", "0.0.0.0", "--api-key", "typed"], "encrypted"),
    ],
)
def test_a_public_address_is_warned_of(
    bench: Bench, options: list[Any], words: list[str], part: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(bench, *words) == 0
    err = " ".join(capsys.readouterr().err.split())
    assert part in err
    assert ("warning" in err) == bool(part)
    assert "typed" not in err
