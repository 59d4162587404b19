"""Write the table and the figure of docs/learning_rates.md from the measured runs beside this file:   python results/learning_rates/make.py

The runs come from tests/benchmarks/rates.py. A curve is the runs of a model, task, method and alpha over rates. The loss at
the default rate is interpolated between its two neighbours on the logarithm of the rate, if the default itself was not run.
"""

from __future__ import annotations

import json
import math
import sys
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parents[1]
sys.path[:0] = [] if str(ROOT) in sys.path else [str(ROOT)]

from harness.data import registry
from harness.format import NONE, Table, markdown
from harness.report.figures.style import STYLE, colour, mark
from results import make_readme

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FIGURE = FOLDER / "curves.svg"
PAGE = ROOT / "docs" / "learning_rates.md"
WIDTHS = {"tiny": 224, "smollm2": 576}
Key = tuple[str, str, str, int, float]
Curve = Mapping[float, float]


def curves() -> dict[Key, dict[float, float]]:
    """Return validation loss by rate of each model, task, method, rank and alpha: the mean over seeds, infinite if one diverged."""
    losses: dict[Key, dict[float, list[float]]] = defaultdict(lambda: defaultdict(list))
    for path in sorted(FOLDER.glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            run: dict[str, Any] = json.loads(line)
            key = (run["model"], run["task"], run["method"], run["rank"], run["alpha"])
            losses[key][run["learning_rate"]].append(math.inf if run["loss"] is None else run["loss"])
    return {key: {rate: fmean(values) for rate, values in curve.items()} for key, curve in losses.items()}


def default(key: Key) -> float:
    """Return the method's default rate at the model's width; NaN if the curve has another alpha than the default."""
    model, _, name, rank, alpha = key
    method = registry.method(name)
    if method.alpha and method.alpha(rank, WIDTHS[model]) != alpha:
        return math.nan
    return method.learning_rate(WIDTHS[model])


def loss_at(curve: Curve, rate: float) -> float:
    """Return the loss at a rate, interpolated on the logarithm of the rate; NaN outside of the measured rates."""
    below = [known for known in curve if known <= rate]
    above = [known for known in curve if known >= rate]
    if not below or not above:
        return math.nan
    low, high = max(below), min(above)
    if low == high:
        return curve[low]
    share = math.log(rate / low) / math.log(high / low)
    return (1 - share) * curve[low] + share * curve[high]


def _row(key: Key, curve: Curve) -> tuple[str, ...]:
    model, task, method, rank, alpha = key
    best = min(curve, key=lambda rate: curve[rate])
    rate = default(key)
    excess = loss_at(curve, rate) / curve[best] - 1
    name = f"{method} r{rank}" if rank else method
    return (
        model,
        task,
        name,
        f"{alpha:g}" if rank else NONE,
        str(len(curve)),
        f"{best:.2g}",
        f"{curve[best]:.3f}",
        NONE if math.isnan(rate) else f"{rate:.2g}",
        NONE if math.isnan(excess) else f"{100 * excess:.1f}",
        " ".join(f"{rate:.2g}:{curve[rate]:.3f}" for rate in sorted(curve)),
    )


HEADS = ("model", "task", "method", "alpha", "rates", "best rate", "its loss", "default", "excess, %", "rate:loss")


def draw(measured: Mapping[Key, Curve], path: Path) -> None:
    """Draw a panel for each model and task: loss over rates by method at its default alpha, the default rate marked."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    shown = {key: curve for key, curve in measured.items() if not math.isnan(default(key))}
    panels = sorted({key[:2] for key in shown})
    with rc_context(dict[Any, Any](STYLE)):
        figure = Figure(figsize=(8, 2.9 * math.ceil(len(panels) / 2)), layout="constrained")
        grid = figure.subplots(math.ceil(len(panels) / 2), 2, squeeze=False)
        for ax, panel in zip(grid.flat, panels, strict=False):
            for key in (key for key in sorted(shown) if key[:2] == panel):
                _line(ax, key, shown[key])
            ax.set(xscale="log", xlabel="learning rate", ylabel="validation loss, nats a token")
            ax.set_title(" · ".join(panel), loc="left", pad=24)
            ax.xaxis.set_major_formatter("{x:g}")
            ax.xaxis.set_minor_formatter("")  # an axis of little more than a decade would label each of its marks
            ax.legend(
                frameon=False, ncols=3, loc="lower left", bbox_to_anchor=(0, 1), columnspacing=1.0, borderaxespad=0
            )
        for ax in list(grid.flat)[len(panels) :]:
            ax.remove()
        figure.savefig(path, metadata={"Date": None})


def _line(ax: Axes, key: Key, curve: Curve) -> None:
    """Draw a curve with its points, and the default rate as a vertical line in its colour."""
    _, _, method, rank, _ = key
    rates = [rate for rate in sorted(curve) if math.isfinite(curve[rate])]
    style: dict[str, Any] = {"color": colour(method), "linewidth": 1.5}
    name = f"{method} r{rank}" if rank else method
    ax.plot(rates, [curve[rate] for rate in rates], marker=mark(method), markersize=5, label=name, **style)
    ax.axvline(default(key), linestyle=(0, (2, 3)), **style | {"linewidth": 1.0})


def main() -> None:
    """Write the figure, and the table into the page."""
    measured = curves()
    draw(measured, FIGURE)
    rows = tuple(_row(key, curve) for key, curve in sorted(measured.items()))
    table = markdown(Table("Learning rates", HEADS, rows, left=frozenset({0, 1, 2, 9}))) + "\n"
    PAGE.write_text(make_readme.replaced(PAGE.read_text(encoding="utf-8"), table, "curves"), encoding="utf-8")


if __name__ == "__main__":
    main()
