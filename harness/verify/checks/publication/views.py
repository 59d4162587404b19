"""Checks that a results folder's tables, figures and page follow from its runs: they are rebuilt and compared as bytes."""

from __future__ import annotations

import csv
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

WORD_ENDS, SHOWN = ' ,|<>;"', 40  # characters of a difference that are shown

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
    pairs = zip(old.split(b"\n"), fresh.split(b"\n"), strict=False)
    line, texts = next(((n, pair) for n, pair in enumerate(pairs, 1) if pair[0] != pair[1]), (0, (b"", b"")))
    if not line:
        return "the file differs from the runs' output in its length"
    here, there = (text.decode("utf-8", "replace") for text in texts)
    column, here, there = _first_difference(old.split(b"\n")[0].decode("utf-8", "replace"), here, there)
    place = f"line {line}{column and f', {column}'}"
    return f"the file differs from the runs' output, first in {place}: {here!r}, by the runs {there!r}"


def _first_difference(header: str, here: str, there: str) -> tuple[str, str, str]:
    """Return the first cell that differs in two lines of a table with its column, else the first words, without one."""
    names, *cells = (next(csv.reader([line]), []) for line in (header, here, there))
    if len(names) > 1 and len(names) == len(cells[0]) == len(cells[1]):
        return next((name, a, b) for name, a, b in zip(names, *cells, strict=True) if a != b)
    start = next((n for n, (a, b) in enumerate(zip(here, there, strict=False)) if a != b), min(len(here), len(there)))
    start = max((here.rfind(mark, 0, start) + 1 for mark in WORD_ENDS), default=0)
    return "", here[start : start + SHOWN], there[start : start + SHOWN]
