"""Are the files whole? Strict JSON, and a publication's list of checksums, `SHA256SUMS`.

The list has the form of `sha256sum`, so that `sha256sum -c SHA256SUMS` in the folder looks at the same without this
program. `publish` writes it last.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path, PurePosixPath

from harness.errors import HarnessError
from harness.store import answer_files, records
from harness.store.codec import strict_json
from harness.verify.check import Check, check, each

SUMS = "SHA256SUMS"
RECORD = "record can be read"
ANSWERS = "answers can be read"
STRICT = "record and answers are strict JSON"
CHECKSUM = "answers have the recorded checksum"
LISTED = f"{SUMS} is there and well-formed"
SHA256 = f"every file has its checksum of {SUMS}"
THERE = f"every file of {SUMS} is there"
NO_OTHER = f"no file is there that {SUMS} does not list"
_LINE = re.compile(r"([0-9a-f]{64})  (\S.*)")


def strict(folder: Path) -> Check:
    """Look for what is no JSON in a run's record and answers: NaN, infinities, a name twice in an object."""
    texts = [(records.RECORD, (folder / records.RECORD).read_bytes())] if (folder / records.RECORD).is_file() else []
    faults = []
    for path in answer_files.all_files(folder):
        try:
            texts.append((path.name, answer_files.read_bytes(folder, path.name)))
        except HarnessError as error:
            faults.append(f"{path.name}: {error.problem}")
    for name, content in texts:
        text = content.decode("utf-8", "replace")
        parts = enumerate(text.split("\n"), start=1) if name != records.RECORD else [(1, text)]
        faults += [f"{name} line {number}: {problem}" for number, part in parts if part and (problem := _problem(part))]
    return check(STRICT, faults)


def _problem(text: str) -> str:
    try:
        strict_json(text)
    except (ValueError, RecursionError) as error:
        return str(error) or type(error).__name__
    return ""


def sums_text(root: Path) -> str:
    """Return the list of checksums of a publication as it lies on the disk."""
    return "".join(f"{_digest(root / name)}  {name}\n" for name in sorted(_present(root)))


def of_publication(root: Path) -> list[Check]:
    """Hold the files of a publication against its list of checksums."""
    try:
        listed = read_sums(root)
    except HarnessError as problem:
        return [Check(LISTED, False, problem.problem, SUMS)]
    present = _present(root)
    return [
        Check(LISTED, True),
        *each(THERE, sorted(listed), lambda name: "" if name in present else "the file is missing"),
        *each(NO_OTHER, sorted(present), lambda name: "" if name in listed else "the file is not listed"),
        *each(SHA256, sorted(listed.keys() & present), lambda name: _differs(root / name, listed[name])),
    ]


def changed_runs(root: Path) -> list[str]:
    """Return the records and answers of a publication that are not as its list has them; none where it has no list."""
    listed = read_sums(root) if (root / SUMS).exists() else {}
    evidence = (name for name in listed if is_evidence(name))
    return [name for name in evidence if not (root / name).is_file() or _differs(root / name, listed[name])]


def is_evidence(path: str) -> bool:
    """Return whether a path is that of a record or of answers. All other files are computed from these."""
    name = PurePosixPath(path).name
    return name == records.RECORD or answer_files.is_answers(name)


def read_sums(root: Path) -> dict[str, str]:
    """Return the checksums by path.

    Raises:
        HarnessError: no list, a line of another form, a path twice or one that leaves the folder.
    """
    path, found = root / SUMS, dict[str, str]()
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, ValueError) as error:
        raise HarnessError(f"{SUMS} cannot be read: {error}", where=str(path), fix="git checkout it") from None
    if lines[-1]:
        lines.append("")
    for number, line in enumerate(lines[:-1], start=1):
        match = _LINE.fullmatch(line)
        name = match[2] if match else ""
        outside = PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts
        if match is None or outside or name in found:
            raise HarnessError(f"{SUMS} line {number} is not of its form", where=str(path), fix="git checkout it")
        found[name] = match[1]
    return found


def _present(root: Path) -> set[str]:
    """Return the files of a publication, the list itself apart; what a symbolic link leads to is not followed."""
    paths = (path for path in root.rglob("*") if path.is_symlink() or path.is_file())
    return {path.relative_to(root).as_posix() for path in paths} - {SUMS}


def _differs(path: Path, expected: str) -> str:
    if path.is_symlink():
        return "this is a link, not a file"
    return "" if _digest(path) == expected else "the file has another checksum"


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
