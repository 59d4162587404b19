"""Are the tables, figures and the page of a results folder those of its runs? They are made again and compared as bytes."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from harness.errors import HarnessError
from harness.report.page import PAGE
from harness.store import records
from harness.verify.check import Check, each

FOLDERS = ("leaderboard", "figures")
CSV = "CSV tables are made again byte for byte"
MARKDOWN = "Markdown tables are made again byte for byte"
LATEX = "LaTeX tables are made again byte for byte"
INDEX = "the model index is made again byte for byte"
FIGURES = "figures are drawn again byte for byte"
REPORT = "the page is made again byte for byte"
KINDS = {".csv": CSV, ".md": MARKDOWN, ".tex": LATEX, ".json": INDEX, ".svg": FIGURES, ".png": FIGURES, ".html": REPORT}

Rebuild = Callable[[Path, Sequence[records.Run]], object]


def of_publication(root: Path, runs: Sequence[records.Run], rebuild: Rebuild) -> list[Check]:
    """Make every view of the runs anew, in a folder of its own, and compare it with what lies in `root`.

    Args:
        root: the folder.
        runs: all its runs.
        rebuild: writes the views of runs below a folder.
    """
    with tempfile.TemporaryDirectory() as made:
        try:
            rebuild(Path(made), runs)
        except HarnessError as problem:
            return [
                Check(name, False, f"cannot be made again: {problem.problem}") for name in dict.fromkeys(KINDS.values())
            ]
        fresh, old = read(Path(made)), read(root)
    return [
        found
        for kind in dict.fromkeys(KINDS.values())
        for found in each(kind, _of_kind(kind, {*fresh, *old}), lambda name: _fault(old.get(name), fresh.get(name)))
    ]


def is_view(name: str) -> bool:
    """Tell whether a path within a results folder is that of a table, a figure or the page."""
    return name == PAGE or name.partition("/")[0] in FOLDERS


def read(root: Path) -> dict[str, bytes]:
    """Return the views below a results folder: path and content."""
    paths = [path for name in FOLDERS for path in (root / name).rglob("*")] + [root / PAGE]
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in paths if path.is_file()}


def _of_kind(kind: str, names: set[str]) -> list[str]:
    """A file of no known kind counts as a figure: whatever it is, nothing makes it."""
    return sorted(name for name in names if KINDS.get(Path(name).suffix, FIGURES) == kind)


def _fault(old: bytes | None, fresh: bytes | None) -> str:
    if old is None:
        return "the file is missing"
    if fresh is None:
        return "nothing here makes this file"
    if old == fresh:
        return ""
    line = next((n for n, (a, b) in enumerate(zip(old.split(b"\n"), fresh.split(b"\n"), strict=False), 1) if a != b), 0)
    return f"differs from what the runs give, first in line {line}" if line else "differs from what the runs give"
