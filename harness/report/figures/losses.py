"""Draws the loss over the steps of training: a curve for each trained row, its first seed, as a running mean.

If a row's weights were chosen by validation loss (`--keep-best`), its measurements are dots, and a ring is around the lowest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness.analysis.aggregate import Cell
from harness.analysis.sections import Section
from harness.report.figures import layout
from harness.report.figures.labels import End, label_ends
from harness.report.figures.layout import Panel
from harness.report.figures.style import SMALL, clean, colour

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Losses = Mapping[str, Sequence[tuple[int, float]]]  # (step, loss) by run id
MOST = 12  # curves that people can tell apart
WINDOW = 20  # steps of the running mean, at most
STYLES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1.5, 1.2)), (0, (5, 1.5, 1.5, 1.5)))


def draw(task: str, sections: Sequence[Section], losses: Losses) -> Figure:
    """Draw a panel for each section; each has rows with steps."""
    figure, axes = layout.new_figure(f"{task}: loss in training", [3.4] * len(sections))
    return layout.finish(figure, [_panel(ax, section, losses) for ax, section in zip(axes, sections, strict=True)])


def rows(section: Section, losses: Losses) -> list[Cell]:
    """Return the first rows of a section whose first seed has logged at least two steps, at most `MOST`."""
    cells = [cell for cell in section.headline if cell.status == "ok" and len(losses.get(cell.run_ids[0], ())) > 1]
    return cells[:MOST]


def running_mean(values: Sequence[float]) -> list[float]:
    """Return the mean of each value and those before it, over a tenth of all values and at most `WINDOW`."""
    window = min(WINDOW, max(1, len(values) // 10))
    parts = (values[max(0, end - window) : end] for end in range(1, len(values) + 1))
    return [sum(part) / len(part) for part in parts]


def _panel(ax: Axes, section: Section, losses: Losses) -> Callable[[Any], None]:
    cells, ends = rows(section, losses), []
    for cell in cells:
        steps = losses[cell.run_ids[0]]
        means = running_mean([loss for _, loss in steps])
        same = [other for other in cells if other.spec.method == cell.spec.method]
        style = STYLES[same.index(cell) % len(STYLES)]
        shade = colour(cell.spec.method)
        ax.plot([step for step, _ in steps], means, color=shade, linestyle=style, linewidth=1.6)
        if selection := cell.records[0].selection:
            at = selection.steps.index(selection.best)
            ax.plot(selection.steps, selection.losses, "o", color=shade, markersize=3)
            ax.plot(selection.best, selection.losses[at], "o", color=shade, markersize=8, fillstyle="none")
        ends.append(End(means[-1], f"{section.label(cell)}  {means[-1]:.2f}", shade, style))
    ax.set_ylim(bottom=0)
    ax.set_xlim(left=0)
    ax.set_xlabel("optimizer step")
    ax.set_ylabel("loss, nats per target token")
    finished = [cell for cell in section.headline if cell.status == "ok"]
    left_out = sum(len(losses.get(cell.run_ids[0], ())) > 1 for cell in finished) - len(cells)
    more = f" · {left_out} more rows not drawn" if left_out else ""
    dots = " · dots: validation loss, the ring is tested" * any(cell.records[0].selection is not None for cell in cells)
    about = [part for part in section.title.split(" · ") if "test questions" not in part]
    about += [f"{max(cell.spec.train_examples for cell in cells):,} training examples", "first seed, running mean"]
    machine = Panel(section, section.headline).machine
    layout.heading(ax, [*layout.wrap(" · ".join(about) + dots + more), *layout.wrap(clean(machine, 150))], ())
    move = label_ends(ax, ends, fontsize=SMALL)
    return lambda renderer: move()
