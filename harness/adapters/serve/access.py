"""Who may send requests: the names of this server in their Host header, and the key.

A page of another site can point a name of its own at this machine and read answers from there (DNS rebinding); its
requests carry that name as their host. So only known names are served. A key is compared in constant time.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from harness.adapters.serve.refusal import Refusal
from harness.errors import HarnessError
from harness.format import short

KEY_VARIABLE = "ADAPTBENCH_API_KEY"
ANY = "*"
OPEN_PATHS = ("/health",)  # without a key, for the probes of a service manager
_KEY = re.compile(r"[!-~]+")  # printable ASCII without blanks: what an HTTP header carries as it stands
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^:\[\]]+)(:[0-9]{1,5})?")

_NAME = re.compile(r"(\*\.)?[A-Za-z0-9_.-]+")

Headers = Iterable[tuple[bytes, bytes]]


@dataclass(frozen=True)
class Access:
    """The names and addresses by which clients may call the server, and its key ("" if it has none).

    `any_address` accepts every IP address as a host: no page can carry one that is not its own.
    """

    names: frozenset[str]
    any_address: bool = False
    key: str = ""

    def check(self, path: str, headers: Headers) -> None:
        """Raise an error unless a request may be answered.

        Raises:
            Refusal: 403 for a host that is not served, 401 for a key that is missing or wrong.
        """
        fields = {name.lower(): value.decode("latin-1") for name, value in headers}
        self._check_host(fields.get(b"host", ""))
        if self.key and path not in OPEN_PATHS:
            self._check_key(fields.get(b"authorization", ""))

    def _check_host(self, header: str) -> None:
        match = _HOST.fullmatch(header.strip())
        name = match[1].strip("[]").lower().removesuffix(".") if match else ""
        address = _address(name)
        is_known = bool(address) and (self.any_address or address.is_loopback)  # type: ignore[union-attr]
        parents = {f"*.{name[dot + 1 :]}" for dot, letter in enumerate(name) if letter == "."}
        if not is_known and self.names.isdisjoint({name, *parents, ANY}):
            message = f"the host {short(header)!r} is not served here; --allowed-host adds a name"
            raise Refusal(403, message, code="host_not_allowed")

    def _check_key(self, header: str) -> None:
        scheme, _, key = header.strip().partition(" ")
        equal = hmac.compare_digest(_digest(key.strip()), _digest(self.key))
        if scheme.lower() != "bearer" or not equal:
            problem = "is wrong" if key else "is missing: send Authorization: Bearer KEY"
            raise Refusal(401, f"the API key {problem}", code="invalid_api_key")


def for_address(host: str, address: str, names: Sequence[str] = (), key: str = "") -> Access:
    """Return the access to a server on an address: by that address, by the name of its host, and by further names.

    Raises:
        HarnessError: a name or the key has a form that no request can carry.
    """
    for name in names:
        if name != ANY and not (_address(name) or _NAME.fullmatch(name)):
            problem = f"'{name}' is not the name of a host, such as models.example.org or *.example.org, without a port"
            raise HarnessError(problem, where="--allowed-host", fix="--allowed-host models.example.org")
    if key and not _KEY.fullmatch(key):
        problem = "the API key has blanks or letters that are not ASCII, which no HTTP header carries"
        raise HarnessError(problem, where=f"--api-key or {KEY_VARIABLE}", fix="openssl rand -hex 32")
    everywhere = ipaddress.ip_address(address).is_unspecified
    standard = {"localhost", host, address, *((socket.gethostname(),) if everywhere else ())}
    return Access(frozenset(name.lower().removesuffix(".") for name in {*standard, *names}), everywhere, key)


def is_public(address: str) -> bool:
    """Return whether other machines can reach an address."""
    return not ipaddress.ip_address(address).is_loopback


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()
