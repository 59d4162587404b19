"""Servers for the client of `--endpoint`: one whose replies a test writes, and a proxy that spoils some of another's."""

from __future__ import annotations

import http.client
import itertools
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PATIENCE = 120  # seconds after which a slow reply ends all the same


@dataclass(frozen=True)
class Response:
    """A reply; `cut` sends a part of it and closes the connection, `slow` sends a part and nothing more.

    `chunked` sends it as a stream, which a cut ends without its last chunk.
    """

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False
    slow: bool = False
    chunked: bool = False


@dataclass
class Seen:
    """The requests that a server received: path, body and headers."""

    requests: list[tuple[str, Any, dict[str, str]]] = field(default_factory=list)

    @property
    def posts(self) -> list[Any]:
        """The bodies of all POSTs."""
        return [body for _, body, _ in self.requests if body is not None]


Respond = Callable[[str, Any], Response]


def reply(content: Any, status: int = 200, **headers: str) -> Response:
    """Return a reply of JSON."""
    return Response(status, json.dumps(content).encode(), {n.replace("_", "-"): v for n, v in headers.items()})


def chat(text: str, model: str = "m", reason: str | None = "stop") -> Response:
    """Return a chat's answer."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": reason}
    return reply({"model": model, "choices": [choice], "usage": {"prompt_tokens": 10, "completion_tokens": 2}})


def refusal(status: int, message: str, **headers: str) -> Response:
    """Return an error in OpenAI's form."""
    return reply({"error": {"message": message}}, status, **headers)


@contextmanager
def serving(respond: Respond) -> Iterator[tuple[str, Seen]]:
    """Serve on a free port; yield the address with `/v1` and what is received."""
    seen, release = Seen(), threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            pass

        def do_GET(self) -> None:
            self._answer(None)

        def do_POST(self) -> None:
            self._answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

        def _answer(self, body: Any) -> None:
            seen.requests.append((self.path, body, dict(self.headers.items())))
            response = respond(self.path, body)
            self.send_response(response.status)
            headers = {"Content-Type": "application/json", "Content-Length": str(len(response.body))}
            if response.chunked:
                headers = {"Content-Type": "application/json", "Transfer-Encoding": "chunked"}
            for name, value in (headers | dict(response.headers)).items():
                self.send_header(name, value)
            self.end_headers()
            spoilt = response.cut or response.slow
            part = response.body[: len(response.body) // 2] if spoilt else response.body
            self.wfile.write(b"%x\r\n%b\r\n" % (len(part), part) if response.chunked else part)
            if response.slow:
                self.wfile.flush()
                release.wait(PATIENCE)
            self.close_connection = self.close_connection or spoilt

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1", seen
    finally:
        release.set()
        server.shutdown()
        thread.join()
        server.server_close()


def spoil(kind: str, sound: Response) -> Response:
    """Return a sound reply with a fault of this kind."""
    spoilt = {
        "429": refusal(429, "Rate limit reached; error text A", Retry_After="0.05"),
        "500": refusal(500, "error text B"),
        "502 page": Response(502, b"<html>error text C</html>", {"Content-Type": "text/html"}),
        "cut": Response(200, sound.body, sound.headers, cut=True),
        "cut stream": Response(200, sound.body, sound.headers, cut=True, chunked=True),
        "empty": Response(200, b""),
        "not json": Response(200, sound.body[:-7]),
        "error with 200": reply({"error": {"message": "error text D", "code": 502}}),
        "page with 200": Response(200, b"<html>error text E</html>", {"Content-Type": "text/html"}),
        "no choices": reply({"model": "x", "choices": []}),
        "no end": Response(200, sound.body.replace(b'"length"', b"null").replace(b'"stop"', b"null")),
        "slow": Response(200, sound.body, sound.headers, slow=True),
    }
    return spoilt[kind]


FAULTS = (
    "429",
    "500",
    "502 page",
    "cut",
    "cut stream",
    "empty",
    "not json",
    "error with 200",
    "page with 200",
    "no choices",
    "no end",
    "slow",
)


@contextmanager
def faulty_proxy(
    port: int, every: int, kinds: tuple[str, ...] = FAULTS, *, key: str = ""
) -> Iterator[tuple[str, Seen, list[str]]]:
    """Pass requests on to a server on this port; every so many POSTs one is answered by a fault, each kind in turn.

    Yields the address, what is received, and the faults that were sent. `key` is sent to the server.
    """
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
    count, turn, sent, lock = itertools.count(1), itertools.cycle(kinds), list[str](), threading.Lock()

    def respond(path: str, body: Any) -> Response:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        try:
            content = None if body is None else json.dumps(body).encode()
            connection.request("POST" if content else "GET", path, content, headers)
            answer = connection.getresponse()
            sound = Response(answer.status, answer.read())
        finally:
            connection.close()
        with lock:
            kind = next(turn) if body is not None and next(count) % every == 0 else ""
            sent.extend([kind] * bool(kind))
        return spoil(kind, sound) if kind else sound

    with serving(respond) as (address, seen):
        yield address, seen, sent
