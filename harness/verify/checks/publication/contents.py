"""Checks of what lies in a publication: every file belongs to a run or is a view, and every run's folder is complete."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from harness.record import Record
from harness.store import answer_files, records, training_files
from harness.store.records import Run
from harness.verify.check import Check, check
from harness.verify.checks.publication import views
from harness.verify.checks.publication.files import SUMS

KNOWN = "a run's folder has no unknown file"
BELONGS = "every published file belongs to a run or is a view"
OWN = (records.RECORD, records.STEPS, training_files.PACKED_STEPS, records.LOG)
LOCAL = (records.STEPS, records.LOG)  # of a run, not of a publication
PATTERNS = {  # of published weights
    records.ADAPTER: (training_files.ADAPTER_CONFIG, "adapter_model.safetensors"),
    records.MODEL: (training_files.WEIGHTS,),
}


def run_checks(folder: Path, record: Record) -> list[Check]:
    """Return the check that a run's folder has the files of its record and no other; hidden working files are skipped."""
    validation = {records.VALIDATION} if record.validation else set()
    answers = {records.ANSWERS, *validation, *(records.probe_file(name) for name in record.probes)}
    known = {*OWN, *answers, *(name.removesuffix(".gz") for name in answers)}
    names = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    faults = [name for name in names if name not in known and not _is_known_folder(folder / name)]
    if record.status != "ok":
        faults += [name for name in names if answer_files.is_answers(name)]
    return [check(KNOWN, faults)]


def _is_known_folder(path: Path) -> bool:
    """Return whether a run's folder of weights has no unknown file; beside the weights of a model lies what loads them."""
    if not path.is_dir() or path.is_symlink() or path.name not in PATTERNS:
        return False
    return path.name == records.MODEL or all(map(_is_weights, path.iterdir()))


def _is_weights(path: Path) -> bool:
    return any(path.match(pattern) for pattern in PATTERNS.get(path.parent.name, ()))


def publication_checks(root: Path, runs: Sequence[Run]) -> list[Check]:
    """Return the check that each file below a publication is of a run and may be published, or is a view."""
    folders = {run.folder for run in runs} | {path.parent for path in root.rglob(records.RECORD)}
    names = (path.relative_to(root).as_posix() for path in sorted(root.rglob("*")) if not path.is_dir())
    strangers = [name for name in names if not _belongs(root, name, folders)]
    return [Check(BELONGS, False, "no run and no view", name) for name in strangers] or [Check(BELONGS, True)]


def _belongs(root: Path, name: str, folders: Collection[Path]) -> bool:
    path = root / name
    if path.parent in folders:
        return path.name not in LOCAL and not path.name.startswith(".")
    if path.parent.parent in folders:
        return _is_weights(path)
    return name == SUMS or views.is_view(name)
