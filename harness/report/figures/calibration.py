"""Draws the figure of calibration: the share right at each confidence, and the share wrong over what is given out.

Two panels for each section, of the base model and, of each method, the row with the best value, of several seeds the
first: all would hide each other.
"""

from __future__ import annotations

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

FEWEST = 0.02  # of the answers: a share wrong of fewer jumps about and says nothing


def draw(task: str, calibrated: Sequence[tuple[Section, Sequence[CalibratedRun]]]) -> Figure:
    """Draw reliability, and risk over coverage, of these sections; each has rows."""
    figure, axes = layout.new_figure(
        f"{task}: confidence of the answers and what is right", [5.2, 4.4] * len(calibrated)
    )
    for position, (section, rows) in enumerate(calibrated):
        panel, best = Panel(section, section.headline), _best_of_each_method(section, rows)
        _reliability(axes[2 * position], panel, best)
        _risk(axes[2 * position + 1], panel, best)
    return figure


def _best_of_each_method(section: Section, rows: Sequence[CalibratedRun]) -> list[CalibratedRun]:
    """Return, of each method, the first seed of the row with the best value, in the order of the rows."""
    by_run = {row.record.spec.id: row for row in rows}
    best: dict[str, tuple[float, CalibratedRun]] = {}
    for cell in section.headline:
        row = next((by_run[run] for run in cell.run_ids if run in by_run), None)
        value = cell.value if cell.value is not None else -1.0
        if row is not None and value > best.get(cell.spec.method, (-2.0, row))[0]:
            best[cell.spec.method] = (value, row)
    return [row for _, row in best.values()]


def _reliability(ax: Axes, panel: Panel, rows: Sequence[CalibratedRun]) -> None:
    ax.plot([0, 100], [0, 100], color=FAINT, linewidth=1.2, linestyle=":", zorder=1, label="perfectly calibrated")
    for row in rows:
        method, bins = row.record.spec.method, row.calibration.bins
        right = [value.accuracy for value in bins]
        reach = [
            [100 * (value.value - value.low) for value in right],
            [100 * (value.high - value.value) for value in right],
        ]
        style: dict[str, Any] = {"marker": mark(method), "markersize": 6, "markeredgecolor": PAPER, "linewidth": 1.2}
        style |= {"elinewidth": 1, "capsize": 2, "zorder": 2, "label": clean(row.name, 28)}
        xs = [100 * value.confidence for value in bins]
        ax.errorbar(xs, [100 * value.value for value in right], yerr=reach, color=colour(method), **style)
    lowest = min(value.confidence for row in rows for value in row.calibration.bins)
    ax.set_xlim(max(0.0, 100 * lowest - 4), 101)
    ax.set_ylim(-1.5, 101.5)
    ax.set_xlabel("confidence %, ten bins of as many answers each")
    ax.set_ylabel("of them right %")
    about = "95 % intervals · of each method the best row, of several seeds the first"
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
    ax.set_xlabel("given without a person reading, most confident first, % of all answers")
    ax.set_ylabel("of them wrong %")
    layout.describe(ax, panel, "dotted: 10, 5 and 1 % wrong")
