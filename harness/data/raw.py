"""A data file before it has rows: opened, decoded, and the errors that all formats share."""

from __future__ import annotations

import codecs
import hashlib
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Any

from harness.errors import HarnessError

KINDS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
    stat.S_IFDIR: "a folder",
}
CHUNK = 2**20  # bytes


class ClassName(str):
    """The name of a class, in a column that its file describes as one of classes."""


@dataclass(frozen=True)
class Row:
    """The cells of a row, its line (JSONL, CSV) or number (Parquet) from 1, and its location for error messages."""

    number: int
    location: str
    cells: Mapping[str, Any]


def open_file(path: Path) -> BufferedReader:
    """Return a regular file, open for reading.

    Raises:
        HarnessError: it is missing or closed to us, or a pipe, device, socket or folder, which may never end.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a pipe without a writer does not wait
        mode = os.fstat(descriptor).st_mode
    except OSError as error:
        raise unreadable(path, error) from error
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        kind = KINDS.get(stat.S_IFMT(mode), "no regular file")
        raise HarnessError(f"this is {kind}, not a data file", where=str(path), fix="write the data to a file first")
    return os.fdopen(descriptor, "rb")


def digest_of(path: Path) -> str:
    """Return the SHA-256 (hex) of a regular file, read in pieces; errors as `open_file`."""
    with open_file(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def unreadable(path: Path, error: OSError) -> HarnessError:
    """Return the error of a file that the system does not let us read."""
    problem = f"the data file cannot be read: {error.strerror}"
    return HarnessError(problem, where=str(path), fix="check the path and its permissions")


def cut_off(where: str) -> HarnessError:
    """Return the error of a file that ends in the middle of a line."""
    problem = "the file ends in the middle of a line: it was cut off"
    return HarnessError(problem, where=where, fix="copy or download it again, or delete the last line")


def decode(raw: bytes, path: Path, *, line: int = 1, offset: int = 0) -> str:
    """Return bytes as text.

    Args:
        raw: the bytes.
        path: their file, for the error.
        line: their first line, from 1.
        offset: of their first byte in the file, from 0.

    Raises:
        HarnessError: not UTF-8, with the line and the offset of the first wrong byte.
    """
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _not_utf8(path, error, line, offset) from error


def refuse_other_encoding(path: Path) -> None:
    """Raise the error of the first byte of a file that is not UTF-8, read in pieces, if there is one."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    line, offset = 1, 0
    with open_file(path) as file:
        while True:
            chunk = file.read(CHUNK)
            pending = len(decoder.getstate()[0])
            try:
                decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                raise _not_utf8(path, error, line, offset - pending) from error
            if not chunk:
                return
            line += chunk.count(b"\n")
            offset += len(chunk)


def _not_utf8(path: Path, error: UnicodeDecodeError, line: int, offset: int) -> HarnessError:
    raw, breaks = error.object, error.object.count(b"\n", 0, error.start)
    return HarnessError(
        f"the file is not UTF-8: byte 0x{raw[error.start]:02x} at offset {offset + error.start}",
        where=f"{path}:{line + breaks}",
        fix=f"convert it, e.g. iconv -f WINDOWS-1252 -t UTF-8 {path.name} > utf8-{path.name}",
    )
