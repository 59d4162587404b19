"""uvicorn around `http`: an early socket, time limits for slow clients, and a stop that finishes running requests."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from http import HTTPStatus
from types import FrameType
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from harness.adapters.serve.access import for_address, is_public
from harness.adapters.serve.http import MAX_BODY, MAX_SECONDS, App, error_response
from harness.adapters.serve.refusal import Refusal
from harness.errors import HarnessError

IDLE_SECONDS = 30  # for the head of a connection's first or next request
FINISH_SECONDS = 30  # for running requests to finish after a stop
LEAVE_SECONDS = 5  # for clients to read their answers after that
REFUSED_SECONDS = 1  # for a client to read why its connection was refused
MAX_CONNECTIONS = 512  # a process may usually open 1,024 files
BACKLOG = 128
SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Server:
    """The server. It listens from its creation and answers during `run`; `log` gets a line for each answer.

    Raises:
        HarnessError: the address is not available.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        names: Sequence[str] = (),
        key: str = "",
        max_body: int = MAX_BODY,
        max_connections: int = MAX_CONNECTIONS,
        max_seconds: float = MAX_SECONDS,
        log: Callable[[str], None] | None = None,
    ) -> None:
        """Listen on an address.

        Args:
            host: the address, or a name of it.
            port: the port, 0 for a free one.
            names: further names by which clients may call the server, see `access`.
            key: the key that requests need, "" for none.
            max_body: the largest size of a request's body, in bytes.
            max_connections: the most connections at a time; further ones get 503.
            max_seconds: the longest time for an answer.
            log: a function that gets a line for each answer.
        """
        self._socket = _listen(host, port)
        self._host, self.port = self._socket.getsockname()[:2]
        try:
            access = for_address(host, self._host, names, key)
        except HarnessError:
            self._socket.close()
            raise
        self.app = App(access, max_body, max_seconds, log)
        self._uvicorn = _Uvicorn(self.app, max_connections)

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *details: Any) -> None:
        self._socket.close()

    @property
    def public(self) -> bool:
        """Whether other machines can reach the server."""
        return is_public(self._host)

    @property
    def url(self) -> str:
        """The address that clients use."""
        return f"http://{f'[{self._host}]' if ':' in self._host else self._host}:{self.port}"

    def run(self) -> None:
        """Answer until `stop`, SIGINT or SIGTERM; then refuse connections, finish the running requests, and return.

        Signals work in the main thread only, also if the process started with SIGINT ignored, as a shell's background
        jobs do. A second signal ends the running answers at their next token.
        """
        asyncio.run(self._uvicorn.serve(sockets=[self._socket]))

    def stop(self) -> None:
        """End `run`, from any thread; a second call ends the running answers at their next token."""
        self._uvicorn.stop()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except (OSError, OverflowError) as error:
        problem = f"the server cannot listen on this address: {getattr(error, 'strerror', None) or error}"
        fix = "name another with --port or --host; --port 0 uses a free port"
        raise HarnessError(problem, where=f"{host}:{port}", fix=fix) from error


class _Uvicorn(uvicorn.Server):
    """uvicorn's server with another stop: running requests finish, and are cut after `FINISH_SECONDS`."""

    def __init__(self, app: App, max_connections: int) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=type("_LimitedProtocol", (_Protocol,), {"max_connections": max_connections}),
                loop="asyncio",
                ws="none",
                lifespan="off",
                interface="asgi3",
                log_config=None,
                log_level=logging.CRITICAL,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                headers=[("Server", "adaptbench")],
                backlog=BACKLOG,
                timeout_keep_alive=IDLE_SECONDS,
                timeout_graceful_shutdown=FINISH_SECONDS + LEAVE_SECONDS,
            )
        )
        self._app = app
        self._second_stop = False

    def stop(self) -> None:
        if self.should_exit:
            self._second_stop = True
        self.should_exit = True

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.stop()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:  # type: ignore[override]
        """Handle signals by `stop`; unlike in uvicorn, none is raised again at the end."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {sig: signal.signal(sig, self.handle_exit) for sig in SIGNALS}
        try:
            yield
        finally:
            for sig, handler in before.items():
                signal.signal(sig, handler)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if count := len(self.server_state.tasks):
            self._app.note(f"stopping: {count} running; a second signal ends {'it' if count == 1 else 'them'} now")
        cut = asyncio.create_task(self._cut())
        await super().shutdown(sockets)
        cut.cancel()

    async def _cut(self) -> None:
        """Close the engine after `FINISH_SECONDS` or at the second signal: running answers become errors at the next token."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FINISH_SECONDS):
                while not self._second_stop:
                    await asyncio.sleep(0.1)
        if self._app.service:
            self._app.service.engine.close()


class _Protocol(H11Protocol):
    """uvicorn's HTTP/1.1 with limits for connections and for the time of a request's head, and errors in OpenAI's form."""

    max_connections = MAX_CONNECTIONS
    _timer: asyncio.TimerHandle | None = None
    _refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) <= self.max_connections:
            self._limit_head()
            return
        self._refused = True
        self.connections.discard(self)
        message = f"the server has {self.max_connections} connections, the most that it accepts; try again later"
        self._write(Refusal(503, message, code="too_many_connections"))
        transport.write_eof()  # the request is still on its way: closing now would cut off the answer
        self._timer = self.loop.call_later(REFUSED_SECONDS, transport.close)

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        super().data_received(data)
        self._limit_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def _limit_head(self) -> None:
        """Start the timer if a request's head is due, and stop it while a request is answered."""
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop_timer()
        elif self._timer is None:
            self._timer = self.loop.call_later(IDLE_SECONDS, self.transport.close)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def send_400_response(self, msg: str) -> None:
        """Answer an invalid request with an error object; only close the connection if a response has started."""
        if self.cycle is not None and self.cycle.response_started and not self.cycle.response_complete:
            self.transport.close()
            return
        self._write(Refusal(400, msg))
        self.transport.close()

    def _write(self, refusal: Refusal) -> None:
        """Write an answer to something that is no request yet."""
        response, phrase = error_response(refusal), HTTPStatus(refusal.status).phrase.encode()
        head = [*response.raw_headers, (b"Connection", b"close")]
        lines = b"".join(b"%s: %s\r\n" % header for header in [*self.server_state.default_headers, *head])
        status = b"HTTP/1.1 %d %s\r\n" % (refusal.status, phrase)
        self.transport.write(status + lines + b"\r\n" + bytes(response.body))
        if isinstance(self.app, App):
            self.app.note(f"- - {refusal.status} {refusal.message}")
