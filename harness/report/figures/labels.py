"""Positions of labels in a figure, so that none covers another."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DIRECTIONS = ((1, 0), (1, 1), (1, -1), (-1, 0), (-1, 1), (-1, -1), (0, 1), (0, -1))
DISTANCES = (7, 13, 21, 32, 46, 64)
TIE = 30.0  # points between the edge of the axes and the name of a line
LINE = 8.0  # points that a label may be farther from its point to do without a line
CLEARLY = 1.5  # so many times as far as its own must other points be from a label that has no line


class Box(NamedTuple):
    """A rectangle, in points."""

    x0: float
    y0: float
    x1: float
    y1: float

    def overlap(self, box: Box) -> float:
        """Return the area that two rectangles share."""
        width = min(self.x1, box.x1) - max(self.x0, box.x0)
        height = min(self.y1, box.y1) - max(self.y0, box.y0)
        return width * height if width > 0 and height > 0 else 0.0

    @property
    def area(self) -> float:
        """Its own area."""
        return (self.x1 - self.x0) * (self.y1 - self.y0)

    def distance(self, point: tuple[float, float]) -> float:
        """Return the distance of a point from the rectangle; 0 inside."""
        across = max(self.x0 - point[0], point[0] - self.x1, 0.0)
        return math.hypot(across, max(self.y0 - point[1], point[1] - self.y1, 0.0))


def spread_positions(positions: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Move positions on a line as little as needed so that neighbours are `gap` apart, in their order.

    They stay within low..high where they fit there; the result is in the order given. Positions that are too close
    are pooled and centred on their mean (pool adjacent violators).
    """
    order = sorted(range(len(positions)), key=lambda i: (positions[i], i))
    pools: list[tuple[float, int]] = []  # (mean of the first member's position over the members, number of members)
    for order_index, index in enumerate(order):
        pool = (positions[index] - order_index * gap, 1)
        while pools and pools[-1][0] > pool[0]:
            mean, count = pools.pop()
            pool = ((mean * count + pool[0] * pool[1]) / (count + pool[1]), count + pool[1])
        pools.append(pool)
    most = high - gap * (len(positions) - 1)
    firsts = [max(low, min(mean, most)) for mean, count in pools for _ in range(count)]
    moved = [0.0] * len(positions)
    for order_index, index in enumerate(order):
        moved[index] = firsts[order_index] + order_index * gap
    return moved


def place_labels(
    points: Sequence[tuple[float, float]],
    sizes: Sequence[tuple[float, float]],
    frame: Box,
    obstacles: Iterable[Box] = (),
) -> list[tuple[float, float, bool]]:
    """Return a position for a label beside each point, on no other label and on no point if there is room.

    Args:
        points: (x, y) in points.
        sizes: (width, height) of each label.
        frame: labels stay inside it.
        obstacles: rectangles that labels should avoid.

    Returns:
        For each label the (x, y) of its centre, and whether it needs a line: it is far from its point, or another point is
        almost as near.
    """
    all_marks = [Box(x - 4, y - 4, x + 4, y + 4) for x, y in points]
    all_covered = list(obstacles)
    taken_boxes: list[Box] = []
    centres: list[tuple[float, float, bool]] = []
    for (x, y), (width, height) in zip(points, sizes, strict=True):
        best = (math.inf, x, y, False)
        reach = DISTANCES[-1] + max(width, height)  # what is farther away, no position of the label touches
        around = Box(x - reach, y - reach, x + reach, y + reach)
        covered, marks, taken = (
            [box for box in boxes if box.overlap(around)] for boxes in (all_covered, all_marks, taken_boxes)
        )
        for distance in map(float, DISTANCES):
            if distance >= best[0]:  # the cost of a position is at least its distance
                break
            for across, up in DIRECTIONS:
                gap = distance * (0.75 if across and up else 1.0)
                centre = (x + across * (gap + width / 2), y + up * (gap + height / 2))
                box = Box(centre[0] - width / 2, centre[1] - height / 2, centre[0] + width / 2, centre[1] + height / 2)
                cost = 20 * sum(box.overlap(o) for o in taken) + 10 * sum(box.overlap(o) for o in marks)
                cost += sum(box.overlap(o) for o in covered) + 50 * (box.area - box.overlap(frame)) + distance
                far = distance > DISTANCES[1] or _is_doubtful(box, (x, y), points)
                if far and cost < best[0]:
                    cost += LINE + 10 * _crossed((x, y), centre, [*marks, *taken])
                if cost < best[0]:  # of equals the first: to the right, near
                    best = (cost, *centre, far)
        _, left, bottom, far = best
        taken_boxes.append(Box(left - width / 2, bottom - height / 2, left + width / 2, bottom + height / 2))
        centres.append((left, bottom, far))
    return centres


def _is_doubtful(label: Box, own: tuple[float, float], points: Iterable[tuple[float, float]]) -> bool:
    """Return whether a reader may take a label for that of another point, which is almost as near to it as its own."""
    reach = CLEARLY * label.distance(own)
    return any(point != own and label.distance(point) < reach for point in points)


def _crossed(point: tuple[float, float], centre: tuple[float, float], boxes: Iterable[Box]) -> float:
    """Return the area of points and labels of others on the line from a point to its label, which would seem to be theirs."""
    line = boxes_along(point, centre)
    others = [box for box in boxes if not (box.x0 <= point[0] <= box.x1 and box.y0 <= point[1] <= box.y1)]
    return sum(part.overlap(box) for part in line for box in others)


def boxes_along(a: tuple[float, float], b: tuple[float, float], width: float = 1.5) -> list[Box]:
    """Return small boxes that cover the line from a to b."""
    count = max(1, round(math.dist(a, b) / 8))
    steps = [(a[0] + (b[0] - a[0]) * k / count, a[1] + (b[1] - a[1]) * k / count) for k in range(count + 1)]
    return [
        Box(min(p[0], q[0]) - width, min(p[1], q[1]) - width, max(p[0], q[0]) + width, max(p[1], q[1]) + width)
        for p, q in itertools.pairwise(steps)
    ]


def label_points(
    ax: Axes,
    points: Sequence[tuple[float, float]],
    texts: Sequence[str],
    lines: Iterable[tuple[tuple[float, float], tuple[float, float]]],
    renderer: Any,
    **style: Any,
) -> None:
    """Name each point, with a thin line to it if the name is not beside it. The layout must be final.

    Args:
        ax: the axes; one point is one unit of its figure (72 dpi).
        points: in data coordinates.
        texts: the names.
        lines: that the names should avoid, in data coordinates.
        renderer: measures text.
        style: of the text.
    """
    if not points:
        return
    style |= {"bbox": {"facecolor": "#ffffff", "edgecolor": "none", "alpha": 0.8, "pad": 0.5}}
    labels = [ax.text(0, 0, text, ha="center", va="center", zorder=6, **style) for text in texts]
    boxes = [text.get_window_extent(renderer) for text in labels]
    window = ax.get_window_extent(renderer)
    frame = Box(window.x0 + 2, window.y0 + 2, window.x1 - 2, window.y1 - 2)
    ends = [ax.transData.transform(line).tolist() for line in lines]
    obstacles = [box for a, b in ends for box in boxes_along(tuple(a), tuple(b))]
    at = [(x, y) for x, y in ax.transData.transform(points).tolist()]
    centres = place_labels(at, [(box.width + 2, box.height) for box in boxes], frame, obstacles)
    inverse = ax.transData.inverted()
    for text, (x, y, far), point in zip(labels, centres, points, strict=True):
        left, bottom = inverse.transform((x, y)).tolist()
        text.set_position((left, bottom))
        if far:
            ax.plot([point[0], left], [point[1], bottom], color="#666666", linewidth=0.7, zorder=5)


class End(NamedTuple):
    """The right end of a line: its value, its name, its colour and its dashes."""

    value: float
    text: str
    colour: str
    dashes: Any = "-"


def label_ends(ax: Axes, ends: Sequence[End], **style: Any) -> Callable[[], None]:
    """Name lines at the right edge of the axes, each tied to its value by a short line in its colour and its dashes.

    Args:
        ax: the axes; one point is one unit of its figure (72 dpi).
        ends: those of the lines.
        style: of the text.

    Returns:
        A function that moves the names apart, to be called when the layout is final.
    """
    edge: dict[str, Any] = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points"}
    edge["annotation_clip"] = False
    texts = [ax.annotate(text, (1, value), (TIE + 2, 0), va="center", **edge, **style) for value, text, *_ in ends]

    def move() -> None:
        low, high = ax.transAxes.transform([(0, 0), (0, 1)])[:, 1].tolist()
        left = ax.transData.transform([(ax.get_xlim()[0], value) for value, *_ in ends])
        positions = left[:, 1].tolist()
        for text, end, want, got in zip(
            texts, ends, positions, spread_positions(positions, 14, low, high), strict=True
        ):
            text.set_position((TIE + 2, got - want))
            arrow = {"arrowstyle": "-", "color": end.colour, "linestyle": end.dashes, "linewidth": 1.6}
            arrow |= {"shrinkA": 0, "shrinkB": 0}
            ax.annotate("", (1, end.value), (TIE, got - want), arrowprops=arrow, **edge)

    return move if ends else lambda: None
