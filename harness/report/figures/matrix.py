"""Draws models by tasks: each cell a score with its interval, its colour how far it is from the base model's.

One figure serves sequences (rows are stages) and adapters on further tasks (rows are adapters). Frames mark the tasks that
a row was trained on; in a sequence, the last one. Scores that are no share have no colour, since a difference in money does
not compare with one in points.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.format import NONE, interval, number, percent_sign, words
from harness.report.figures import layout
from harness.report.figures.style import FAINT, INK, PAPER, SMALL, clean

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WORSE, BETTER = "#E8965A", "#6FB1DA"  # orange and blue of the palette, paler: ink is read on them
# inches: a row's height, the least width of a column, that of a letter, the height of the bar of colours
ROW, COLUMN, LETTER, BAR = 0.5, 1.35, 0.09, 0.14
NAMES = 40  # points above the cells, for the columns' names


@dataclass(frozen=True)
class Entry:
    """A score with its interval; `better` is the improvement over the base model, None if the cell has no colour."""

    value: float
    low: float
    high: float
    unit: str = "share"
    better: float | None = None
    framed: bool = False


@dataclass(frozen=True)
class Matrix:
    """Rows by columns, each name with a second line; an entry is None if the row has no score on the task."""

    title: str
    rows: tuple[tuple[str, str], ...]
    columns: tuple[tuple[str, str], ...]
    entries: tuple[tuple[Entry | None, ...], ...]
    about: str


def column_note(metric: str, unit: str, chance: float | None) -> str:
    """Return the line below a column's name: its metric with the unit, and the score of guessing."""
    guess = f", guessing {number(chance)}" if chance is not None else ""
    return f"{words(metric)}{percent_sign(unit)}{guess}"


def draw(matrix: Matrix) -> Figure:
    """Draw the matrix, with a bar that explains the colours if there are any."""
    column, names = max(COLUMN, _width(matrix.columns)), _width(matrix.rows)
    differences = [
        entry.better for row in matrix.entries for entry in row if entry is not None and entry.better is not None
    ]
    figure, (ax, *bars) = layout.new_figure(matrix.title, [ROW * len(matrix.rows), *[BAR] * bool(differences)])
    _grid(ax, matrix, max((100 * abs(value) for value in differences), default=0.0) or 1.0, bars)
    for row, line in enumerate(matrix.entries):
        for position, entry in enumerate(line):
            _cell(ax, row, position, entry)
    layout.subtitle(ax, layout.wrap(f"{clean(matrix.about, 200)} · 95 % intervals"), pad=NAMES)
    return layout.finish(figure, width=max(layout.WIDTH, names + column * len(matrix.columns)))


def _grid(ax: Axes, matrix: Matrix, most: float, bars: Sequence[Axes]) -> None:
    """Colour the cells, name rows and columns, and draw the bar of colours; `most` is the difference at either end."""
    import numpy as np
    from matplotlib.colors import LinearSegmentedColormap

    shades = LinearSegmentedColormap.from_list("base", (WORSE, PAPER, BETTER))
    values = [[np.nan if e is None or e.better is None else 100 * e.better for e in row] for row in matrix.entries]
    edge: dict[str, Any] = {"edgecolors": "#dddddd", "linewidth": 0.8}
    mesh = ax.pcolormesh(np.ma.masked_invalid(values), cmap=shades, vmin=-most, vmax=most, **edge)
    ax.set_xticks(
        [position + 0.5 for position in range(len(matrix.columns))], [_two_lines(*name) for name in matrix.columns]
    )
    ax.set_yticks([position + 0.5 for position in range(len(matrix.rows))], [_two_lines(*name) for name in matrix.rows])
    ax.tick_params(length=0, top=False, labeltop=True, bottom=False, labelbottom=False)
    ax.set_xlim(0, len(matrix.columns))
    ax.set_ylim(len(matrix.rows), 0)
    ax.grid(visible=False)
    ax.spines[["left", "bottom"]].set_visible(False)
    for axes in bars:
        bar = axes.figure.colorbar(mesh, cax=axes, orientation="horizontal")
        bar.outline.set_visible(False)  # type: ignore[operator]
        axes.set_xlabel("points better than the base model (below 0: worse)", fontsize=SMALL)


def _two_lines(name: str, below: str) -> str:
    return f"{clean(name, 28)}\n{clean(below, 34)}"


def _width(names: Sequence[tuple[str, str]]) -> float:
    return LETTER * (2 + max(len(line) for name in names for line in _two_lines(*name).split("\n")))


def _cell(ax: Axes, row: int, column: int, entry: Entry | None) -> None:
    from matplotlib.patches import Rectangle

    centred: dict[str, Any] = {"ha": "center", "va": "center"}
    if entry is None:
        ax.text(column + 0.5, row + 0.5, NONE, color=FAINT, **centred)
        return
    ax.text(column + 0.5, row + 0.34, number(entry.value, entry.unit), fontsize=11, **centred)
    ax.text(column + 0.5, row + 0.71, interval(entry.low, entry.high, entry.unit), fontsize=SMALL, color=INK, **centred)
    if entry.framed:
        inner = (column + 0.015, row + 0.05)
        ax.add_patch(Rectangle(inner, 0.97, 0.9, fill=False, edgecolor=INK, linewidth=1.4))
