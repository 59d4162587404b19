"""Draws the overview figures, one function each: a panel for each section, and for each machine in those of memory.

Values of shares are drawn in percent. Every row of a table is in the figure, or is named below it with the reason.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from harness.analysis.aggregate import Cell
from harness.analysis.sections import Section
from harness.format import interval, number
from harness.report.figures import layout
from harness.report.figures.labels import End, label_ends, label_points
from harness.report.figures.layout import Line, Panel
from harness.report.figures.style import (
    FAINT,
    INK,
    METHOD_COLOURS,
    PAPER,
    PART_COLOURS,
    SMALL,
    clean,
    colour,
    mark,
    row_colour,
)
from harness.report.names import marks, metric_words
from harness.report.tables import memory_unit

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DODGE = 0.12  # distance of methods at the same rank, in powers of two
LEVEL = (0, (6, 2))  # dashes of level lines


def accuracy(task: str, sections: Sequence[Section]) -> Figure:
    """Draw the headline metric of every run with its interval and value, chance and the base model as lines."""
    panels = [Panel(section, section.headline) for section in sections]
    heights = [0.3 + 0.3 * len(panel.cells) for panel in panels]
    figure, axes = layout.new_figure(f"{task}: {metric_words(sections[0])} by method and rank", heights)
    for ax, panel in zip(axes, panels, strict=True):
        layout.rows(ax, panel)
        rows = [row for row, cell in enumerate(panel.cells) if cell.value is not None]
        layout.dots(ax, panel, [panel.cells[row] for row in rows], rows, upright=False)
        for row, cell in enumerate(panel.cells):
            _accuracy_text(ax, panel, row, cell)
        for name, value, style in panel.references():
            ax.axvline(value, color=METHOD_COLOURS["base"], linestyle=style, linewidth=1.3, label=name, zorder=1)
        ends = panel.reach(cell for cell in panel.cells if cell.value is not None)
        if not ends:
            ax.set_xticks([])
        ax.set_xlim(*layout.limits([*ends, *(line[1] for line in panel.references())], panel))
        ax.set_xlabel(panel.axis)
        layout.describe(ax, panel, layout.intervals(panel))
    return layout.finish(figure)


def _accuracy_text(ax: Axes, panel: Panel, row: int, cell: Cell) -> None:
    if cell.value is None:
        layout.row_text(ax, row, clean(marks(panel.section, cell), 80), aside=False, color=FAINT)
        return
    parts = (number(cell.value, cell.unit), interval(cell.low, cell.high, cell.unit), marks(panel.section, cell))
    layout.row_text(ax, row, "  ".join(filter(None, parts)), aside=True)


def accuracy_memory(task: str, sections: Sequence[Section]) -> Figure:
    """Draw the headline metric against the peak of live memory in training, each trained run a labelled point.

    The base model, plain and at its best, guessing and the best challenger are lines.
    """
    panels = [panel for section in sections for panel in layout.by_machine(section)]
    heights = [3.7 + 0.12 * max(0, len(panel.cells) - 12) for panel in panels]
    figure, axes = layout.new_figure(f"{task}: {metric_words(sections[0])} against memory in training", heights)
    return layout.finish(figure, [_accuracy_memory(ax, panel) for ax, panel in zip(axes, panels, strict=True)])


def _accuracy_memory(ax: Axes, panel: Panel) -> Callable[[Any], None]:
    points_of = [cell for cell in panel.cells if cell.value is not None and cell.cost and "train" in cell.cost.phases]
    scale, unit = memory_unit(max(map(layout.peak, points_of), default=0))
    points = [(layout.peak(cell) / scale, panel.value(cell)) for cell in points_of]
    lines: list[tuple[tuple[float, float], tuple[float, float]]] = []
    for method in dict.fromkeys(cell.spec.method for cell in points_of):
        if not layout.joins([cell for cell in points_of if cell.spec.method == method]):
            continue
        path = [point for point, cell in zip(points, points_of, strict=True) if cell.spec.method == method]
        ax.plot(*zip(*path, strict=True), color=colour(method), linewidth=1, alpha=0.4, zorder=1)
        lines += itertools.pairwise(path)
    layout.dots(ax, panel, points_of, [x for x, _ in points], upright=True, elinewidth=1.2, capsize=2)
    for (x, y), cell in zip(points, points_of, strict=True):
        low, high = panel.error(cell)
        lines.append(((x, y - low), (x, y + high)))
    ends = panel.reach(points_of)
    rivals = panel.rivals()
    near, far = _near([*panel.references(), *rivals], ends)
    for line in near:
        name, value, style = line
        shade = INK if line in rivals else METHOD_COLOURS["base"]
        ax.axhline(value, color=shade, linestyle=style, linewidth=1.3, label=name, zorder=1)
    if points_of:
        ax.set_ylim(*layout.limits([*ends, *(line[1] for line in near)], panel))
        layout.memory_axis(ax, [x for x, _ in points])
    else:
        layout.empty(ax, "no finished run that trained")
    missing = [cell for cell in panel.cells if cell not in points_of and cell.spec.train_examples]
    outside = f"outside the figure: {', '.join(line[0] for line in far)}" if far else ""
    ax.set_xlabel(layout.below(f"peak memory in training, {unit}", panel, missing, outside))
    ax.set_ylabel(panel.axis)
    layout.describe(ax, panel, layout.intervals(panel))
    names = [panel.label(cell) for cell in points_of]
    return lambda renderer: label_points(ax, points, names, lines, renderer, fontsize=SMALL)


def _near(lines: Sequence[Line], ends: Sequence[float]) -> tuple[list[Line], list[Line]]:
    """Return the lines near the values, and those far enough to squeeze the figure."""
    if not ends:
        return list(lines), []
    low, high = min(ends), max(ends)
    room = max(high - low, 1e-9) * 0.6
    near = [line for line in lines if low - room <= line[1] <= high + room]
    return near, [line for line in lines if line not in near]


def has_memory(cell: Cell) -> bool:
    """Whether a row has a score and a peak in training."""
    return cell.value is not None and cell.cost is not None and "train" in cell.cost.phases


def has_ranks(section: Section) -> bool:
    """Whether a method of a section has finished at two ranks or more."""
    pairs = {
        (cell.spec.method, cell.spec.rank) for cell in section.headline if cell.spec.rank and cell.value is not None
    }
    return len(pairs) > len({method for method, _ in pairs})


def ranks(task: str, sections: Sequence[Section]) -> Figure:
    """Draw the headline metric over rank, a line with intervals for each method with ranks, the others as level lines."""
    panels = [Panel(section, _one_challenger(section)) for section in sections]
    figure, axes = layout.new_figure(f"{task}: {metric_words(sections[0])} over rank", [3.7] * len(panels))
    return layout.finish(figure, [_ranks(ax, panel) for ax, panel in zip(axes, panels, strict=True)])


def _one_challenger(section: Section) -> tuple[Cell, ...]:
    """Return the headline cells with the best challenger alone: each would be a level line."""
    best = section.best_challenger
    return tuple(cell for cell in section.headline if not cell.challenges or cell is best)


def _ranks(ax: Axes, panel: Panel) -> Callable[[Any], None]:
    done = [cell for cell in panel.cells if cell.value is not None]
    ranked = [cell for cell in done if cell.spec.rank]
    lost = [cell for cell in panel.cells if cell.value is None]
    rank_values = sorted({cell.spec.rank for cell in (*ranked, *lost) if cell.spec.rank})
    ends = _level_lines(ax, panel, [cell for cell in done if not cell.spec.rank])
    methods = list(dict.fromkeys(cell.spec.method for cell in ranked))
    for position, method in enumerate(methods):
        line = [cell for cell in ranked if cell.spec.method == method]
        _rank_line(ax, panel, line, 2 ** (DODGE * (position - (len(methods) - 1) / 2)))
        top = max(line, key=lambda cell: cell.spec.rank)
        text = f"{panel.label(top, 24)}  {number(top.value, top.unit)}"
        ends.append(End(panel.value(top), text, colour(method)))
    if rank_values:
        layout.rank_axis(ax, rank_values)
        ax.set_ylim(*layout.limits([*panel.reach(ranked), *(end.value for end in ends)], panel))
    else:
        layout.empty(ax, "no run with a rank")
        ends = []
    for cell in (cell for cell in lost if cell.spec.rank):
        style: dict[str, Any] = {"color": colour(cell.spec.method), "markersize": 8, "markeredgewidth": 2}
        ax.plot(cell.spec.rank, 0.03, "x", transform=ax.get_xaxis_transform(), clip_on=False, **style)
    ax.set_xlabel(layout.below("rank", panel, lost))
    ax.set_ylabel(panel.axis)
    layout.describe(ax, panel, layout.intervals(panel))
    move = label_ends(ax, ends, fontsize=SMALL)
    return lambda renderer: move()


def _level_lines(ax: Axes, panel: Panel, cells: Sequence[Cell]) -> list[End]:
    """Draw methods without a rank, and guessing, as level lines; return their ends."""
    ends = []
    for cell in cells:
        shade = row_colour(cell.spec)
        ax.axhline(panel.value(cell), color=shade, linewidth=1.5, linestyle=LEVEL, zorder=1)
        ends.append(End(panel.value(cell), f"{panel.label(cell, 24)}  {number(cell.value, cell.unit)}", shade, LEVEL))
    if (chance := panel.section.chance) is not None:
        ax.axhline(chance * panel.factor, color=FAINT, linewidth=1.2, linestyle=":", zorder=1)
        text = f"{layout.guess_shown(panel.section)}  {number(chance, panel.section.unit)}"
        ends.append(End(chance * panel.factor, text, FAINT, ":"))
    return ends


def _rank_line(ax: Axes, panel: Panel, cells: Sequence[Cell], aside: float) -> None:
    """Draw one method over rank with its intervals; bands of several methods would hide each other."""
    line = sorted(cells, key=lambda cell: cell.spec.rank)
    xs, ys = [cell.spec.rank * aside for cell in line], [panel.value(cell) for cell in line]
    if layout.joins(line) and len(line) > 1:
        ax.plot(xs, ys, color=colour(line[0].spec.method), linewidth=2, zorder=2)
    layout.dots(ax, panel, line, xs, upright=True, elinewidth=1.4, capsize=3)


def memory(task: str, sections: Sequence[Section]) -> Figure:
    """Draw the training peak of every run by part, its total, and a mark at the prediction."""
    panels = [
        replace(panel, cells=_trained(panel.cells)) for section in sections for panel in layout.by_machine(section)
    ]
    panels = [panel for panel in panels if panel.cells]
    heights = [0.1 + 0.34 * len(panel.cells) for panel in panels]
    figure, axes = layout.new_figure(f"{task}: memory in training, by part", heights)
    for ax, panel in zip(axes, panels, strict=True):
        layout.rows(ax, panel)
        ax.tick_params(axis="y", pad=20)
        scale, unit = memory_unit(max(map(layout.peak, panel.cells), default=0))
        for row in range(len(panel.cells)):
            _memory_row(ax, panel, row, scale, unit)
        _memory_marks(ax, panel, scale)
        ax.set_xlim(left=0)
        if not any(map(layout.peak, panel.cells)):
            ax.set_xticks([])
        ax.set_xlabel("\n".join(filter(None, (f"peak memory in training, {unit}", _test_peaks(panel, scale, unit)))))
        several = any(len(cell.seeds) > 1 and cell.cost for cell in panel.cells)
        layout.describe(ax, panel, "several seeds: the median run" if several else "", _part_handles(panel, scale))
    return layout.finish(figure)


def _trained(cells: Sequence[Cell]) -> tuple[Cell, ...]:
    """Return the rows that trained, or should have."""
    return tuple(cell for cell in cells if cell.trains)


def _test_peaks(panel: Panel, scale: float, unit: str) -> str:
    """Return the range of the peaks in the test, which are no bar of the figure; empty if none was measured."""
    cells = [
        cell for cell in panel.section.with_model if cell.cost and (not panel.machine or cell.machine == panel.machine)
    ]
    peaks = [
        cell.cost.phases["evaluate"].peak_bytes / scale
        for cell in cells
        if cell.cost and "evaluate" in cell.cost.phases
    ]
    if not any(peaks):
        return ""
    low, high = f"{min(peaks):,.1f}", f"{max(peaks):,.1f}"
    return f"not drawn, peak in the test: {low if low == high else f'{low} to {high}'} {unit}"


def _memory_marks(ax: Axes, panel: Panel, scale: float) -> None:
    """Draw the mark of each row's method left of the axes, and a line at each prediction."""
    from matplotlib.transforms import ScaledTranslation

    figure = ax.get_figure()
    assert figure is not None
    left_of = ax.get_yaxis_transform() + ScaledTranslation(-10 / 72, 0, figure.dpi_scale_trans)
    predictions = []
    for row, cell in enumerate(panel.cells):
        method = cell.spec.method
        ax.plot(0, row, marker=mark(method), color=colour(method), transform=left_of, markersize=6, clip_on=False)
        if cell.cost and cell.cost.parts and cell.cost.predicted_peak_bytes:
            predictions.append((row, cell.cost.predicted_peak_bytes / scale))
    if predictions:
        ys, xs = zip(*predictions, strict=True)
        style: dict[str, Any] = {"colors": INK, "linewidth": 2.5, "capstyle": "butt", "zorder": 4}
        ax.vlines(xs, [y - 0.4 for y in ys], [y + 0.4 for y in ys], **style)


def _memory_row(ax: Axes, panel: Panel, row: int, scale: float, unit: str) -> None:
    cell = panel.cells[row]
    if cell.cost is None:
        text = marks(panel.section, cell) if cell.status != "ok" else "no single cost: runs on several machines"
        layout.row_text(ax, row, clean(text, 80), aside=False, color=FAINT)
        return
    total = layout.peak(cell) / scale
    text = f"{total:,.1f} {unit}"
    if cell.cost.parts is None:
        ax.barh(row, total, height=0.66, color=PAPER, edgecolor=METHOD_COLOURS["base"], linewidth=1)
        layout.row_text(ax, row, text, aside=True)
        return
    bars, shades, left = [], [], 0.0
    for field, shade in PART_COLOURS.items():
        size = getattr(cell.cost.parts, field) / scale
        if _is_visible(size):
            bars.append((left, size))
            shades.append(shade)
        left += size
    ax.broken_barh(bars, (row - 0.33, 0.66), facecolors=shades, edgecolors=PAPER, linewidth=0.5)
    if predicted := cell.cost.predicted_peak_bytes / scale:
        text += f"  (predicted {predicted:,.1f})"
    layout.row_text(ax, row, text, aside=True)


def _is_visible(size: float) -> bool:
    """Whether a part of this size, in the unit of its figure, is more than a 0.0."""
    return round(size, 1) > 0


def _part_handles(panel: Panel, scale: float) -> list[Any]:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    names = {"activations_and_rest": "activations and the rest"}
    parts = [cell.cost.parts for cell in panel.cells if cell.cost and cell.cost.parts]
    visible = [field for field in PART_COLOURS if any(_is_visible(getattr(part, field) / scale) for part in parts)]
    handles: list[Any] = [Patch(color=PART_COLOURS[f], label=names.get(f, f.replace("_", " "))) for f in visible]
    if any(cell.cost and cell.cost.parts and cell.cost.predicted_peak_bytes for cell in panel.cells):
        style: dict[str, Any] = {"color": INK, "linestyle": "", "marker": "|", "markersize": 12, "markeredgewidth": 2.5}
        handles.append(Line2D([], [], label="predicted", **style))
    return handles
