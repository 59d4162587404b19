"""The address of a server, how requests are sent to it, and the key for it, which is read from the environment only."""

from __future__ import annotations

import ipaddress
import os
import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import parse_qsl, urlsplit

from harness.errors import HarnessError

KEY, OPENAI_KEY = "ADAPTBENCH_ENDPOINT_KEY", "OPENAI_API_KEY"
OPENAI = "api.openai.com"  # the only host that OPENAI_API_KEY is sent to
FLAG, EXAMPLE = "--endpoint", "--endpoint http://localhost:8000/v1"
_SECRET = re.compile(r"key|token|secret|passw|auth|credential|^sig", re.I)

Api = Literal["chat", "completions"]
OptionsForm = Literal["loglik", "written"]


@dataclass(frozen=True)
class Endpoint:
    """A server in OpenAI's form and how to ask it.

    Attributes:
        url: the address to which `/chat/completions` is added, usually with `/v1`, without a slash at its end.
        model: the model's name in requests.
        api: the form of requests; None for the first that the server accepts.
        options: how options are answered, by log-likelihood or in writing; None for the first that the server can.
        parallel: requests at a time.
        rate: requests a minute at most, 0 for no limit.
        seconds: the time limit of one request.
        attempts: how often a request is sent before the run fails.
        pause: seconds before the second attempt, doubled for each further one.
        tokens: the longest answer in tokens; 0 for the task's.
        price: US dollars for a million tokens of prompts and of answers; empty if unknown.
    """

    url: str
    model: str
    api: Api | None = None
    options: OptionsForm | None = None
    parallel: int = 8
    rate: float = 0.0
    seconds: float = 120.0
    attempts: int = 8
    pause: float = 0.5
    tokens: int = 0
    price: tuple[float, ...] = ()

    @property
    def base(self) -> str:
        """The address without its query."""
        return self.url.partition("?")[0]

    @property
    def query(self) -> dict[str, str]:
        """The query of the address, which some servers need (`api-version`)."""
        return dict(parse_qsl(urlsplit(self.url).query, keep_blank_values=True))

    @property
    def host(self) -> str:
        """The host with its port: all that a record, a table or a message says of the address."""
        return urlsplit(self.url).netloc.rpartition("@")[2].lower()

    @property
    def is_local(self) -> bool:
        """Whether the host is this machine, so that nothing crosses a network."""
        name = urlsplit(self.url).hostname or ""
        try:
            return ipaddress.ip_address(name).is_loopback
        except ValueError:
            return name == "localhost" or name.endswith(".localhost")


def address(text: str) -> str:
    """Return an address as it is used: without a slash at its end, `/v1` added if it has no path.

    Raises:
        HarnessError: no address of a server, or one with a password or a key in it.
    """
    try:
        parts = urlsplit(text.strip())
        _ = parts.port
    except ValueError as error:
        raise HarnessError(f"the address is malformed: {error}", where=FLAG, fix=EXAMPLE) from None
    if parts.scheme not in ("http", "https") or not parts.hostname or re.search(r"\s", text.strip()):
        problem = "the address needs http:// or https:// and a host"
        raise HarnessError(problem, where=f"{FLAG} {_without_secrets(text)}", fix=EXAMPLE)
    names = [name for name, _ in parse_qsl(parts.query, keep_blank_values=True) if _SECRET.search(name)]
    if parts.username is not None or parts.password is not None or names:
        holder = f"the parameter {names[0]}" if names else "a user name or password"
        problem = f"the address of {parts.hostname} holds {holder}, which would be seen in lists of processes"
        raise HarnessError(problem, where=FLAG, fix=f"leave it out and set the variable {KEY}")
    path = parts.path.rstrip("/") or "/v1"
    return f"{parts.scheme}://{parts.netloc}{path}" + (f"?{parts.query}" if parts.query else "")


def key(endpoint: Endpoint) -> str:
    """Return the key for a server from the environment, empty without one.

    `OPENAI_API_KEY` is sent to OpenAI only: another host would learn a key that is not its own.

    Raises:
        HarnessError: the key would cross a network unencrypted, or is no text for a header.
    """
    value = os.environ.get(KEY, "").strip()
    name = KEY
    if not value and (urlsplit(endpoint.url).hostname or "").lower() == OPENAI:
        value, name = os.environ.get(OPENAI_KEY, "").strip(), OPENAI_KEY
    if value and not (value.isascii() and value.isprintable() and " " not in value):
        raise HarnessError("the key has characters that no key has", where=name, fix=f"set {name} again")
    if value and endpoint.url.startswith("http://") and not endpoint.is_local:
        problem = f"the key would go to {endpoint.host} without encryption"
        raise HarnessError(problem, where=FLAG, fix=f"use https://, or unset {name} if the server needs no key")
    return value


def _without_secrets(text: str) -> str:
    return text.partition("?")[0].rpartition("@")[2][:200]
