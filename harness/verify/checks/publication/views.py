"""Checks that a results folder's tables, figures and page follow from its runs: they are rebuilt and compared as bytes."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from harness.errors import HarnessError
from harness.report.page import PAGE
from harness.store import records
from harness.verify.check import Check, check_each

FOLDERS = ("leaderboard", "figures")
CSV = "CSV tables are reproducible byte for byte"
MARKDOWN = "Markdown tables are reproducible byte for byte"
LATEX = "LaTeX tables are reproducible byte for byte"
INDEX = "model index is reproducible byte for byte"
FIGURES = "figures are reproducible byte for byte"
PAGE_BYTES = "report page is reproducible byte for byte"
KINDS = {
    ".csv": CSV,
    ".md": MARKDOWN,
    ".tex": LATEX,
    ".json": INDEX,
    ".svg": FIGURES,
    ".png": FIGURES,
    ".html": PAGE_BYTES,
}

Rebuild = Callable[[Path, Sequence[records.Run]], object]


def publication_checks(root: Path, runs: Sequence[records.Run], rebuild: Rebuild) -> list[Check]:
    """Return the checks of every view in `root` against the views rebuilt from the runs in a temporary folder.

    Args:
        root: the folder.
        runs: all its runs.
        rebuild: a function that writes the views of runs below a folder.
    """
    with tempfile.TemporaryDirectory() as folder:
        try:
            rebuild(Path(folder), runs)
        except (HarnessError, ValueError, ArithmeticError) as problem:  # a run with numbers that no run has, too
            detail = f"the views cannot be rebuilt: {getattr(problem, 'problem', problem)}"
            return [Check(name, False, detail) for name in dict.fromkeys(KINDS.values())]
        fresh, old = read(Path(folder)), read(root)
    return [
        result
        for kind in dict.fromkeys(KINDS.values())
        for result in check_each(
            kind, _names_of_kind(kind, {*fresh, *old}), lambda name: _fault(old.get(name), fresh.get(name))
        )
    ]


def is_view(name: str) -> bool:
    """Return whether a path within a results folder is that of a table, a figure or the page."""
    return name == PAGE or name.partition("/")[0] in FOLDERS


def read(root: Path) -> dict[str, bytes]:
    """Return the views below a results folder, contents by path."""
    paths = [path for name in FOLDERS for path in (root / name).rglob("*")] + [root / PAGE]
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in paths if path.is_file()}


def _names_of_kind(kind: str, names: set[str]) -> list[str]:
    """Return the names of a kind, sorted. A file with an unknown suffix counts as a figure."""
    return sorted(name for name in names if KINDS.get(Path(name).suffix, FIGURES) == kind)


def _binary_fault(old: bytes, fresh: bytes) -> str:
    """Return how a binary file, such as a picture, differs: in its length or in so many bytes."""
    if len(old) != len(fresh):
        return f"the binary file has {len(old):,} bytes, the runs' output {len(fresh):,}"
    differing = sum(a != b for a, b in zip(old, fresh, strict=True))
    return f"the binary file differs from the runs' output in {differing:,} of {len(old):,} bytes"


def _fault(old: bytes | None, fresh: bytes | None) -> str:
    if old is None:
        return "the file is missing"
    if fresh is None:
        return "no run produces this file"
    if old == fresh:
        return ""
    if b"\0" in old or b"\0" in fresh:
        return _binary_fault(old, fresh)
    line = next((n for n, (a, b) in enumerate(zip(old.split(b"\n"), fresh.split(b"\n"), strict=False), 1) if a != b), 0)
    return (
        f"the file differs from the runs' output, first in line {line}"
        if line
        else "the file differs from the runs' output"
    )
