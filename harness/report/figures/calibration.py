"""Draws the figure of calibration: share right by confidence, and share wrong by the share given without review.

Each section has two panels. They show the base model, the best challenger and the best row of each method, its first seed;
all rows would hide each other.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.analysis.sections import Section
from harness.analysis.selective import TARGETS
from harness.report.calibration import WHOLE_LINE, CalibratedRun
from harness.report.figures import layout
from harness.report.figures.layout import Panel
from harness.report.figures.style import FAINT, PAPER, clean, mark, row_colours

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CONFIDENT = 0.98  # median confidence above which its axis is stretched
CERTAIN = 1e-4  # distance from 1 at which the stretched axis ends
FEWEST = 0.02  # share of the answers; the share wrong among fewer is noise


def draw(task: str, calibrated: Sequence[tuple[Section, Sequence[CalibratedRun]]]) -> Figure:
    """Draw reliability, and risk over coverage, of these sections; each has rows."""
    figure, axes = layout.new_figure(f"{task}: calibration of the answers", [3.7, 3.0] * len(calibrated))
    for position, (section, rows) in enumerate(calibrated):
        panel, best = Panel(section, section.headline), best_of_each_method(section, rows)
        _reliability(axes[2 * position], panel, best)
        _risk(axes[2 * position + 1], panel, best)
    return layout.finish(figure)


def best_of_each_method(section: Section, rows: Sequence[CalibratedRun]) -> list[CalibratedRun]:
    """Return the first seed of each method's best row, in the order of the rows; challengers count as one method.

    Challengers with one confidence for all answers are left out: they have no order of confidence.
    """
    by_run = {row.record.spec.id: row for row in rows if not row.record.spec.challenger or _orders(row)}
    best: dict[str, tuple[float, CalibratedRun]] = {}
    for cell in section.headline:
        row = next((by_run[run] for run in cell.run_ids if run in by_run), None)
        value = cell.value if cell.value is not None else -1.0
        name = "challenger" if cell.challenges else cell.spec.method
        if row is not None and value > best.get(name, (-2.0, row))[0]:
            best[name] = (value, row)
    return [row for _, row in best.values()]


def _orders(row: CalibratedRun) -> bool:
    return len({value.confidence for value in row.calibration.bins}) > 1


def _finite(distance: float) -> float:
    """Return the distance of an interval's end as drawn; 0 if there is no interval."""
    return distance if math.isfinite(distance) else 0.0


def _reliability(ax: Axes, panel: Panel, rows: Sequence[CalibratedRun]) -> None:
    diagonal = [0, *range(50, 90), *(100 - 0.01 * step for step in range(1000, 0, -5)), 100]
    ax.plot(diagonal, diagonal, color=FAINT, linewidth=1.2, linestyle=":", zorder=1, label="perfectly calibrated")
    for row, shade in zip(rows, row_colours(row.record.spec for row in rows), strict=True):
        method, bins = row.record.spec.method, row.calibration.bins
        right = [value.accuracy for value in bins]
        reach = [
            [_finite(100 * (value.value - value.low)) for value in right],
            [_finite(100 * (value.high - value.value)) for value in right],
        ]
        style: dict[str, Any] = {"marker": mark(method), "markersize": 6, "markeredgecolor": PAPER, "linewidth": 1.2}
        style |= {"elinewidth": 1, "capsize": 2, "zorder": 2, "label": clean(row.name, 28)}
        xs = [100 * value.confidence for value in bins]
        ax.errorbar(xs, [100 * value.value for value in right], yerr=reach, color=shade, **style)
    confidences = [value.confidence for row in rows for value in row.calibration.bins]
    stretched = statistics.median(confidences) > CONFIDENT
    if stretched:
        _stretch(ax)
    lowest = 100 * min(confidences)
    ax.set_xlim(*((min(lowest, 90.0), 100) if stretched else (max(0.0, lowest - 4), 101)))
    ax.set_ylim(-1.5, 101.5)
    ax.set_xlabel(f"confidence %, ten bins of equal size{', axis stretched near 100' * stretched}")
    ax.set_ylabel("right answers %")
    drawn = any(math.isfinite(value.accuracy.high) for row in rows for value in row.calibration.bins)
    intervals = "95 % intervals" if drawn else "without intervals: too few groups in a bin"
    about = f"{intervals} · the best row of each method, its first seed"
    if any(row.record.spec.scoring == "generate" for row in rows):
        about += f" · {WHOLE_LINE[:1].lower()}{WHOLE_LINE[1:]}"
    layout.describe(ax, panel, about)


def _stretch(ax: Axes) -> None:
    """Stretch the axis of confidence near 100 %: the steps from 0 to 90, to 99, to 99.9 and to 99.99 are of equal length."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    def forward(percent: Any) -> Any:
        return -np.log10(np.clip(1 - np.asarray(percent) / 100, CERTAIN, None))

    ax.set_xscale("function", functions=(forward, lambda value: 100 * (1 - 10.0 ** -np.asarray(value))))
    ax.xaxis.set_major_locator(FixedLocator([0, 50, 90, 99, 99.9, 99.99]))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _risk(ax: Axes, panel: Panel, rows: Sequence[CalibratedRun]) -> None:
    for target in TARGETS:
        ax.axhline(100 * (1 - target), color=FAINT, linewidth=1, linestyle=":", zorder=1)
    highest = 100 * (1 - min(TARGETS))
    for row, shade in zip(rows, row_colours(row.record.spec for row in rows), strict=True):
        points = [(100 * share, 100 * wrong) for share, wrong in row.calibration.curve if share >= FEWEST]
        if points:
            ax.plot(*zip(*points, strict=True), color=shade, linewidth=1.8, zorder=2, label=clean(row.name, 28))
            highest = max(highest, *(wrong for _, wrong in points))
    ax.set_xlim(0, 101)
    ax.set_ylim(-0.5, highest * 1.05)
    ax.set_xlabel("answers given without review, most confident first, % of all")
    ax.set_ylabel("wrong answers among them %")
    layout.describe(ax, panel, "dotted: 10, 5 and 1 % wrong · one run each, without intervals")
