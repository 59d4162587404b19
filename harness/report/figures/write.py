"""Writes the figures of a task as SVG and PNG: the overview figures, calibration and forgetting.

Same records, same bytes.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.analysis import robustness
from harness.analysis.results import TaskResults
from harness.report import calibration as calibration_tables
from harness.report.figures import calibration, forgetting, overview
from harness.report.figures.style import METHOD_COLOURS as METHOD_COLOURS
from harness.report.figures.style import STYLE, families
from harness.store import records

if TYPE_CHECKING:
    from matplotlib.figure import Figure

OVERVIEW = {
    "accuracy": overview.accuracy,
    "accuracy_memory": overview.accuracy_memory,
    "ranks": overview.ranks,
    "memory": overview.memory,
}
NAMES = tuple(OVERVIEW)
CALIBRATION = "calibration"  # drawn only if answers have a confidence and are right or wrong
FORGETTING = "forgetting"  # drawn only if a trained row was asked a probe
PNG_DPI = 160


def write(root: Path, results: TaskResults) -> list[Path]:
    """Write `root/figures/<task>/<name>.svg` and `.png` of each figure, each whole or not at all; return the paths.

    Runs that did not finish are marked in them. Nothing is written for a task without cells.
    """
    folder = root / "figures" / records.path_word(results.task)
    return [
        records.write_bytes(folder / f"{name}.{kind}", _bytes(figure, kind))
        for name, figure in _figures(results)
        for kind in ("svg", "png")
    ]


def write_figure(path: Path, draw: Callable[[], Figure]) -> list[Path]:
    """Write the figure that `draw` returns to `path` with `.svg` and `.png` appended; return both paths."""
    with _style():
        figure = draw()
        return [
            records.write_bytes(path.with_name(f"{path.name}.{kind}"), _bytes(figure, kind)) for kind in ("svg", "png")
        ]


def svgs(results: TaskResults) -> dict[str, str]:
    """Return the figures as SVG text by name."""
    return {name: _bytes(figure, "svg").decode() for name, figure in _figures(results)}


def _figures(results: TaskResults) -> Iterator[tuple[str, Figure]]:
    """Draw the figures one after the other; the common style is set while the caller saves one."""
    if not results.sections:
        return
    for name, draw in OVERVIEW.items():
        with _style():
            yield name, draw(results.task, results.sections)
    rows = [(section, calibration_tables.rows(section, results.calibrations)) for section in results.sections]
    if calibrated := [(section, runs) for section, runs in rows if runs]:
        with _style():
            yield CALIBRATION, calibration.draw(results.task, calibrated)
    changes = [change for change in results.changes if not robustness.is_twin(change)]
    if any(change.learned and change.learned.vs_base and change.difference for change in changes):
        with _style():
            yield FORGETTING, forgetting.draw(results.task, changes)


def _style() -> AbstractContextManager[None]:
    import matplotlib

    style: Any = STYLE | {"font.family": list(families())}
    return matplotlib.rc_context(style)


def _bytes(figure: Figure, kind: str) -> bytes:
    metadata = {"Date": None, "Creator": None} if kind == "svg" else {"Software": None}
    out = io.BytesIO()
    figure.savefig(out, format=kind, dpi=PNG_DPI if kind == "png" else 72, bbox_inches="tight", metadata=metadata)
    return re.sub(rb"[ \t]+\n", b"\n", out.getvalue()) if kind == "svg" else out.getvalue()
