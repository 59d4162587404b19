"""Migrates runs of schema 1 to the current schema: packs their answers and raises the record's schema.

`python results/pack.py FOLDER` calls it. Scores, ids and the checksums in records do not change. `verify` can still prove
from git that no published run changed (see `verify.checks.provenance`).
"""

from __future__ import annotations

from pathlib import Path

from harness.errors import HarnessError
from harness.record import SCHEMA_VERSION
from harness.store import answer_files, records


def pack(root: Path) -> list[Path]:
    """Pack every run below a folder; return the changed folders. A second call completes an interrupted one.

    Raises:
        HarnessError: a record is unreadable, or a run has two different files of the same answers.
    """
    return [run.folder for run in records.find(root) if _pack_run(run)]


def _pack_run(run: records.Run) -> bool:
    loose = [path for path in answer_files.all_files(run.folder) if answer_files.is_loose(path.name)]
    for path in loose:
        content = path.read_bytes()
        packed = path.with_name(answer_files.packed_name(path.name))
        if packed.exists() and not _unpacks_to(packed, content):
            raise HarnessError(
                f"{packed.name} and {path.name} contain different answers",
                where=str(run.folder),
                fix="remove the file without the SHA-256 of the record",
            )
        answer_files.write_bytes(run.folder, content, path.name)
    outdated = run.record.schema < SCHEMA_VERSION
    if outdated:
        path = run.folder / records.RECORD
        records.write_text(path, records.with_schema(path.read_text(encoding="utf-8"), SCHEMA_VERSION))
    return outdated or bool(loose)


def _unpacks_to(packed: Path, content: bytes) -> bool:
    try:
        return answer_files.unpack(packed.read_bytes()) == content
    except ValueError:
        return False
