"""Draws the difference of each row on the task against its change on a probe."""

from __future__ import annotations

import itertools
import math
import textwrap
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from harness.analysis.aggregate import Cell, Difference
from harness.analysis.forgetting import Change
from harness.format import number, percent_sign, words
from harness.report import forgetting
from harness.report.figures import layout
from harness.report.figures.labels import label_points
from harness.report.figures.style import METHOD_COLOURS, SMALL, clean, colour

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LETTERS = 42  # in a line beside the axes, which are 3.7 inches high


def draw(task: str, changes: Sequence[Change]) -> Figure:
    """Draw a panel for each probe: further right is more gain, further down is more loss (if higher is better)."""
    probes = forgetting.probes(changes)
    figure, axes = layout.new_figure(f"{task}: difference on the task and change on the probe", [3.7] * len(probes))
    return layout.finish(figure, [_panel(ax, probe) for ax, probe in zip(axes, probes, strict=True)])


def _panel(ax: Axes, probe: Sequence[Change]) -> Callable[[Any], None]:
    rows = [(c, c.learned, c.learned.vs_base, c.difference) for c in probe if c.learned and c.learned.vs_base]
    points, names, lines = [], [], []
    for change, learned, gain, loss in rows:
        if loss is None or gain is None:
            continue
        across, up = _factor(learned), _factor(change.cell)
        x, y = gain.value * across, loss.value * up
        style = layout.dot(learned) | {"elinewidth": 1.2, "capsize": 2}
        ax.errorbar(x, y, xerr=_reach(gain, across), yerr=_reach(loss, up), **style)
        points.append((x, y))
        names.append(clean(forgetting.label(change, probe), 40))
        (left, right), (low, high) = _reach(gain, across), _reach(loss, up)
        lines += [((x - left[0], y), (x + right[0], y)), ((x, y - low[0]), (x, y + high[0]))]
    _paths(ax, rows)
    if not points:
        layout.empty(ax, "no trained row has both differences from the base model")
        return lambda renderer: None
    first = probe[0]
    style = {"color": METHOD_COLOURS["base"], "linestyle": (0, (6, 2)), "linewidth": 1.3, "zorder": 1}
    sides = []
    for axis, move, line, (before, behind) in (
        (0, ax.set_xlim, ax.axvline, ("to the left", "to the right")),
        (1, ax.set_ylim, ax.axhline, ("below", "above")),
    ):
        first_value, last_value = limits([end[axis] for pair in lines for end in pair])
        move(first_value, last_value)
        if first_value <= 0 <= last_value:
            line(0, **style)
        else:
            sides.append(before if first_value > 0 else behind)
    outside = f"\noutside the figure: no change (0), {' and '.join(sides)}" if sides else ""
    ax.set_xlabel(_axis(rows[0][1], first.spec.task, forgetting.baseline(probe)) + outside)
    ax.set_ylabel(textwrap.fill(_axis(first.cell, first.probe, forgetting.PLAIN), LETTERS))
    layout.subtitle(ax, layout.wrap(_about(probe)))
    return lambda renderer: label_points(ax, points, names, lines, renderer, fontsize=SMALL)


def limits(ends: Sequence[float]) -> tuple[float, float]:
    """Return limits around the ends of the intervals; with 0 unless it is so far off that differences would vanish."""
    low, high = min(ends), max(ends)
    room = max(high - low, 1e-9)
    if low > room or high < -room:  # more than half of the axis would be empty
        return low - 0.1 * room, high + 0.1 * room
    low, high = min(low, 0.0), max(high, 0.0)
    return low - 0.06 * (high - low), high + 0.06 * (high - low)


def _paths(ax: Axes, differences: Sequence[tuple[Change, Cell, Difference | None, Difference | None]]) -> None:
    """Join the ranks of a method."""
    for method, group in itertools.groupby(differences, key=lambda row: row[0].spec.method):
        rows = [(change, cell, gain, loss) for change, cell, gain, loss in group if gain and loss]
        if not layout.joins([change.cell for change, *_ in rows]):
            continue
        xs = [gain.value * _factor(cell) for _, cell, gain, _ in rows if gain]
        ys = [loss.value * _factor(change.cell) for change, _, _, loss in rows if loss]
        ax.plot(xs, ys, color=colour(method), linewidth=1, alpha=0.4, zorder=1)


def _factor(cell: Cell) -> float:
    return 100.0 if cell.unit == "share" else 1.0


def _reach(difference: Difference, factor: float) -> tuple[list[float], list[float]]:
    """Return the distances of an interval's ends from its value, as drawn; 0 if it has no bound."""
    ends = (abs(end - difference.value) * factor for end in (difference.low, difference.high))
    low, high = (end if math.isfinite(end) else 0.0 for end in ends)
    return [low], [high]


def _axis(cell: Cell, task: str, row: str) -> str:
    unit = "points" if cell.unit == "share" else cell.unit
    better = "" if cell.higher_is_better else " (lower is better)"
    return clean(f"{words(cell.metric)} on {task}, difference from {row}{f', {unit}' * bool(unit)}{better}", 100)


def _about(probe: Sequence[Change]) -> str:
    """Return model, probe and score of the base model."""
    cell = probe[0].cell
    base = next((change.base for change in probe if change.base), None)
    score = f"{number(base.value, base.unit)}{percent_sign(base.unit)}" if base else ""
    text = f"{probe[0].spec.model} · {probe[0].probe}: {cell.n:,} questions · base model {score} · 95 % intervals"
    return text if any(change.can for change in probe) else f"{text} · the base model is at chance: nothing to forget"
