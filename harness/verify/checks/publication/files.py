"""Checks of files: strict JSON, and a publication's list of checksums, `SHA256SUMS`.

The list has the form of `sha256sum`: `sha256sum -c SHA256SUMS` in the folder makes the same check without this program.
`publish` writes it last.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path, PurePosixPath

from harness.errors import HarnessError
from harness.store import answer_files, records, training_files
from harness.store.codec import strict_json
from harness.verify.check import Check, check, check_each

SUMS = "SHA256SUMS"
RECORD_READABLE = "record is readable"
ANSWERS_READABLE = "answers are readable"
STRICT_JSON = "record and answers are strict JSON"
ANSWERS_CHECKSUM = "answers match the recorded checksum"
LIST_FORM = f"{SUMS} exists and is well-formed"
CHECKSUMS = f"every file matches its checksum in {SUMS}"
FILES_PRESENT = f"every file listed in {SUMS} exists"
FILES_LISTED = f"every file is listed in {SUMS}"
_LINE = re.compile(r"([0-9a-f]{64})  (\S.*)")


def strict_json_check(folder: Path) -> Check:
    """Return the check that a run's record and answers are JSON without NaN, infinities or a name twice in an object."""
    texts = [(records.RECORD, (folder / records.RECORD).read_bytes())] if (folder / records.RECORD).is_file() else []
    faults = []
    for path in answer_files.all_files(folder):
        try:
            texts.append((path.name, answer_files.read_bytes(folder, path.name)))
        except HarnessError as error:
            named = path.name in error.problem
            faults.append(error.problem if named else f"{path.name}: {error.problem}")
    faults = list(dict.fromkeys(faults))  # answers in two forms are one fault
    for name, content in texts:
        text = content.decode("utf-8", "replace")
        parts = enumerate(text.split("\n"), start=1) if name != records.RECORD else [(1, text)]
        faults += [
            f"{name} line {number}: {problem}" for number, part in parts if part and (problem := _json_fault(part))
        ]
    return check(STRICT_JSON, faults)


def _json_fault(text: str) -> str:
    try:
        strict_json(text)
    except (ValueError, RecursionError) as error:
        return str(error) or type(error).__name__
    return ""


def sums_text(root: Path) -> str:
    """Return the list of checksums of a publication's files on the disk."""
    return "".join(f"{_digest(root / name)}  {name}\n" for name in sorted(_file_names(root)))


def publication_checks(root: Path) -> list[Check]:
    """Return the checks of a publication's files against its list of checksums."""
    try:
        sums = read_sums(root)
    except HarnessError as problem:
        return [Check(LIST_FORM, False, problem.problem, SUMS)]
    present = _file_names(root)
    return [
        Check(LIST_FORM, True),
        *check_each(FILES_PRESENT, sorted(sums), lambda name: "" if name in present else "the file is missing"),
        *check_each(FILES_LISTED, sorted(present), lambda name: "" if name in sums else "the file is not listed"),
        *check_each(CHECKSUMS, sorted(sums.keys() & present), lambda name: _file_fault(root / name, sums[name])),
    ]


def changed_runs(root: Path) -> list[str]:
    """Return the evidence of a publication that differs from its list; none if it has no list."""
    sums = read_sums(root) if (root / SUMS).exists() else {}
    evidence = (name for name in sums if is_evidence(name))
    return [name for name in evidence if not (root / name).is_file() or _file_fault(root / name, sums[name])]


def is_evidence(path: str) -> bool:
    """Return whether a path is that of a record, answers, steps or weights. All other files follow from these."""
    name = PurePosixPath(path).name
    return name == records.RECORD or answer_files.is_answers(name) or training_files.is_evidence(path)


def read_sums(root: Path) -> dict[str, str]:
    """Return the checksums by path.

    Raises:
        HarnessError: there is no list, a line is malformed, a path occurs twice or lies outside the folder.
    """
    path, sums = root / SUMS, dict[str, str]()
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
        if match is None or outside or name in sums:
            raise HarnessError(
                f"{SUMS} line {number} is malformed: {line[:80]!r}, need a checksum, two spaces and a path of this folder, each path once",
                where=str(path),
                fix="git checkout it",
            )
        sums[name] = match[1]
    return sums


def _file_names(root: Path) -> set[str]:
    """Return the files of a publication except the list itself; symbolic links are not followed."""
    paths = (path for path in root.rglob("*") if path.is_symlink() or path.is_file())
    return {path.relative_to(root).as_posix() for path in paths} - {SUMS}


def _file_fault(path: Path, expected: str) -> str:
    if path.is_symlink():
        return "the path is a symbolic link, not a file"
    return "" if _digest(path) == expected else "the file has another checksum"


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
