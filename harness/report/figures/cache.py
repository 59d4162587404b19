"""A cache of figures: they are drawn again only if the cells, the code or a file has changed.

    results/.drawn/<task>.json      {"made_from": "...", "files": {"accuracy.svg": "...", ...}}, all SHA-256

`made_from` hashes the drawn content, every line of the harness, the drawing libraries and the installed fonts. If any of
these or one byte of a file has changed, all figures of the task are drawn again. A publication and `verify` always draw.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import json
import platform
from collections.abc import Callable, Sequence
from pathlib import Path

from harness import environment
from harness.report.figures.style import families
from harness.store import records

FOLDER = ".drawn"
LIBRARIES = ("matplotlib", "numpy", "pillow", "contourpy", "kiwisolver")


def cached_figures(root: Path, task: str, content: object, draw: Callable[[], Sequence[Path]]) -> list[Path]:
    """Return the figures of a task; call `draw` only if the existing files were not drawn from the same content.

    Args:
        root: the results folder.
        task: its name.
        content: everything that `draw` uses; its `repr` must be complete (dataclasses, tuples, text, numbers).
        draw: writes the figures and returns their paths, below `root`.
    """
    note, made_from = note_file(root, task), _made_from(task, content)
    if (unchanged := _unchanged_files(note, root, made_from)) is not None:
        return unchanged
    paths = list(draw())
    files = {path.relative_to(root).as_posix(): _sha256(path.read_bytes()) for path in paths}
    records.write_text(note, json.dumps({"made_from": made_from, "files": files}, indent=1, ensure_ascii=False) + "\n")
    return paths


def outdated(root: Path, task: str, content: object) -> bool:
    """Return whether a task has figures and they were not drawn from this content; arguments as in `cached_figures`."""
    note = note_file(root, task)
    return note.exists() and _unchanged_files(note, root, _made_from(task, content)) is None


def note_file(root: Path, task: str) -> Path:
    """Return the path of a task's note."""
    return root / FOLDER / f"{records.path_word(task)}.json"


def _made_from(task: str, content: object) -> str:
    return _sha256(f"{task}\n{content!r}\n{code()}".encode("utf-8", "surrogatepass"))


def _unchanged_files(note: Path, root: Path, made_from: str) -> list[Path] | None:
    """Return the files of the note, None if one has changed or they were made from other content."""
    try:
        content = json.loads(note.read_text(encoding="utf-8"))
        if content["made_from"] != made_from:
            return None
        files = {root / name: digest for name, digest in content["files"].items()}
        return list(files) if all(_sha256(path.read_bytes()) == digest for path, digest in files.items()) else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):  # no note, a damaged note, or a missing file
        return None


@functools.cache
def code() -> str:
    """Return a text that identifies the drawing code and fonts."""
    libraries = [importlib.metadata.version(name) for name in LIBRARIES]
    return " ".join([environment.code_hash(), platform.python_version(), *libraries, *families()])


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
