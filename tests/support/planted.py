"""A judge for planted faults: every check of a publication in this process, without drawing its views again.

A fault is planted in a copy of a publication with its checksums brought up to date, as a careful forger does. The views
are taken as they are: what shows a fault must be a check of the runs, because a forger would make the views anew.
"""

from __future__ import annotations

import functools
import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from harness.cli.lookup import Lookup
from harness.errors import HarnessError
from harness.runs.options import Options
from harness.store import records
from harness.store.records import Run
from harness.verify import run as checking
from harness.verify.checks.publication import files, views
from tests.support.remembered import remembering

_judged: dict[tuple[str, tuple[tuple[str, bytes], ...]], frozenset[str]] = {}


@functools.cache
def lookup(tasks_dir: Path) -> Lookup:
    """Return the tasks of a folder, read once."""
    return Lookup(Options(tasks=(), tasks_dirs=(tasks_dir,)))


def failures(root: Path, tasks_dir: Path) -> set[str]:
    """Return the names of the checks that fail in a publication, its checksums brought up to date first."""
    with remembering():
        return _failures(root, tasks_dir)


def _failures(root: Path, tasks_dir: Path) -> set[str]:
    (root / files.SUMS).write_text(files.sums_text(root), encoding="utf-8")
    known, runs, failed = lookup(tasks_dir), list[Run](), set[str]()
    for path in sorted(root.rglob(records.RECORD)):
        try:
            run = Run(path.parent, records.read_record(path.parent))
        except HarnessError:
            failed.add(files.RECORD_READABLE)
            continue
        runs.append(run)
        task = known.task(run.record)
        if task is None:
            failed.add(checking.TASK_AVAILABLE)
            continue
        failed |= _failures_of(run, path.parent.relative_to(root).as_posix(), known)
    checks = checking.publication(
        root, runs, known.of(run.record for run in runs), functools.partial(_as_they_are, root)
    )
    return failed | {check.name for check in checks if not check.ok}


def _failures_of(run: Run, name: str, known: Lookup) -> frozenset[str]:
    """Return the names of the checks that fail in one run; a run with the same files is checked once."""
    paths = sorted(path for path in run.folder.rglob("*") if path.is_file())
    content = tuple((path.relative_to(run.folder).as_posix(), path.read_bytes()) for path in paths)
    if (name, content) not in _judged:
        task = known.tasks[run.record.spec.task]
        examples, probed = known.examples(task.name), known.probed(run.record)
        validation = known.examples(task.name, "validation")
        checks = checking.verify(run.folder, task, examples=examples, validation=validation, probed=probed)
        _judged[name, content] = frozenset(check.name for check in checks if not check.ok)
    return _judged[name, content]


def _as_they_are(root: Path, folder: Path, runs: Sequence[Run]) -> None:
    for name, content in views.read(root).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def rewrite(folder: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    """Change a run's record and move the run to the folder of its spec; return the folder."""
    path = folder / records.RECORD
    content = json.loads(path.read_text(encoding="utf-8"))
    change(content)
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    try:
        target = folder.parents[3] / records.relative_dir(records.read_record(folder).spec)
    except HarnessError:
        return folder
    if target != folder:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(folder, target)
    return target
