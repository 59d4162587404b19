"""The migration of runs of schema 1 to the current schema: answers are packed and the record's schema is raised.

`python results/pack.py FOLDER` calls it. Scores, ids and the checksums in records stay the same. `verify` can still prove
from git that no published run changed (see `verify.checks.provenance`).
"""

from __future__ import annotations

from pathlib import Path

from harness.errors import HarnessError
from harness.record import SCHEMA_VERSION
from harness.store import answer_files, records


def pack(root: Path) -> list[Path]:
    """Pack every run below a folder and return the folders that changed; an interrupted call is completed by the next one.

    Raises:
        HarnessError: a record cannot be read, or a run has two files of the same answers that differ.
    """
    return [run.folder for run in records.find(root) if _pack_run(run)]


def _pack_run(run: records.Run) -> bool:
    loose = [path for path in answer_files.all_files(run.folder) if answer_files.is_loose(path.name)]
    for path in loose:
        content = path.read_bytes()
        packed = path.with_name(answer_files.packed_name(path.name))
        if packed.exists() and not _holds(packed, content):
            raise HarnessError(
                f"{packed.name} and {path.name} hold different answers",
                where=str(run.folder),
                fix="remove the one whose SHA-256 is not that of the record",
            )
        answer_files.write_bytes(run.folder, content, path.name)
    outdated = run.record.schema < SCHEMA_VERSION
    if outdated:
        path = run.folder / records.RECORD
        records.write_text(path, records.with_schema(path.read_text(encoding="utf-8"), SCHEMA_VERSION))
    return outdated or bool(loose)


def _holds(packed: Path, content: bytes) -> bool:
    try:
        return answer_files.unpack(packed.read_bytes()) == content
    except ValueError:
        return False
