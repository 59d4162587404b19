"""A cache of the views of a task: without a change, its answers are not read and its tables and page are not made again.

    results/.drawn/<task>.json      "view": {"made_from": "...", "files": {...}, "part": {...}, "sha256": "..."}

`made_from` hashes the task's records, the state of each file in their folders (size, times, number of the file), every line
of the harness and of its tasks, the state of the tasks' data, and the libraries. A view is used only if all of these and
every byte of its files are unchanged. A publication and `verify` never read one; a task of another place has none, because
its code may depend on anything.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import errors
from harness.data import loading, probes, registry
from harness.report.figures import cache
from harness.report.page import Part
from harness.schema import Task
from harness.store import records

LIBRARIES = ("jinja2", "markupsafe", "scipy")
PLUGINS = ("harness.tasks", "harness.methods", "harness.metrics", "harness.challengers")
IGNORED = "__pycache__"

State = tuple[str, int, int, int, int]  # a file's path, size, times of change and number


@dataclass(frozen=True)
class View:
    """The files of a task, in order, and its part of the page."""

    paths: tuple[Path, ...]
    part: Part


def code() -> str | None:
    """Return a text that identifies everything but the records that a view is made from; None with plugins of packages."""
    if any(registry.entry_points(group) for group in PLUGINS):
        return None
    versions = [importlib.metadata.version(name) for name in LIBRARIES]
    folder = loading.tasks_folder()
    names = sorted(path for path in folder.rglob("*") if IGNORED not in path.parts)
    return repr((cache.code(), versions, errors.command(), [_state(path) for path in names]))


def outside(tasks: Mapping[str, Task], installed: Mapping[str, Task]) -> frozenset[str]:
    """Return the names of tasks that are not the installed ones, and of their reordered twins."""
    metrics = {name: task.metrics for name, task in tasks.items() if installed.get(name) != task}
    return frozenset(probes.with_reordered(metrics))


def made_from(number: int, runs: Sequence[records.Run], code: str | None, outside: Collection[str]) -> str:
    """Return the hash of everything that the view of a task with this number on the page is made from; "" for none.

    It is to be computed before anything is read, so that a file that changes meanwhile makes the view outdated.
    """
    names = {name for run in runs for name in (run.record.spec.task, *run.record.probes)}
    if code is None or not names.isdisjoint(outside):
        return ""
    digest = hashlib.sha256(f"{number}\n{code}".encode("utf-8", "surrogatepass"))
    for run in runs:
        files = [_state(Path(entry.path)) for entry in sorted(os.scandir(run.folder), key=lambda entry: entry.name)]
        digest.update(repr((run.record, files)).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def read(root: Path, task: str, made_from: str) -> View | None:
    """Return the view of a task, None if it was made from anything else or one of its files has changed."""
    if not made_from:
        return None
    try:
        view = json.loads(cache.note_file(root, task).read_text(encoding="utf-8"))["view"]
        if view["made_from"] != made_from or view["sha256"] != _digest(view):
            return None
        paths = {root / name: digest for name, digest in view["files"].items()}
        if any(hashlib.sha256(path.read_bytes()).hexdigest() != digest for path, digest in paths.items()):
            return None
        return View(tuple(paths), _with_markup(view["part"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):  # no note, a damaged one, or a missing file
        return None


def write(root: Path, task: str, made_from: str, view: View) -> None:
    """Add a view to the note about the task's figures."""
    note = cache.note_file(root, task)
    try:
        content = json.loads(note.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return
    if not made_from or not isinstance(content, dict):
        return
    files = {path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in view.paths}
    entry = {"made_from": made_from, "files": files, "part": view.part}
    content["view"] = entry | {"sha256": _digest(entry)}
    records.write_text(note, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def _digest(view: Mapping[str, Any]) -> str:
    text = json.dumps([view["files"], view["part"]], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _with_markup(part: Mapping[str, Any]) -> Part:
    from markupsafe import Markup

    return {**part, "body": Markup(part["body"])}  # this program's own, by its hash


def _state(path: Path) -> State:
    try:
        stat = path.stat()
    except OSError:  # a link to nothing
        stat = path.lstat()
    return str(path), stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino
