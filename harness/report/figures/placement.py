"""Places axes in a figure: margins are measured once, and the figure is as large as its content.

A figure is 72 dots an inch, so one point is one unit. Matplotlib's own layout measures every artist four times, and tight
saving draws the figure twice; a page of many figures cannot wait for that.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

EDGE = 9.0  # points between the content and the edge of the figure
ABOVE_PANEL = 12.0  # points above each panel
LEAST_WIDTH = 200.0  # points of the axes, however long the names beside them are


class Margins(NamedTuple):
    """Points that the texts around axes reach beyond their edges.

    `across` is the distance from the left edge to the end of the longest text that begins in the axes.
    """

    left: float
    right: float
    bottom: float
    top: float
    across: float = 0.0


def set_positions(figure: Figure, title: Any, width: float, later: Iterable[Callable[[Any], None]] = ()) -> None:
    """Give the axes of a figure, from top to bottom, their places, and the figure its size.

    All axes keep their heights and have the same left and right edges.

    Args:
        figure: its axes have their texts, legends and limits.
        title: the text above all axes, whose left end stays where it is.
        width: of the figure in inches; more if a title or the names of rows need it.
        later: functions that are called afterwards, with a renderer that measures text.
    """
    axes, renderer = figure.axes, measuring_renderer()
    beside = [_beside(ax, renderer) for ax in axes]
    above = [_above(ax, renderer) for ax in axes]
    heading = title.get_window_extent(renderer)
    left, right = EDGE + max(m.left for m in beside), EDGE + max(m.right for m in beside)
    ends = [heading.x1, *(end for end, _ in above), *(left + m.across for m in beside)]
    total = max(72 * width, left + LEAST_WIDTH + right, max(ends) + EDGE)
    inner = total - left - right
    _set_width(figure, left, inner, total)
    below = [_below(ax, renderer) for ax in axes]  # which depend on the width of the axes
    left, right = max(left, *(EDGE + m.left for m in below)), max(right, *(EDGE + m.right for m in below))
    bottoms = [max(m.bottom, n.bottom) for m, n in zip(beside, below, strict=True)]
    tops = [max(m.top, n.top, top) for m, n, (_, top) in zip(beside, below, above, strict=True)]
    _set_width(figure, left, inner, left + inner + right)
    _set_heights(figure, title, heading.height, bottoms, tops)
    for callback in later:
        callback(renderer)


@functools.cache
def measuring_renderer() -> Any:
    """Return a renderer that measures text, at 72 dots an inch; it remembers the sizes."""
    from matplotlib.backends.backend_agg import RendererAgg

    return RendererAgg(1, 1, 72)  # type: ignore[no-untyped-call]


def _beside(ax: Axes, renderer: Any) -> Margins:
    """Return the margins that the y-axis and the texts in the axes need, whatever the width of the axes is."""
    ticks = _ticks(ax, ax.yaxis, (0, 0.5), renderer)
    texts, frame = [text.get_window_extent(renderer) for text in ax.texts], ax.bbox
    boxes = [*ticks, *(box for box in texts if box.x0 >= frame.x1)]
    if ax.get_ylabel():
        pad = max(frame.x0 - box.x0 for box in [frame, *ticks]) + ax.yaxis.labelpad
        ax.yaxis.set_label_coords(0, 0.5, _offset(ax, -pad, 0))
        boxes.append(ax.yaxis.label.get_window_extent(renderer))
    return _around(ax, boxes)._replace(across=max((b.x1 - frame.x0 for b in texts if b.x0 < frame.x1), default=0.0))


def _below(ax: Axes, renderer: Any) -> Margins:
    """Return the margins that the x-axis needs."""
    ticks = _ticks(ax, ax.xaxis, (0.5, 0), renderer)
    if not ax.get_xlabel():
        return _around(ax, ticks)
    pad = max(ax.bbox.y0 - box.y0 for box in [ax.bbox, *ticks]) + ax.xaxis.labelpad
    ax.xaxis.set_label_coords(0.5, 0, _offset(ax, 0, -pad))
    return _around(ax, [*ticks, ax.xaxis.label.get_window_extent(renderer)])


def _ticks(ax: Axes, axis: Any, middle: tuple[float, float], renderer: Any) -> list[Any]:
    """Return the box of the labels of an axis' ticks, if it has any; its own label has a fixed place from then on."""
    axis.set_label_coords(*middle, ax.transAxes)  # otherwise all ticks are measured twice more, now and when drawn
    axis.label.set_visible(False)
    box = axis.get_tightbbox(renderer)
    axis.label.set_visible(True)
    return [box] if box is not None else []


def _offset(ax: Axes, across: float, up: float) -> Any:
    """Return the transform of axes coordinates, moved by points."""
    from matplotlib.transforms import ScaledTranslation

    figure = ax.get_figure()
    assert figure is not None
    return ax.transAxes + ScaledTranslation(across / 72, up / 72, figure.dpi_scale_trans)


def _around(ax: Axes, boxes: Sequence[Any]) -> Margins:
    frame = ax.bbox
    boxes = [frame, *boxes]
    return Margins(
        max(frame.x0 - box.x0 for box in boxes),
        max(box.x1 - frame.x1 for box in boxes),
        max(frame.y0 - box.y0 for box in boxes),
        max(box.y1 - frame.y1 for box in boxes),
    )


def _above(ax: Axes, renderer: Any) -> tuple[float, float]:
    """Return the right end of titles and legend in the figure, and how far they reach above the axes, in points."""
    from matplotlib.legend import Legend
    from matplotlib.text import Text

    texts = {*ax.texts}
    kinds = (Text, Legend)
    parts = [part for part in ax.get_children() if isinstance(part, kinds) and part not in texts]
    boxes = [part.get_window_extent(renderer) for part in parts if isinstance(part, Legend) or part.get_text()]
    frame = ax.bbox
    return max((box.x1 for box in boxes), default=0.0), max((box.y1 - frame.y1 for box in boxes), default=0.0)


def _set_width(figure: Figure, left: float, inner: float, total: float) -> None:
    """Set the width of a figure, and left edge and width of its axes, in points."""
    figure.set_figwidth(total / 72)
    for ax in figure.axes:
        old = ax.get_position()
        ax.set_position((left / total, old.y0, inner / total, old.height))


def _set_heights(figure: Figure, title: Any, heading: float, bottoms: Sequence[float], tops: Sequence[float]) -> None:
    """Stack title and axes, whose heights stay, with these margins, in points."""
    heights = [ax.bbox.height for ax in figure.axes]
    total = 2 * EDGE + heading + ABOVE_PANEL * len(heights) + sum(bottoms) + sum(tops) + sum(heights)
    figure.set_figheight(total / 72)
    title.set_y(1 - EDGE / total)
    end = total - EDGE - heading
    for ax, height, bottom, top in zip(figure.axes, heights, bottoms, tops, strict=True):
        end -= ABOVE_PANEL + top + height
        old = ax.get_position()
        ax.set_position((old.x0, end / total, old.width, height / total))
        end -= bottom
