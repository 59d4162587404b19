"""Draws runs with their intruders scaled: score on the task against what is forgotten, a line for each run.

A panel for each task and probe. A run's line goes through its factors, from the run as it was trained; its control is
dashed. Both axes are differences from the base model, as in the figure of learning against forgetting.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from harness import format
from harness.adapters.intruders.study import WHOLE, Kind, Outcome, Point
from harness.format import spoken
from harness.report.figures import layout
from harness.report.figures.labels import label_points
from harness.report.figures.style import FAINT, METHOD_COLOURS, PAPER, SMALL, clean, colour, mark

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LINES: dict[Kind, Any] = {"intruders": "-", "control": (0, (4, 2))}

Spot = tuple[Point, Point]  # of one model, on the task and on the probe


def draw(task: str, outcomes: Sequence[Outcome]) -> Figure:
    """Draw a panel for each probe of the runs of one task: right is more learned, down is more forgotten.

    Down is more forgotten where higher is better on the probe; else the axis says so.
    """
    probes = list(dict.fromkeys(point.task for one in outcomes for point in one.points if point.task != task))
    figure, axes = layout.new_figure(f"{task}: intruder directions scaled by a factor", [5.4] * len(probes))
    layout.finish(figure, [_panel(ax, task, probe, outcomes) for ax, probe in zip(axes, probes, strict=True)])
    return figure


def _panel(ax: Axes, task: str, probe: str, outcomes: Sequence[Outcome]) -> Callable[[Any], None]:
    points: list[tuple[float, float]] = []
    names: list[str] = []
    lines: list[tuple[tuple[float, float], tuple[float, float]]] = []
    for outcome in outcomes:
        for kind in LINES:
            path = _line(ax, outcome, task, probe, kind)
            lines += list(zip([at for at, _ in path], [at for at, _ in path[1:]], strict=False))
            fresh = path if kind == "intruders" else [one for one in path if one[1].factor != WHOLE]
            points += [at for at, _ in fresh]
            names += [_name(outcome, point) for _, point in fresh]
    for line in (ax.axhline, ax.axvline):
        line(0, color=METHOD_COLOURS["base"], linestyle=":", linewidth=1.3, zorder=1)
    own, other = outcomes[0].of(task)[0], outcomes[0].of(probe)[0]
    ax.set_xlabel(_axis(own))
    ax.set_ylabel(_axis(other))
    about = f"{outcomes[0].spec.model} · {task}: {own.score.n:,} questions · {probe}: {other.score.n:,} questions"
    about += " · dotted: base model · thin lines: 95 % intervals"
    handles = _handles()
    ax.legend(handles=handles, loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False, borderaxespad=0.2)
    ax.set_title("\n".join(layout.wrap(about)), loc="left", fontsize=SMALL, color=FAINT, pad=26)
    return lambda renderer: label_points(ax, points, names, lines, renderer, fontsize=SMALL)


def _line(ax: Axes, outcome: Outcome, task: str, probe: str, kind: Kind) -> list[tuple[tuple[float, float], Point]]:
    """Draw one run's factors of one kind; return where each is, by factor."""
    method, shown = outcome.spec.method, (kind, "as trained")
    spots: list[Spot] = [
        (own, other)
        for own, other in zip(outcome.of(task), outcome.of(probe), strict=True)
        if own.kind in shown and own.vs_base and other.vs_base
    ]
    spots.sort(key=lambda spot: spot[0].factor)
    path = [((_value(own), _value(other)), own) for own, other in spots]
    style: dict[str, Any] = {"color": colour(method), "zorder": 2}
    ax.plot(*zip(*(at for at, _ in path), strict=True), linestyle=LINES[kind], linewidth=1.8, **style)
    for own, other in spots:
        filled = kind == "intruders" or own.kind == "as trained"
        dots: dict[str, Any] = {
            "marker": mark(method),
            "markersize": 7,
            "markerfacecolor": colour(method) if filled else PAPER,
        }
        reach: dict[str, Any] = {"xerr": _reach(own), "yerr": _reach(other), "elinewidth": 0.6, "capsize": 0}
        ax.errorbar(_value(own), _value(other), **reach, **dots, **(style | {"zorder": 3}))
    return path


def _name(outcome: Outcome, point: Point) -> str:
    return clean(f"{spoken(outcome.spec)} × 1" if point.factor == WHOLE else f"× {point.factor:g}", 40)


def _factor(point: Point) -> float:
    return 100.0 if point.score.unit == "share" else 1.0


def _value(point: Point) -> float:
    assert point.vs_base is not None
    return point.vs_base.value * _factor(point)


def _reach(point: Point) -> tuple[list[float], list[float]]:
    """How far the interval reaches to both sides, as drawn; 0 where it has no bound."""
    found = point.vs_base
    assert found is not None
    ends = (abs(end - found.value) * _factor(point) for end in (found.low, found.high))
    low, high = (end if math.isfinite(end) else 0.0 for end in ends)
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
