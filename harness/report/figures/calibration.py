"""Draws the figure of calibration: share right by confidence, and share wrong by the share given without review.

Each section has two panels. They show the base model and the best row of each method, its first seed; all rows would hide
each other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from harness.analysis.sections import Section
from harness.analysis.selective import TARGETS
from harness.report.calibration import WHOLE_LINE, CalibratedRun
from harness.report.figures import layout
from harness.report.figures.layout import Panel
from harness.report.figures.style import FAINT, PAPER, clean, colour, mark

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FEWEST = 0.02  # share of the answers; the share wrong among fewer is noise


def draw(task: str, calibrated: Sequence[tuple[Section, Sequence[CalibratedRun]]]) -> Figure:
    """Draw reliability, and risk over coverage, of these sections; each has rows."""
    figure, axes = layout.new_figure(f"{task}: calibration of the answers", [5.2, 4.4] * len(calibrated))
    for position, (section, rows) in enumerate(calibrated):
        panel, best = Panel(section, section.headline), _best_of_each_method(section, rows)
        _reliability(axes[2 * position], panel, best)
        _risk(axes[2 * position + 1], panel, best)
    return figure


def _best_of_each_method(section: Section, rows: Sequence[CalibratedRun]) -> list[CalibratedRun]:
    """Return the first seed of each method's best row, in the order of the rows."""
    by_run = {row.record.spec.id: row for row in rows}
    best: dict[str, tuple[float, CalibratedRun]] = {}
    for cell in section.headline:
        row = next((by_run[run] for run in cell.run_ids if run in by_run), None)
        value = cell.value if cell.value is not None else -1.0
        if row is not None and value > best.get(cell.spec.method, (-2.0, row))[0]:
            best[cell.spec.method] = (value, row)
    return [row for _, row in best.values()]


def _finite(distance: float) -> float:
    """Return the distance of an interval's end as drawn; 0 if there is no interval."""
    return distance if math.isfinite(distance) else 0.0


def _reliability(ax: Axes, panel: Panel, rows: Sequence[CalibratedRun]) -> None:
    ax.plot([0, 100], [0, 100], color=FAINT, linewidth=1.2, linestyle=":", zorder=1, label="perfectly calibrated")
    for row in rows:
        method, bins = row.record.spec.method, row.calibration.bins
        right = [value.accuracy for value in bins]
        reach = [
            [_finite(100 * (value.value - value.low)) for value in right],
            [_finite(100 * (value.high - value.value)) for value in right],
        ]
        style: dict[str, Any] = {"marker": mark(method), "markersize": 6, "markeredgecolor": PAPER, "linewidth": 1.2}
        style |= {"elinewidth": 1, "capsize": 2, "zorder": 2, "label": clean(row.name, 28)}
        xs = [100 * value.confidence for value in bins]
        ax.errorbar(xs, [100 * value.value for value in right], yerr=reach, color=colour(method), **style)
    lowest = min(value.confidence for row in rows for value in row.calibration.bins)
    ax.set_xlim(max(0.0, 100 * lowest - 4), 101)
    ax.set_ylim(-1.5, 101.5)
    ax.set_xlabel("confidence %, ten bins of equal size")
    ax.set_ylabel("right answers %")
    about = "95 % intervals · the best row of each method, its first seed"
    if any(row.record.spec.scoring == "generate" for row in rows):
        about += f" · {WHOLE_LINE[:1].lower()}{WHOLE_LINE[1:]}"
    layout.describe(ax, panel, about)


def _risk(ax: Axes, panel: Panel, rows: Sequence[CalibratedRun]) -> None:
    for target in TARGETS:
        ax.axhline(100 * (1 - target), color=FAINT, linewidth=1, linestyle=":", zorder=1)
    highest = 100 * (1 - min(TARGETS))
    for row in rows:
        points = [(100 * share, 100 * wrong) for share, wrong in row.calibration.curve if share >= FEWEST]
        if points:
            shade = colour(row.record.spec.method)
            ax.plot(*zip(*points, strict=True), color=shade, linewidth=1.8, zorder=2, label=clean(row.name, 28))
            highest = max(highest, *(wrong for _, wrong in points))
    ax.set_xlim(0, 101)
    ax.set_ylim(-0.5, highest * 1.05)
    ax.set_xlabel("answers given without review, most confident first, % of all")
    ax.set_ylabel("wrong answers among them %")
    layout.describe(ax, panel, "dotted: 10, 5 and 1 % wrong")
