"""HTTP on top of `answering`: paths, sizes, statuses and OpenAI's error shape, by the standard library's server.

A thread for each connection reads and waits; the model has one thread of its own (see `engine`). Only JSON is taken, so
that a page of another site, open in a browser on this machine, cannot ask: a browser asks first, and is not allowed to.
"""

from __future__ import annotations

import http
import json
import socket
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

from harness.adapters.serve import protocol
from harness.adapters.serve.protocol import Refusal
from harness.adapters.serve.service import Service
from harness.errors import HarnessError
from harness.format import printable, short

MAX_BODY = 4 * 2**20  # bytes: far above the text of any window
DRAINED = 16 * 2**20  # bytes of a body that is refused which are read, so that the refusal is
IDLE_SECONDS = 30
RETRY_SECONDS = 1
COMPLETIONS, CHAT = "/v1/completions", "/v1/chat/completions"
GETS, POSTS = ("/health", "/v1/models"), (COMPLETIONS, CHAT)


class Server(ThreadingHTTPServer):
    """The server; it listens from the start and answers from `serve_forever` on. `log` is given a line for each answer.

    Raises:
        HarnessError: the address cannot be had.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self, host: str, port: int, *, max_body: int = MAX_BODY, log: Callable[[str], None] | None = None
    ) -> None:
        self.max_body, self.log = max_body, log
        self.service: Service | None = None
        self._answering = 0
        self._settled = threading.Condition()
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            super().__init__((host, port), _Handler)
        except (OSError, OverflowError) as error:
            problem = f"the server cannot listen there: {getattr(error, 'strerror', None) or error}"
            fix = "name another with --port or --host; --port 0 takes a free one"
            raise HarnessError(problem, where=f"{host}:{port}", fix=fix) from error

    @property
    def url(self) -> str:
        """Where it listens."""
        host, port = self.server_address[:2]
        name = host if isinstance(host, str) else host.decode()
        return f"http://{f'[{name}]' if ':' in name else name}:{port}"

    def count(self, change: int) -> None:
        """Count a request that begins (1) or ends (-1)."""
        with self._settled:
            self._answering += change
            self._settled.notify_all()

    def settle(self, seconds: float) -> None:
        """Wait until no request is being answered, at most so long."""
        with self._settled:
            self._settled.wait_for(lambda: not self._answering, seconds)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a client that went away is no error, and the others are answered with 500."""


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "adaptbench", ""
    timeout = IDLE_SECONDS

    def do_GET(self) -> None:
        self._serve(self._get)

    def do_POST(self) -> None:
        self._serve(self._post)

    def _serve(self, call: Callable[[str], dict[str, Any]]) -> None:
        self.server.count(1)
        self.began = time.perf_counter()
        try:
            try:
                self._send(200, call(unquote(urlsplit(self.path).path)))
            except Refusal as refusal:
                self._send(refusal.status, refusal.body())
            except (ConnectionError, TimeoutError):
                raise
            except Exception as error:
                self._send(500, Refusal(500, f"the server failed: {type(error).__name__}").body())
        finally:
            self.server.count(-1)

    @property
    def _service(self) -> Service:
        if self.server.service is None:
            raise Refusal(503, "the model is being loaded", code="loading")
        return self.server.service

    def _get(self, path: str) -> dict[str, Any]:
        if path == "/health":
            return self._service.health()
        if path == "/v1/models":
            return self._service.models()
        if path.startswith("/v1/models/"):
            return self._service.model(path.removeprefix("/v1/models/"))
        raise self._no_path(path)

    def _post(self, path: str) -> dict[str, Any]:
        body = self._body()
        if path not in POSTS:
            raise self._no_path(path)
        kind = self.headers.get_content_type() if "Content-Type" in self.headers else ""
        if kind != "application/json":
            raise Refusal(415, "the body is taken as JSON only: send Content-Type: application/json")
        return self._service.answer(protocol.read(body, chat=path == CHAT))

    def _body(self) -> bytes:
        told = self.headers.get("Content-Length", "")
        if "Transfer-Encoding" in self.headers or not (told.isascii() and told.isdigit()):
            self.close_connection = True
            raise Refusal(411, "the body's length is not told: send Content-Length, not chunks")
        length = int(told)
        if length > self.server.max_body:
            self.close_connection = True
            left = min(length, DRAINED)
            while left > 0 and (read := self.rfile.read(min(left, 2**16))):
                left -= len(read)
            raise Refusal(413, f"the body has {length:,} bytes, {self.server.max_body:,} are taken")
        return self.rfile.read(length)

    def _no_path(self, path: str) -> Refusal:
        if path in (*GETS, *POSTS):
            return Refusal(405, f"{path} is asked with {'GET' if path in GETS else 'POST'}")
        return Refusal(404, f"there is nothing at {short(path)}; there are {', '.join((*GETS, *POSTS))}")

    def _send(self, status: int, found: dict[str, Any]) -> None:
        body = json.dumps(found, ensure_ascii=False).encode("utf-8", "replace")
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if status == 503:
            self.send_header("Retry-After", str(RETRY_SECONDS))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        if self.server.log:
            said = found.get("model") or found.get("error", {}).get("message", "")
            seconds = time.perf_counter() - self.began
            line = f"{self.command} {short(self.path)} {status} {short(str(said), 120)} {seconds:.2f} s"
            self.server.log(printable(" ".join(line.split())))

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer what is no proper request in the shape of all errors."""
        self.began, self.close_connection = time.perf_counter(), True
        self.command, self.path = getattr(self, "command", None) or "-", getattr(self, "path", None) or "-"
        self._send(code, Refusal(code, message or http.HTTPStatus(code).phrase).body())

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing here: `_send` tells more."""
