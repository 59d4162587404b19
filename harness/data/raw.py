"""A data file before it has rows: opened, decoded, and the errors that all formats share."""

from __future__ import annotations

import codecs
import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import BufferedReader, TextIOWrapper
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
CHUNK, SAMPLE = 2**20, 2**12  # bytes read at once, and to see the encoding by
MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),  # begins as that of UTF-16
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
NO_FILES = ("idna", "punycode", "undefined", "unicode-escape", "raw-unicode-escape")
CANDIDATES = ("cp1252", "cp850", "mac-roman")  # of exports: Windows, its command line, old Macintosh
APOSTROPHE = "\u2019"
SIGNS = frozenset("\u20ac£§°²³½¼®©«»·…–—‘“”„\u00a0" + APOSTROPHE)
WORD_ENDS, LONGEST_WORD = frozenset(b" \t\r\n,;|\"'"), 40


class ClassName(str):
    """The name of a class, in a column that its file describes as one of classes."""


@dataclass(frozen=True)
class Row:
    """The cells of a row, its line (JSONL, CSV) or number (Parquet) from 1, and its location for error messages.

    `file` is the name of a further file of the task, such as that of its test; empty in the first.
    """

    number: int
    location: str
    cells: Mapping[str, Any]
    file: str = ""

    @property
    def key(self) -> tuple[str, int]:
        """The file and the number, which no other row of the task has."""
        return self.file, self.number


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


def text_encoding(name: str) -> str:
    """Return Python's name of a text encoding.

    Raises:
        LookupError: there is none of this name, or it is no encoding of files.
    """
    codec = codecs.lookup(name)
    if codec.name in NO_FILES or not getattr(codec, "_is_text_encoding", True):
        raise LookupError(name)
    return codec.name


def open_text(path: Path, encoding: str = "", *, newline: str) -> TextIOWrapper:
    """Return a regular file, open for reading text: by its first mark (BOM), else as the encoding says, else UTF-8.

    A byte that does not belong to the encoding raises `UnicodeDecodeError` while the text is read; `refuse_encoding` then
    names it. The mark may remain the first character.

    Raises:
        HarnessError: the mark, or the whole content, speaks for another encoding than the one named; or as `open_file`.
    """
    file = open_file(path)
    first = file.read(SAMPLE)
    file.seek(0)
    mark = next((name for mark, name in MARKS if first.startswith(mark)), "")
    try:
        if mark and encoding and not encoding.startswith(mark):
            problem = f"the file begins with the mark of {mark.upper()}, and its encoding is to be {encoding}"
            raise HarnessError(problem, where=str(path), fix="leave --encoding out: the mark tells it")
        if not mark and not encoding:
            _refuse_zeros(path, first)
        if not mark and encoding and not encoding.startswith("utf"):
            _refuse_utf8(path, encoding)
    except HarnessError:
        file.close()
        raise
    return TextIOWrapper(file, encoding=encoding or mark or "utf-8", newline=newline)


def _refuse_zeros(path: Path, first: bytes) -> None:
    """Refuse text in which every second byte is zero."""
    for start, name in ((1, "utf-16-le"), (0, "utf-16-be")):
        half = first[start::2]
        if half and half.count(0) > len(half) / 2:
            problem = "every second byte is zero, as in UTF-16, and the file does not begin with the mark of UTF-16"
            raise HarnessError(problem, where=str(path), fix=f"--encoding {name}")


def _refuse_utf8(path: Path, encoding: str) -> None:
    """Refuse to read as another encoding what is UTF-8: no text of another one is, unless it is ASCII."""
    foreign = b""
    try:
        for text, raw in _decoded(path, "utf-8"):
            if not foreign and not text.isascii():
                foreign = raw
    except UnicodeDecodeError:
        return
    if foreign:
        word = _word(foreign, next(position for position, byte in enumerate(foreign) if byte > 127))
        wrong, right = word.decode(encoding, "replace"), word.decode("utf-8", "replace")
        problem = f"the file is UTF-8, and {encoding} would read {right!r} as {wrong!r}"
        raise HarnessError(problem, where=str(path), fix="leave --encoding out")


def refuse_encoding(path: Path, encoding: str = "") -> None:
    """Raise the error of the first byte of a file that does not belong to its encoding, with its line, if there is one."""
    line, offset = 1, 0
    with open_file(path) as file:
        mark = next((name for mark, name in MARKS if file.peek(len(MARKS[0][0])).startswith(mark)), "")
    name = encoding or mark or "utf-8"
    decoder = codecs.getincrementaldecoder(name)()
    with open_file(path) as file:
        while True:
            chunk = file.read(CHUNK)
            pending = len(decoder.getstate()[0])
            try:
                text = decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                good = error.object[: error.start].decode(name, "ignore")
                where = f"{path}:{line + good.count(chr(10))}"
                raise _other_encoding(error, name, where, offset - pending, named=bool(encoding or mark)) from error
            if not chunk:
                return
            line += text.count("\n")
            offset += len(chunk)


def _decoded(path: Path, encoding: str) -> Iterator[tuple[str, bytes]]:
    """Yield the text of a file in pieces, each with the bytes that were read for it."""
    decoder = codecs.getincrementaldecoder(encoding)()
    with open_file(path) as file:
        while chunk := file.read(CHUNK):
            yield decoder.decode(chunk), chunk
        decoder.decode(b"", final=True)


def _other_encoding(error: UnicodeDecodeError, name: str, where: str, offset: int, *, named: bool) -> HarnessError:
    """Return the error of a byte that does not belong to an encoding, with the likely one if none was named."""
    problem = f"the file is not {name.upper()}: byte 0x{error.object[error.start]:02x} at offset {offset + error.start}"
    fix = "save the file as UTF-8, or name its encoding: --encoding NAME"
    if not named:
        likely = likely_encoding(error.object)
        text = _word(error.object, error.start).decode(likely, "replace")
        fix = f"--encoding {likely}, if {text!r} in that line is right; otherwise the encoding of the program that wrote it"
    return HarnessError(problem, where=where, fix=fix)


def _word(raw: bytes, position: int) -> bytes:
    """Return the bytes around a position up to a blank or a separator."""
    start, end = position, position + 1
    while start > 0 and position - start < LONGEST_WORD and raw[start - 1] not in WORD_ENDS:
        start -= 1
    while end < len(raw) and end - position < LONGEST_WORD and raw[end] not in WORD_ENDS:
        end += 1
    return raw[start:end]


def likely_encoding(raw: bytes) -> str:
    """Return the encoding in which the fewest characters of some bytes are odd: signs amid letters, or unused ones."""
    return min(CANDIDATES, key=lambda name: _odd(raw[:CHUNK].decode(name, "replace")))


def _odd(text: str) -> int:
    triples = zip(" " + text, text, text[1:] + " ", strict=False)
    return sum(
        (not here.isalpha() and (here not in SIGNS or (before.isalpha() and after.isalpha() and here != APOSTROPHE)))
        or (here.isupper() and before.islower())
        for before, here, after in triples
        if not here.isascii()
    )
