"""Layout of the figures: panels, titles, rows, axes.

A panel is one set of axes: the cells of a section, and of one machine where memory is compared.
"""

from __future__ import annotations

import itertools
import math
import textwrap
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.analysis import costs
from harness.analysis.aggregate import Cell
from harness.analysis.sections import Section
from harness.format import number, percent_sign
from harness.report.figures.placement import set_positions
from harness.report.figures.style import FAINT, PAPER, SMALL, clean, mark, row_colour
from harness.report.names import metric_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 8.0  # inches
LETTERS = 96  # in a line of a panel's title
COLUMNS = 3  # of a legend
ABOVE = 7  # points between the axes and a legend, whose left end may lie above the label of the highest tick
LEFT = 0.01  # of all titles and legends, as a share of the figure's width

Line = tuple[str, float, Any]  # name, value as drawn, line style


@dataclass(frozen=True)
class Panel:
    """The content of one set of axes: comparable cells of a section, and the machine if it matters."""

    section: Section
    cells: tuple[Cell, ...]
    machine: str = ""

    @property
    def factor(self) -> float:
        """The factor from values to drawn values: percent for shares."""
        return 100.0 if self.section.unit == "share" else 1.0

    @property
    def axis(self) -> str:
        """The title of the axis of values."""
        better = "" if all(cell.higher_is_better for cell in self.cells) else " (lower is better)"
        return clean(f"{metric_words(self.section)}{percent_sign(self.section.unit)}{better}")

    def label(self, cell: Cell, width: int = 40) -> str:
        """Return the name of a row, cleaned for drawing."""
        return clean(self.section.label(cell), width)

    def value(self, cell: Cell) -> float:
        """Return the value of a finished cell as drawn."""
        assert cell.value is not None
        return cell.value * self.factor

    def error(self, cell: Cell) -> tuple[float, float]:
        """Return the distances of the interval's ends from the value, as drawn; 0 if it has no bound."""
        value = cell.value or 0.0
        reach = [abs(end - value) * self.factor if end is not None else math.inf for end in (cell.low, cell.high)]
        low, high = (r if math.isfinite(r) else 0.0 for r in reach)
        return low, high

    def reach(self, cells: Iterable[Cell]) -> list[float]:
        """Return both ends of each cell's interval, as drawn."""
        return [end for c in cells for end in (self.value(c) - self.error(c)[0], self.value(c) + self.error(c)[1])]

    def references(self) -> list[Line]:
        """Return the reference lines: the base model and guessing."""
        lines: list[Line] = []
        base, chance, unit = self.section.base, self.section.chance, self.section.unit
        if base is not None:
            lines.append((f"base model {number(base.value, unit)}", self.value(base), (0, (6, 2))))
        if chance is not None:
            lines.append((f"{guess_shown(self.section)} {number(chance, unit)}", chance * self.factor, ":"))
        return lines

    def rivals(self) -> list[Line]:
        """Return the lines of the best rows without training: the base model at its best and the best challenger."""
        lines: list[Line] = []
        best, challenger = self.section.baseline, self.section.best_challenger
        for cell, name, style in ((best, "base at its best, ", "-."), (challenger, "", (0, (3, 1.5)))):
            if cell is not None and cell is not self.section.base and cell.value is not None:
                label = f"{name}{self.label(cell, 24)} {number(cell.value, cell.unit)}"
                lines.append((label, self.value(cell), style))
        return lines


def guess_shown(section: Section) -> str:
    """Return a short name of the guessing strategy."""
    return section.guess.removeprefix("always giving ")


def by_machine(section: Section) -> list[Panel]:
    """Return a panel for each machine, since memory is compared within one; cells without a machine join the first."""
    by_name: dict[str, list[Cell]] = {cell.machine: [] for cell in section.with_model if cell.machine and cell.cost}
    if not by_name:
        return [Panel(section, section.with_model)]
    first = next(iter(by_name))
    for cell in section.with_model:
        machine = cell.machine or costs.machine(cell.records)
        by_name[machine if machine in by_name else first].append(cell)
    return [Panel(section, tuple(cells), machine) for machine, cells in by_name.items()]


def new_figure(title: str, heights: Sequence[float]) -> tuple[Figure, list[Axes]]:
    """Return a figure with one set of axes for each height (inches, of the axes alone), stacked. One point is one pixel.

    `finish` gives figure and axes their places.
    """
    from matplotlib.figure import Figure

    total = sum(heights)
    figure = Figure(figsize=(WIDTH, total), dpi=72)
    bottoms = [1 - above / total for above in itertools.accumulate(heights)]
    axes = [
        figure.add_axes((0.2, bottom, 0.6, height / total)) for bottom, height in zip(bottoms, heights, strict=True)
    ]
    lines = textwrap.wrap(clean(title, 160), 72)
    figure.suptitle("\n".join(lines), x=LEFT, ha="left", va="top", fontsize=12.5, fontweight="bold")
    return figure, axes


def finish(figure: Figure, later: Iterable[Callable[[Any], None]] = (), width: float = WIDTH) -> Figure:
    """Place axes and titles, call each function of `later` with a renderer that measures text, and return the figure."""
    (title,) = figure.texts
    set_positions(figure, title, width, later)
    return figure


def describe(ax: Axes, panel: Panel, about: str, handles: Sequence[Any] = ()) -> None:
    """Set the title of the axes (model, number of questions, content, machine) and a legend below it."""
    lines = wrap(f"{clean(panel.section.title, 150)} · {about}" if about else clean(panel.section.title, 150))
    heading(ax, [*lines, *wrap(clean(panel.machine, 150))], handles or ax.get_legend_handles_labels()[0])


def heading(ax: Axes, lines: Sequence[str], handles: Sequence[Any]) -> None:
    """Set the title of the axes, and below it a legend of the handles, if there are any."""
    if handles:
        position: dict[str, Any] = {
            "loc": "lower left",
            "bbox_to_anchor": (LEFT, 1),
            "bbox_transform": _from_edge(ax, pad=ABOVE),
        }
        position |= {"borderaxespad": 0.2, "borderpad": 0}
        ax.legend(handles=handles, ncols=COLUMNS, frameon=False, **position)
    subtitle(ax, lines, pad=8 + (ABOVE + 17 * math.ceil(len(handles) / COLUMNS)) * bool(handles))


def subtitle(ax: Axes, lines: Sequence[str], *, pad: float = 8) -> None:
    """Set the title of the axes at the left edge of the figure, below the figure's own title."""
    # at a height of its own: matplotlib would measure all ticks, several times, to see if the title lies on one
    title = ax.set_title("\n".join(lines), loc="left", fontsize=SMALL, color=FAINT, pad=pad, y=1.0)
    title.set_transform(_from_edge(ax, pad=pad))
    title.set_x(LEFT)


def _from_edge(ax: Axes, *, pad: float = 0) -> Any:
    """Return the transform whose x is a share of the figure's width and whose y is a share of the axes, raised by `pad`."""
    from matplotlib.transforms import ScaledTranslation, blended_transform_factory

    figure = ax.get_figure()
    assert figure is not None
    raised = ax.transAxes + ScaledTranslation(0, pad / 72, figure.dpi_scale_trans)
    return blended_transform_factory(figure.transFigure, raised)


def wrap(text: str) -> list[str]:
    """Return the lines of a title, broken between its parts if they fit."""
    lines: list[str] = []
    for part in text.split(" · "):
        if lines and len(lines[-1]) + len(part) + 3 <= LETTERS:
            lines[-1] += f" · {part}"
        else:
            lines += textwrap.wrap(part, LETTERS)
    return lines


def intervals(panel: Panel) -> str:
    """Return a description of the intervals and the number of pooled seeds."""
    seeds = {len(cell.seeds) for cell in panel.cells if cell.status == "ok" and cell.spec.train_examples}
    clustered = " clustered by group" if any(cell.n != cell.groups for cell in panel.cells) else ""
    if not seeds:
        return f"95 % intervals{clustered}"
    count = f"{min(seeds)}" if len(seeds) == 1 else f"{min(seeds)} to {max(seeds)}"
    return f"{count} seed{'s' if max(seeds) > 1 else ''} · 95 % intervals{clustered}"


def joins(cells: Sequence[Cell]) -> bool:
    """Whether a line over rank may join these cells: no rank occurs twice (at two learning rates, say)."""
    return len({cell.spec.rank for cell in cells}) == len(cells)


def rows(ax: Axes, panel: Panel) -> None:
    """Make one row for each cell, the first on top."""
    ax.set_yticks(range(len(panel.cells)), [panel.label(cell) for cell in panel.cells])
    ax.set_ylim(len(panel.cells) - 0.4, -0.6)
    ax.grid(visible=False, axis="y")
    ax.tick_params(axis="y", length=0, pad=8)


def row_text(ax: Axes, row: int, text: str, *, aside: bool, color: str | None = None) -> None:
    """Write into a row: at its start, or `aside`, in a column to the right of the axes."""
    position: dict[str, Any] = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points", "va": "center"}
    if not aside:  # lines run through here
        position["bbox"] = {"facecolor": PAPER, "edgecolor": "none", "pad": 1.5}
    ax.annotate(text, (1 if aside else 0, row), (6, 0), fontsize=SMALL, annotation_clip=False, color=color, **position)


def dot(cell: Cell) -> dict[str, Any]:
    """Return the style of a value with its interval, for `Axes.errorbar`."""
    style = {"color": row_colour(cell.spec), "marker": mark(cell.spec.method), "markersize": 7, "zorder": 3}
    return style | {"elinewidth": 2, "capsize": 3, "markeredgecolor": PAPER, "markeredgewidth": 0.6}


def dots(
    ax: Axes, panel: Panel, cells: Sequence[Cell], places: Sequence[float], *, upright: bool, **style: Any
) -> None:
    """Draw the values of cells with their intervals, all of one colour and mark in one call, which is faster.

    Args:
        ax: the axes.
        panel: that of the cells.
        cells: with values.
        places: their coordinates on the axis without values.
        upright: whether values are on the y-axis.
        style: in addition to that of `dot`.
    """
    groups: dict[tuple[str, str], list[int]] = {}
    for index, cell in enumerate(cells):
        groups.setdefault((row_colour(cell.spec), mark(cell.spec.method)), []).append(index)
    for group in groups.values():
        values, ends = [panel.value(cells[i]) for i in group], [panel.error(cells[i]) for i in group]
        beside, reach = [places[i] for i in group], list(zip(*ends, strict=True))
        at: dict[str, Any] = (
            {"x": beside, "y": values, "yerr": reach} if upright else {"x": values, "y": beside, "xerr": reach}
        )
        ax.errorbar(**at, linestyle="none", **(dot(cells[group[0]]) | style))


def below(title: str, panel: Panel, missing: Sequence[Cell], more: str = "") -> str:
    """Return an axis title with the cells without a value and their reasons below it."""
    names = [f"{panel.label(cell)} ({cell.status if cell.status != 'ok' else 'no single cost'})" for cell in missing]
    if len(names) > 8:
        names = [*names[:7], f"{len(names) - 7} more"]
    lines = textwrap.wrap(f"no value: {', '.join(names)}", 90) if names else []
    return "\n".join(filter(None, [title, more, *lines]))


def limits(values: Sequence[float], panel: Panel) -> tuple[float, float]:
    """Return axis limits around the values with a margin, for shares not far outside 0 to 100."""
    if not values:
        return 0.0, panel.factor
    low, high = min(values), max(values)
    share = panel.section.unit == "share"
    air = max((high - low) * 0.06, 1.0 if share else abs(high) * 0.05, 1e-9)
    return (max(low - air, -1.5), min(high + air, 101.5)) if share else (low - air, high + air)


def peak(cell: Cell) -> int:
    """Return the training peak in bytes; 0 if nothing was trained or measured."""
    phase = cell.cost.phases.get("train") if cell.cost else None
    return phase.peak_bytes if phase else 0


def memory_axis(ax: Axes, sizes: Sequence[float]) -> None:
    """Set limits from 0 with room for labels; the scale is logarithmic if the sizes are far apart."""
    low, high = min(sizes), max(sizes)
    if low > 0 and high / low > 20:
        from matplotlib.ticker import FuncFormatter, LogLocator

        ax.set_xscale("log", base=2)
        ax.xaxis.set_major_locator(LogLocator(base=2))
        ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.5g}"))
        ax.minorticks_off()
        ax.set_xlim(low / 1.5, high * 1.8)
    else:
        ax.set_xlim(0, high * 1.15 or 1.0)


def rank_axis(ax: Axes, ranks: Sequence[int]) -> None:
    """Set a log2 axis of ranks; among many ranks, only powers of two have labels."""
    from matplotlib.ticker import FixedLocator, NullLocator

    ax.set_xscale("log", base=2)
    ticks = ranks if len(ranks) <= 8 else [p for p in ranks if p & (p - 1) == 0] or [ranks[0], ranks[-1]]
    ax.xaxis.set_major_locator(FixedLocator(list(ticks)))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xticklabels([str(rank) for rank in ticks])
    ax.set_xlim(ranks[0] / 1.25, ranks[-1] * 1.25)


def empty(ax: Axes, text: str) -> None:
    """Write into the axes why there is nothing to draw."""
    ax.text(0.5, 0.5, text, transform=ax.transAxes, ha="center", va="center", color=FAINT)
    ax.set_xticks([])
    ax.set_yticks([])
