"""The figures of a task: accuracy, accuracy against memory, over rank, memory by part, calibration; SVG and PNG.

What each one shows is in `figures` and `calibration_figure`, their colours in `palette`. Same records, same bytes.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.analysis import robustness
from harness.analysis.aggregate import Cell
from harness.analysis.forgetting import Change
from harness.analysis.sections import sections
from harness.report import calibration as calibration_tables
from harness.report.calibration import Trust
from harness.report.figures import calibration, forgetting, overview
from harness.report.figures.style import METHOD_COLOURS as METHOD_COLOURS
from harness.report.figures.style import STYLE, families
from harness.store import records

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DRAWN = {
    "accuracy": overview.accuracy,
    "accuracy_memory": overview.accuracy_memory,
    "ranks": overview.ranks,
    "memory": overview.memory,
}
NAMES = tuple(DRAWN)
CALIBRATION = "calibration"  # drawn only where answers have a confidence and are right or wrong
PNG_DPI = 160
NOTHING: Trust = {}


def write(root: Path, task: str, cells: Iterable[Cell], trust: Trust = NOTHING) -> list[Path]:
    """Write `root/figures/<task>/<name>.svg` and `.png` for each of `NAMES`, each whole or not at all.

    Runs that did not finish are marked in them. Without cells of this task nothing is written. `trust`, from
    `calibration_tables.trust`, adds the figure of calibration.
    """
    folder = root / "figures" / records.path_word(task)
    paths = []
    for name, figure in _figures(task, cells, trust):
        for kind in ("svg", "png"):
            paths.append(records.write_bytes(folder / f"{name}.{kind}", _bytes(figure, kind)))
    return paths


def write_forgetting(root: Path, task: str, changes: Sequence[Change]) -> list[Path]:
    """Write `root/figures/<task>/forgetting.svg` and `.png`; nothing where no row that trained was probed."""
    changes = [change for change in changes if not robustness.is_twin(change)]
    if not any(change.learned and change.learned.vs_base and change.difference for change in changes):
        return []
    folder = root / "figures" / records.path_word(task)
    return write_one(folder / "forgetting", lambda: forgetting.draw(task, changes))


def write_one(path: Path, draw: Callable[[], Figure]) -> list[Path]:
    """Write what `draw` draws to `path` with `.svg` and `.png` behind its name."""
    import matplotlib

    style: Any = STYLE | {"font.family": list(families())}
    with matplotlib.rc_context(style):
        figure = draw()
        return [
            records.write_bytes(path.with_name(f"{path.name}.{kind}"), _bytes(figure, kind)) for kind in ("svg", "png")
        ]


def svgs(task: str, cells: Iterable[Cell], trust: Trust = NOTHING) -> dict[str, str]:
    """Return the figures as SVG text by name, in the order of `NAMES`; arguments as `write`."""
    return {name: _bytes(figure, "svg").decode() for name, figure in _figures(task, cells, trust)}


def _figures(task: str, cells: Iterable[Cell], trust: Trust) -> Iterator[tuple[str, Figure]]:
    """Draw the figures one after the other, each in the style of all while it is looked at."""
    found = sections(cell for cell in cells if cell.spec.task == task)
    if not found:
        return
    import matplotlib

    style: Any = STYLE | {"font.family": list(families())}
    for name, draw in DRAWN.items():
        with matplotlib.rc_context(style):
            yield name, draw(task, found)
    judged = [(section, calibration_tables.rows(section, trust)) for section in found]
    if judged := [(section, rows) for section, rows in judged if rows]:
        with matplotlib.rc_context(style):
            yield CALIBRATION, calibration.draw(task, judged)


def _bytes(figure: Figure, kind: str) -> bytes:
    metadata = {"Date": None, "Creator": None} if kind == "svg" else {"Software": None}
    out = io.BytesIO()
    figure.savefig(out, format=kind, dpi=PNG_DPI if kind == "png" else 72, bbox_inches="tight", metadata=metadata)
    return re.sub(rb"[ \t]+\n", b"\n", out.getvalue()) if kind == "svg" else out.getvalue()
