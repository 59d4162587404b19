"""HTTP on top of `service`, by Starlette: paths, sizes, statuses, streams and OpenAI's error objects.

A body must be JSON. So a page of another site, open in a browser on this machine, cannot send requests: the browser asks
for permission first, and gets none. `server` runs the application on uvicorn.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, TypeVar

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from harness.adapters.serve import request as requests
from harness.adapters.serve.access import Access
from harness.adapters.serve.refusal import Refusal
from harness.adapters.serve.service import PendingAnswer, Service
from harness.adapters.serve.stream import Feed, chunks
from harness.format import printable, short

MAX_BODY = 4 * 2**20  # bytes; the text of any window is much shorter
MAX_READ = 16 * 2**20  # bytes; a longer body is read up to here, so that its sender reads the refusal
BODY_SECONDS = 60  # for a complete body
MAX_SECONDS = 600  # for an answer
SEND_SECONDS = 30  # for a client to accept a part of the answer
RETRY_SECONDS = 1
CLIENT_CLOSED = 499  # in the log only, as in nginx
COMPLETIONS, CHAT = "/v1/completions", "/v1/chat/completions"
METRICS = "/metrics"
GETS, POSTS = ("/health", METRICS, "/v1/models"), (COMPLETIONS, CHAT)

T = TypeVar("T")


class App:
    """The ASGI application; without a `service` it answers that the model is loading.

    Args:
        access: who may send requests.
        max_body: the largest size of a request's body, in bytes.
        max_seconds: the longest time for an answer.
        log: a function that gets a line for each answer.
    """

    def __init__(
        self,
        access: Access,
        max_body: int = MAX_BODY,
        max_seconds: float = MAX_SECONDS,
        log: Callable[[str], None] | None = None,
    ) -> None:
        self.access, self.max_body, self.max_seconds, self.log = access, max_body, max_seconds, log
        self.service: Service | None = None
        routes = [
            Route("/health", self._health),
            Route(METRICS, self._metrics),
            Route("/v1/models", self._models),
            Route("/v1/models/{name:path}", self._model),
            Route(COMPLETIONS, self._completions, methods=["POST"]),
            Route(CHAT, self._chat, methods=["POST"]),
        ]
        handlers: Any = {Refusal: _on_refusal, HTTPException: _on_http_error, Exception: _on_failure}
        handlers[ClientDisconnect] = _on_disconnect
        self._starlette = Starlette(routes=routes, exception_handlers=handlers)
        self._starlette.router.redirect_slashes = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request and log it."""
        start, status = time.perf_counter(), CLIENT_CLOSED

        async def send_in_time(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            async with asyncio.timeout(SEND_SECONDS):
                await send(message)

        try:
            try:
                self.access.check(scope["path"], scope["headers"])
            except Refusal as refusal:
                scope["state"]["topic"] = refusal.message
                await error_response(refusal)(scope, receive, send_in_time)
            else:
                await self._starlette(scope, receive, send_in_time)
        finally:
            seconds = time.perf_counter() - start
            if self.service:
                path = next((path for path in (*GETS, *POSTS) if scope["path"].startswith(path)), "other")
                self.service.metrics.request(path, status, seconds)
            self.note(f"{scope['method']} {short(scope['path'])} {status} {_topic(scope)} {seconds:.2f} s")

    def note(self, line: str) -> None:
        """Log a line without control characters for a terminal."""
        if self.log:
            self.log(printable(" ".join(line.split())))

    def _service(self) -> Service:
        if self.service is None:
            raise Refusal(503, "the model is loading", code="loading")
        return self.service

    async def _health(self, request: Request) -> Response:
        return _json(self._service().health())

    async def _metrics(self, request: Request) -> Response:
        text, content_type = self._service().metrics.text(request.headers.get("accept", ""))
        return Response(text, media_type=content_type)

    async def _models(self, request: Request) -> Response:
        return _json(self._service().models())

    async def _model(self, request: Request) -> Response:
        return _json(self._service().model(request.path_params["name"]))

    async def _completions(self, request: Request) -> Response:
        return await self._answer(request, chat=False)

    async def _chat(self, request: Request) -> Response:
        return await self._answer(request, chat=True)

    async def _answer(self, request: Request, *, chat: bool) -> Response:
        body = await _body(request, self.max_body)
        if request.headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
            raise Refusal(415, "the body must be JSON: send Content-Type: application/json")
        service, feed = self._service(), Feed(self.max_seconds)

        def start() -> PendingAnswer:
            parsed = requests.read(body, chat=chat)
            return service.start(parsed, feed.put if parsed.stream else None)

        pending = await run_in_threadpool(start)
        feed.follow(pending.futures)
        request.state.topic = pending.model
        parts = chunks(pending, feed)
        try:
            if pending.request.stream:
                first = await _until_disconnect(request, _next(parts))
                return _EventStream(pending, _events(first, parts))
            await _until_disconnect(request, _all_done(pending, feed))
            return _json(pending.json())
        except BaseException:
            pending.cancel()
            raise


class _EventStream(StreamingResponse):
    """Server-sent events; the answer is cancelled if the client disconnects before its end."""

    def __init__(self, pending: PendingAnswer, events: AsyncIterator[bytes]) -> None:
        super().__init__(events, media_type="text/event-stream", headers={"Cache-Control": "no-cache"})
        self._pending = pending

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._pending.cancel()


async def _events(first: dict[str, Any], parts: AsyncIterator[dict[str, Any]]) -> AsyncIterator[bytes]:
    """Yield server-sent events. If the answer fails, the last event is the error, without `[DONE]`."""
    yield _event(first)
    try:
        async for part in parts:
            yield _event(part)
    except Refusal as refusal:
        yield _event(refusal.body())
    else:
        yield b"data: [DONE]\n\n"


def _event(content: dict[str, Any]) -> bytes:
    return b"data: " + _encoded(content) + b"\n\n"


async def _next(parts: AsyncIterator[dict[str, Any]]) -> dict[str, Any]:
    return await anext(parts)


async def _all_done(pending: PendingAnswer, feed: Feed) -> None:
    for _ in pending.futures:
        await feed.get()


async def _body(request: Request, limit: int) -> bytes:
    """Return a request's body, with a Content-Length or in chunks.

    Raises:
        Refusal: 413 above the limit, 408 if it takes too long.
        ClientDisconnect: the client disconnected before its end.
    """
    parts, length = [], 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for part in request.stream():
                length += len(part)
                if length <= limit:
                    parts.append(part)
                elif length > MAX_READ:
                    break
    except TimeoutError:
        raise Refusal(408, f"the body did not arrive within {BODY_SECONDS} seconds") from None
    if length > limit:
        size = max(length, _content_length(request))
        raise Refusal(413, f"the body has {size:,} bytes, at most {limit:,} are accepted")
    return b"".join(parts)


def _content_length(request: Request) -> int:
    text = request.headers.get("content-length", "")
    return int(text) if text.isascii() and text.isdigit() else 0


async def _until_disconnect(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """Return the result of `work`; cancel it if the client disconnects.

    Raises:
        ClientDisconnect: the client disconnected.
    """
    answer, departure = asyncio.ensure_future(work), asyncio.ensure_future(_disconnect(request))
    try:
        await asyncio.wait((answer, departure), return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            raise ClientDisconnect
        return answer.result()
    finally:
        answer.cancel()
        departure.cancel()


async def _disconnect(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _json(content: dict[str, Any], status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(_encoded(content), status, headers, media_type="application/json")


def _encoded(content: dict[str, Any]) -> bytes:
    return json.dumps(content, ensure_ascii=False).encode("utf-8", "replace")


def error_response(refusal: Refusal) -> Response:
    """Return the response to a refused request."""
    headers = {"Retry-After": str(RETRY_SECONDS)} if refusal.status == 503 else {}
    if refusal.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if refusal.status in (408, 413):
        headers["Connection"] = "close"  # the rest of the body may still be on its way
    return _json(refusal.body(), refusal.status, headers)


async def _on_refusal(request: Request, refusal: Refusal) -> Response:
    request.state.topic = refusal.message
    return error_response(refusal)


async def _on_http_error(request: Request, error: HTTPException) -> Response:
    path = request.url.path
    if error.status_code == 405:
        message = f"{path} does not accept {request.method}; it accepts {'POST' if path in POSTS else 'GET'}"
    else:
        message = f"the path {short(path)} does not exist; the paths are {', '.join((*GETS, *POSTS))}"
    return await _on_refusal(request, Refusal(error.status_code, message))


async def _on_failure(request: Request, error: Exception) -> Response:
    return await _on_refusal(request, Refusal(500, f"the server failed: {type(error).__name__}"))


async def _on_disconnect(request: Request, error: Exception) -> Response:
    return Response(status_code=CLIENT_CLOSED)


def _topic(scope: Scope) -> str:
    """Return the answering model, or the error."""
    return short(str(scope.get("state", {}).get("topic", "")), 120)
