"""Draws a study of scaled intruders: the score on the task against forgetting, a line for each run.

There is a panel for each probe. A run's line connects its factors, starting at the run as trained; the line of its
control is dashed. Both axes are differences from the base model, as in the figure of learning against forgetting.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from harness import format
from harness.adapters.intruders.study import UNSCALED, Kind, Point, Study
from harness.format import spoken
from harness.report.figures import layout
from harness.report.figures.labels import label_points
from harness.report.figures.style import FAINT, METHOD_COLOURS, PAPER, SMALL, clean, colour, mark

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LINES: dict[Kind, Any] = {"intruders": "-", "control": (0, (4, 2))}

PointPair = tuple[Point, Point]  # one model on the task and on the probe


def draw(task: str, outcomes: Sequence[Study]) -> Figure:
    """Return the figure of the runs of one task, a panel for each probe: right is more learning, down more forgetting.

    If lower is better on the probe, the axis says so.
    """
    probes = list(dict.fromkeys(point.task for study in outcomes for point in study.points if point.task != task))
    figure, axes = layout.new_figure(f"{task}: intruder directions scaled by a factor", [3.8] * len(probes))
    return layout.finish(figure, [_panel(ax, task, probe, outcomes) for ax, probe in zip(axes, probes, strict=True)])


def _panel(ax: Axes, task: str, probe: str, outcomes: Sequence[Study]) -> Callable[[Any], None]:
    points: list[tuple[float, float]] = []
    names: list[str] = []
    lines: list[tuple[tuple[float, float], tuple[float, float]]] = []
    for outcome in outcomes:
        for kind in LINES:
            path = _line(ax, outcome, task, probe, kind)
            lines += list(zip([xy for xy, _ in path], [xy for xy, _ in path[1:]], strict=False))
            labelled = path if kind == "intruders" else [part for part in path if part[1].factor != UNSCALED]
            points += [xy for xy, _ in labelled]
            names += [_name(outcome, point) for _, point in labelled]
    for line in (ax.axhline, ax.axvline):
        line(0, color=METHOD_COLOURS["base"], linestyle=":", linewidth=1.3, zorder=1)
    on_task, on_probe = outcomes[0].task_points(task)[0], outcomes[0].task_points(probe)[0]
    ax.set_xlabel(_axis(on_task))
    ax.set_ylabel(_axis(on_probe))
    about = (
        f"{outcomes[0].spec.model} · {task}: {on_task.score.n:,} questions · {probe}: {on_probe.score.n:,} questions"
    )
    about += " · dotted: base model · thin lines: 95 % intervals"
    handles = _handles()
    layout.heading(ax, layout.wrap(about), handles)
    return lambda renderer: label_points(ax, points, names, lines, renderer, fontsize=SMALL)


def _line(ax: Axes, outcome: Study, task: str, probe: str, kind: Kind) -> list[tuple[tuple[float, float], Point]]:
    """Draw one run's factors of one kind; return their coordinates, by factor."""
    method, kinds = outcome.spec.method, (kind, "as trained")
    pairs: list[PointPair] = [
        (a, b)
        for a, b in zip(outcome.task_points(task), outcome.task_points(probe), strict=True)
        if a.kind in kinds and a.vs_base and b.vs_base
    ]
    pairs.sort(key=lambda pair: pair[0].factor)
    path = [((_value(a), _value(b)), a) for a, b in pairs]
    style: dict[str, Any] = {"color": colour(method), "zorder": 2}
    ax.plot(*zip(*(xy for xy, _ in path), strict=True), linestyle=LINES[kind], linewidth=1.8, **style)
    for a, b in pairs:
        filled = kind == "intruders" or a.kind == "as trained"
        dots: dict[str, Any] = {
            "marker": mark(method),
            "markersize": 7,
            "markerfacecolor": colour(method) if filled else PAPER,
        }
        bars: dict[str, Any] = {"xerr": _error_bars(a), "yerr": _error_bars(b), "elinewidth": 0.6, "capsize": 0}
        ax.errorbar(_value(a), _value(b), **bars, **dots, **(style | {"zorder": 3}))
    return path


def _name(outcome: Study, point: Point) -> str:
    return clean(f"{spoken(outcome.spec)} × 1" if point.factor == UNSCALED else f"× {point.factor:g}", 40)


def _factor(point: Point) -> float:
    return 100.0 if point.score.unit == "share" else 1.0


def _value(point: Point) -> float:
    assert point.vs_base is not None
    return point.vs_base.value * _factor(point)


def _error_bars(point: Point) -> tuple[list[float], list[float]]:
    """Return the lengths of the error bars to both sides; 0 if the interval has no bound."""
    difference = point.vs_base
    assert difference is not None
    lengths = (abs(bound - difference.value) * _factor(point) for bound in (difference.low, difference.high))
    low, high = (length if math.isfinite(length) else 0.0 for length in lengths)
    return [low], [high]


def _axis(point: Point) -> str:
    unit = "points" if point.score.unit == "share" else point.score.unit
    better = "" if point.score.higher_is_better else " (lower is better)"
    metric = format.words(next(iter(point.scores)))
    return clean(f"{metric} on {point.task} against base{f', {unit}' * bool(unit)}{better}", 100)


def _handles() -> list[Any]:
    from matplotlib.lines import Line2D

    words = {"intruders": "intruders scaled", "control": "control: as many other large directions"}
    return [Line2D([], [], color=FAINT, linestyle=LINES[kind], linewidth=1.8, label=words[kind]) for kind in LINES]
