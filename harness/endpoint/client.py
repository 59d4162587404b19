"""HTTP requests with time limits, a limit a minute, and further attempts after a failure that may pass.

A reply counts only if it came with status 200, in full, as a JSON object that its reader accepts. Everything else is sent
again or raised; no text of an error becomes an answer.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from harness.endpoint import settings
from harness.endpoint.pace import Pace, pause, retry_after
from harness.endpoint.settings import Endpoint
from harness.errors import HarnessError, one_line

PASSING = frozenset([408, 409, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529])  # may succeed later
HOLDING = frozenset([429, 503])  # hold all requests if they say for how long
LONGEST_WAIT = 900.0  # seconds of a Retry-After that a run waits for
CONNECT_SECONDS = 10.0
MOST_BYTES = 2**25  # of a reply
AGENT = "adaptbench"

Result = TypeVar("Result")


class InvalidReply(ValueError):
    """A reply with status 200 that is incomplete or has another form."""


class Refused(HarnessError):
    """The server refused a request for good; `status` is that of HTTP, `message` the server's."""

    def __init__(self, problem: str, status: int, message: str, *, where: str, fix: str) -> None:
        super().__init__(problem, where=where, fix=fix)
        self.status, self.message = status, message


@dataclass(frozen=True)
class Reply:
    """A reply in full: its JSON object, and its headers with names in lower case."""

    content: Mapping[str, Any]
    headers: Mapping[str, str]


@dataclass
class Counts:
    """The requests sent, and those of them that were further attempts."""

    requests: int = 0
    retries: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)


class Client:
    """Sends requests to one server; for any number of threads. Use it in a `with` statement."""

    def __init__(self, endpoint: Endpoint, *, attempts: int = 0) -> None:
        import httpx2

        self.endpoint, self.pace, self.counts = endpoint, Pace(endpoint.rate), Counts()
        self._attempts = attempts or endpoint.attempts
        self._key = settings.key(endpoint)
        headers = {"User-Agent": AGENT} | ({"Authorization": f"Bearer {self._key}"} if self._key else {})
        self._http = httpx2.Client(
            headers=headers,
            timeout=httpx2.Timeout(endpoint.seconds, connect=min(CONNECT_SECONDS, endpoint.seconds), pool=None),
            limits=httpx2.Limits(max_connections=endpoint.parallel, max_keepalive_connections=endpoint.parallel),
            follow_redirects=False,  # a key goes to the address that was named, and nowhere else
            trust_env=not endpoint.is_local,
        )

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *details: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop waiting requests and close all connections."""
        self.pace.stop.set()
        self._http.close()

    @property
    def has_key(self) -> bool:
        """Whether a key is sent."""
        return bool(self._key)

    def get(self, path: str, *, root: bool = False) -> Reply:
        """Return the reply to a GET of a path below the address, or below the server's root; errors as in `post`."""
        return self._request("GET", self._base(root) + path, None, lambda reply: reply)

    def post(
        self, path: str, body: Mapping[str, Any], read: Callable[[Reply], Result], *, root: bool = False
    ) -> Result:
        """Return what `read` makes of the reply to a POST; an `InvalidReply` of `read` leads to another attempt.

        Raises:
            Refused: the server does not serve this request.
            HarnessError: no attempt succeeded.
            Stopped: the run was stopped.
        """
        return self._request("POST", self._base(root) + path, body, read)

    def _base(self, root: bool) -> str:
        """Return the address, or that of the server's root."""
        base = self.endpoint.base
        return "/".join(base.split("/", 3)[:3]) if root else base

    def _request(
        self, method: str, url: str, body: Mapping[str, Any] | None, read: Callable[[Reply], Result]
    ) -> Result:
        import httpx2

        fault = ""
        for attempt in range(self._attempts):
            self._count(attempt)
            self.pace.wait()
            wait = 0.0
            try:
                status, headers, content = self._send(method, url, body)
                if status == 200:
                    return read(Reply(_object(content), headers))
                message = self._message(content)
                fault = f"status {status}" + (f" ({message})" if message else "")
                if status not in PASSING:
                    raise self._refused(status, message)
                wait = self._asked_wait(status, headers)
            except InvalidReply as error:
                fault = f"a reply in another form: {self.clean(str(error))}"
            except httpx2.HTTPError as error:
                fault = f"{type(error).__name__}: {self.clean(one_line(error))}"
            if attempt + 1 < self._attempts:
                self.pace.sleep(max(wait, pause(self.endpoint.pause, attempt)))
        raise HarnessError(
            f"{self.endpoint.host} gave no answer in {self._attempts} attempts, the last time {fault}",
            where=settings.FLAG,
            fix="check the server, then run the same command again: answers so far are kept",
        )

    def _count(self, attempt: int) -> None:
        with self.counts.lock:
            self.counts.requests += 1
            self.counts.retries += attempt > 0

    def _send(self, method: str, url: str, body: Mapping[str, Any] | None) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and body of one request; the time limit is for all of it."""
        import httpx2

        end, parts, size = time.monotonic() + self.endpoint.seconds, [], 0
        query = self.endpoint.query or None
        with self._http.stream(method, url, json=body, params=query) as response:
            for part in response.iter_bytes():
                parts.append(part)
                size += len(part)
                if size > MOST_BYTES:
                    raise InvalidReply(f"more than {MOST_BYTES:,} bytes")
                if time.monotonic() > end:
                    raise httpx2.ReadTimeout(f"longer than {self.endpoint.seconds:g} seconds")
            reported = {name.lower(): self.clean(value) for name, value in response.headers.items()}
            return response.status_code, reported, self._without_key(b"".join(parts))

    def _asked_wait(self, status: int, headers: Mapping[str, str]) -> float:
        """Return the seconds that the server asks to wait; of a limit on requests they hold all threads."""
        wait = retry_after(headers.get("retry-after"))
        if wait > LONGEST_WAIT:
            raise HarnessError(
                f"{self.endpoint.host} asks to wait {wait:,.0f} seconds (status {status}), {LONGEST_WAIT:,.0f} at most are waited for",
                where=settings.FLAG,
                fix="run the same command again then: answers so far are kept",
            )
        if wait and status in HOLDING:
            self.pace.hold(wait)
        return wait

    def _refused(self, status: int, message: str) -> Refused:
        host, detail = self.endpoint.host, f": {message}" if message else ""
        if status in (401, 403):
            problem = f"{host} refused the key{detail}" if self._key else f"{host} needs a key, and none is set{detail}"
            fix = f"set the environment variable {settings.KEY}"
            return Refused(problem, status, message, where=settings.FLAG, fix=fix)
        problem = f"{host} refused a request with status {status}{detail}"
        return Refused(problem, status, message, where=settings.FLAG, fix="check --endpoint and --endpoint-model")

    def _message(self, content: bytes) -> str:
        """Return the message of an error in OpenAI's form, else the beginning of the text, in one line without the key."""
        text = content[:4000].decode("utf-8", "replace")
        try:
            error = json.loads(content).get("error")
            text = error.get("message", text) if isinstance(error, dict) else error or text
        except (ValueError, AttributeError, RecursionError):
            pass
        return self.clean(" ".join(str(text).split()))[:300]

    def _without_key(self, content: bytes) -> bytes:
        """Return a body without the key, so that no answer, name or message of a server can hold it, and none in part."""
        for form in {self._key, json.dumps(self._key)[1:-1], self._key.replace("/", "\\/")} - {""}:
            content = content.replace(form.encode(), b"[redacted]")
        return content

    def clean(self, text: str) -> str:
        """Return a text without the key, which servers may repeat."""
        return text.replace(self._key, "[redacted]") if self._key else text


def _object(content: bytes) -> Mapping[str, Any]:
    try:
        data = json.loads(content)
    except (ValueError, RecursionError):
        raise InvalidReply("it is not JSON") from None
    if not isinstance(data, dict):
        raise InvalidReply("it is no JSON object")
    if data.get("error"):
        raise InvalidReply(f"it reports an error: {str(data['error'])[:200]}")
    return data
