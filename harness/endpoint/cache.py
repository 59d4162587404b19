"""The cache of answers: a file for each server, model and way of asking, to which every answer is added at once.

A file's name is a hash of the address, the models' names, and the server with its version; a line's key is a hash of path
and body. So an answer is used again only for a request that is the same in everything, and an interrupted run goes on.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import threading
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from harness.endpoint.forms import Reading, ServerFacts
from harness.endpoint.settings import Endpoint
from harness.errors import HarnessError

FOLDER = "endpoint"  # below the results folder


def path(results: Path, endpoint: Endpoint, facts: ServerFacts) -> Path:
    """Return the file of the answers of a server; the text of its address is not in it."""
    parts = (endpoint.url, facts.model, facts.requested, facts.server, facts.version)
    digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]
    host = re.sub(r"[^A-Za-z0-9.-]+", "-", facts.host).strip(".-") or "host"
    return results / FOLDER / f"{host}-{digest}.jsonl"


def with_date(facts: ServerFacts, file: Path, today: str) -> ServerFacts:
    """Return the facts with the day on which the file was begun, today if there is none yet."""
    first = next(iter(_lines(file)), {})
    date = first.get("date")
    return replace(facts, date=date if date and isinstance(date, str) else today)


class Cache:
    """The answers of one file in memory; added answers are on disk when `add` returns. For any number of threads."""

    def __init__(self, file: Path, facts: ServerFacts) -> None:
        self._file, self._lock = file, threading.Lock()
        lines = _lines(file)
        self._readings = {
            line["key"]: Reading(**line["answer"])
            for line in lines
            if "key" in line and _is_reading(line.get("answer"))
        }
        if not lines:
            head = {"host": facts.host, "model": facts.model, "server": facts.server, "version": facts.version}
            self._append(head | {"date": facts.date})

    def find(self, key: str) -> Reading | None:
        """Return the answer to a request, None if it is not there."""
        return self._readings.get(key)

    def add(self, key: str, reading: Reading) -> None:
        """Keep an answer."""
        self._append({"key": key, "answer": asdict(reading)})
        self._readings[key] = reading

    def _append(self, line: Mapping[str, Any]) -> None:
        """Add a line in one piece; another process may add to the file at the same time."""
        text = json.dumps(line, ensure_ascii=False).encode("utf-8", "replace") + b"\n"
        try:
            with self._lock:
                self._file.parent.mkdir(parents=True, exist_ok=True)
                flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0)
                with os.fdopen(os.open(self._file, flags, 0o600), "r+b", buffering=0) as file:
                    fcntl.flock(file, fcntl.LOCK_EX)
                    if (size := file.seek(0, os.SEEK_END)) and not _ends_line(file, size):
                        text = b"\n" + text  # a line that was cut by the end of its process
                    file.write(text)
        except OSError as error:
            problem = f"an answer cannot be kept: {error.strerror or error}"
            raise HarnessError(problem, where=str(self._file), fix="free some space, or check its rights") from error


def key(url_path: str, body: Mapping[str, Any]) -> str:
    """Return the hash of a request."""
    text = json.dumps([url_path, body], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _ends_line(file: Any, size: int) -> bool:
    file.seek(size - 1)
    return bool(file.read(1) == b"\n")


def _lines(file: Path) -> list[dict[str, Any]]:
    """Return the lines of a file that are whole; none if it is not there."""
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        return []
    except OSError as error:
        problem = f"the answers cannot be read: {error.strerror or error}"
        raise HarnessError(problem, where=str(file), fix="check its rights") from error
    lines = []
    for text in content.splitlines():
        try:
            line = json.loads(text)
        except ValueError:
            continue
        if isinstance(line, dict):
            lines.append(line)
    return lines


def _is_reading(value: Any) -> bool:
    kinds = {"text": str, "loglik": float, "prompt_tokens": int, "answer_tokens": int}
    return isinstance(value, dict) and value.keys() == kinds.keys() and all(
        isinstance(value[name], kind) for name, kind in kinds.items()
    )  # fmt: skip
