"""The files with a run's answers: one JSON object a line, compressed with gzip. Only this module knows their names.

    answers.jsonl.gz         the run's answers to its own test          (schema 1: answers.jsonl)
    probe-<task>.jsonl.gz    its answers to the probe of that name      (schema 1: probe-<task>.jsonl)
    validation.jsonl.gz      an untrained row's answers to validation questions

Both forms are read. Every checksum in a record is over the uncompressed lines, because two builds of zlib (zlib, zlib-ng)
may compress the same lines to different bytes. Packing or unpacking a file therefore changes no checksum in a record.
A folder with both forms of one file is an error: a person might read one of them and the program the other.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
import zlib
from collections.abc import Sequence
from pathlib import Path

from harness.errors import HarnessError
from harness.record import Answer
from harness.store import files
from harness.store.codec import decode, encode

SUFFIX = ".gz"
ANSWERS = f"answers.jsonl{SUFFIX}"
VALIDATION = f"validation.jsonl{SUFFIX}"
PROBES = f"probe-*.jsonl{SUFFIX}"
NAME = re.compile(rf"(answers|validation|probe-[^/]*)\.jsonl({re.escape(SUFFIX)})?")

LEVEL = 9
FREE_BYTES = 64 * 2**20  # any file may expand to this size
MAX_RATIO = 100  # of unpacked to packed size, for larger files. Answers reach about 10, deflate 1,032


def probe_file(word: str) -> str:
    """Return the name of the file of answers to a probe. `word` is the probe's name as a part of a file name."""
    return PROBES.replace("*", word)


def is_answers(name: str) -> bool:
    """Return whether this is the name of a file of answers, in either form."""
    return NAME.fullmatch(name) is not None


def is_loose(name: str) -> bool:
    """Return whether this is the name of an uncompressed file of answers of schema 1."""
    return is_answers(name) and not name.endswith(SUFFIX)


def name_in(schema: int) -> str:
    """Return the name of the file of answers beside a record of that schema."""
    return ANSWERS.removesuffix(SUFFIX) if schema < 2 else ANSWERS


def packed_name(name: str) -> str:
    """Return the name of the packed form of a file of answers."""
    return f"{name.removesuffix(SUFFIX)}{SUFFIX}"


def all_files(folder: Path) -> list[Path]:
    """Return all files of answers in a run's folder, in both forms, sorted by name."""
    return sorted(path for path in folder.iterdir() if is_answers(path.name)) if folder.is_dir() else []


def locate(folder: Path, name: str = ANSWERS) -> Path | None:
    """Return the file with the answers, packed or uncompressed; None if there is none.

    Raises:
        HarnessError: both forms exist.
    """
    forms = (folder / packed_name(name), folder / name.removesuffix(SUFFIX))
    present = [path for path in forms if path.is_file()]
    if len(present) > 1:
        raise HarnessError(
            f"the answers are stored twice, as {present[0].name} and as {present[1].name}",
            where=str(folder),
            fix=f"remove {present[1].name}; verify then checks {present[0].name} against the record",
        )
    return present[0] if present else None


def pack(content: bytes) -> bytes:
    """Return the lines as a gzip file without time and file name: same lines and same zlib, same bytes.

    Lines that would expand beyond the limit of `unpack` are stored in the gzip file without compression.
    """
    packed = _gzip(content, LEVEL)
    return packed if len(content) <= _limit(packed) else _gzip(content, 0)


def _gzip(content: bytes, level: int) -> bytes:
    out = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", compresslevel=level, fileobj=out, mtime=0) as file:
        file.write(content)
    return out.getvalue()


def _limit(packed: bytes) -> int:
    return max(FREE_BYTES, MAX_RATIO * len(packed))


def unpack(packed: bytes) -> bytes:
    """Return the lines that `pack` compressed.

    Raises:
        ValueError: the content is not a gzip file, is truncated or damaged, is followed by other bytes, or would expand to
            more than 64 MiB and more than 100 times its size.
    """
    unpacker, limit = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS), _limit(packed)
    try:
        content = unpacker.decompress(packed, limit + 1)
    except zlib.error as error:
        raise ValueError(f"not a gzip file, or a damaged one ({error})") from None
    if len(content) > limit:
        raise ValueError(f"{len(packed):,} bytes expand to more than {limit:,}, which no file of answers does")
    if not unpacker.eof:
        raise ValueError("the gzip file is cut off")
    if unpacker.unused_data:
        raise ValueError(f"{len(unpacker.unused_data):,} bytes follow the end of the gzip file")
    return content


def read_bytes(folder: Path, name: str = ANSWERS) -> bytes:
    """Return the uncompressed lines of a file of answers, in whichever form it is stored.

    Raises:
        HarnessError: the file is missing, cannot be read, or is stored in both forms.
    """
    path = locate(folder, name) or folder / packed_name(name)
    try:
        content = path.read_bytes()
        return unpack(content) if path.suffix == SUFFIX else content
    except (OSError, ValueError) as error:
        raise HarnessError(f"the answers cannot be read: {error}", where=str(path), fix=run_again(folder)) from None


def read(folder: Path, name: str = ANSWERS) -> tuple[Answer, ...]:
    """Return the answers, in test-set order.

    Raises:
        HarnessError: as in `read_bytes`; or a line is damaged, with its number.
    """
    path = locate(folder, name) or folder / packed_name(name)
    content = read_bytes(folder, name)
    try:
        lines = content.decode("utf-8").split("\n")
    except ValueError as error:
        raise HarnessError(f"the answers cannot be read: {error}", where=str(path), fix=run_again(folder)) from None
    answers = []
    for number, line in enumerate(lines, start=1):
        if not line:
            continue
        try:
            answers.append(decode(Answer, json.loads(line)))
        except (ValueError, RecursionError) as error:
            line_path = f"{path}:{number}"
            raise HarnessError(f"the answer is damaged: {error}", where=line_path, fix=run_again(folder)) from None
    return tuple(answers)


def write(folder: Path, answers: Sequence[Answer], name: str = ANSWERS) -> str:
    """Write packed answers atomically; return the SHA-256 of their lines for the record."""
    content = text(answers).encode()
    write_bytes(folder, content, name)
    return hashlib.sha256(content).hexdigest()


def write_bytes(folder: Path, content: bytes, name: str = ANSWERS) -> Path:
    """Write packed lines atomically, then remove an uncompressed file of the same answers; return the path."""
    path = files.write(folder / packed_name(name), pack(content))
    with files.write_errors(path):
        (folder / name.removesuffix(SUFFIX)).unlink(missing_ok=True)
    return path


def text(answers: Sequence[Answer]) -> str:
    """Return answers as lines of JSON."""
    return "".join(json.dumps(encode(a), ensure_ascii=False, allow_nan=False) + "\n" for a in answers)


def sha256(folder: Path, name: str = ANSWERS) -> str:
    """Return the SHA-256 of the lines of a file of answers, as in the record."""
    return hashlib.sha256(read_bytes(folder, name)).hexdigest()


def run_again(folder: Path) -> str:
    """Return the fix for a run with damaged files."""
    return f"delete {folder.name} and run the same command again; finished runs elsewhere are kept"
