"""Cells to the tables that end a run: what was reached, what it took, and what stands behind the figures."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from harness.compare import Cell, Comparison
from harness.costs import cost_note
from harness.format import NONE, duration, interval, number, quantity, run_name, size
from harness.schema import Phase

if TYPE_CHECKING:
    from rich.table import Table

MARKS = {"best": "◀ best", "tied": "≈ best", "": ""}
REASON_WIDTH = 60


def headline_table(cells: Sequence[Cell]) -> Table:
    """The task's first metric: value with interval, difference from base with interval, best and what ties with it."""
    shown = [cell for cell in cells if cell.headline]
    unit = next((cell.unit for cell in shown if cell.status == "ok"), "share")
    in_percent = " %" if unit == "share" else f" {unit}"
    table = _table(
        "", f"{metric_title(shown)}{in_percent}", "95 % interval", "against base", "95 % interval", "", aligned="rlrll"
    )
    for cell in shown:
        if cell.status != "ok":
            table.add_row(row_name(cell), cell.status, *_reason(cell))
            continue
        base = cell.vs_base
        table.add_row(
            row_name(cell),
            number(cell.value, unit),
            interval(cell.low, cell.high, unit),
            number(base.value, unit, sign=True) if base else "",
            interval(base.low, base.high, unit, sign=True) if base else "",
            "▼ below chance" if cell.below_chance else MARKS[cell.best_or_tied],
        )
    return table


def other_table(cells: Sequence[Cell]) -> Table | None:
    """The task's further metrics side by side, None where it has one only; intervals are in the leaderboard file."""
    names = list(dict.fromkeys(cell.metric for cell in cells if not cell.headline and cell.status == "ok"))
    if not names:
        return None
    by_place = {(row_name(cell), cell.metric): cell for cell in cells}
    units = {cell.metric: cell.unit for cell in cells if cell.status == "ok"}
    table = _table("", *(f"{name.replace('_', ' ')}{' %' if units[name] == 'share' else ''}" for name in names))
    for row in dict.fromkeys(row_name(cell) for cell in cells if cell.status == "ok"):
        found = [by_place.get((row, name)) for name in names]
        table.add_row(row, *(_marked(cell) if cell else NONE for cell in found))
    return table


def cost_table(cells: Sequence[Cell]) -> Table | None:
    """Training memory by part with its prediction, trained weights, and time; None where nothing was measured."""
    shown = [cell for cell in cells if cell.headline and cell.cost is not None]
    if not shown:
        return None
    scale, unit = _scale(shown)
    titles = ("peak", "predicted", "frozen", "trained", "gradients", "optimizer", "rest")
    table = _table(unit, *titles, "trains", "share %", "tokens/s", "train", "test")
    for cell in shown:
        cost = cell.cost
        assert cost is not None
        train, test, parts = cost.phases.get("train"), cost.phases.get("evaluate"), cost.parts
        by_part = (
            (
                parts.frozen_weights,
                parts.trained_weights,
                parts.gradients,
                parts.optimizer_state,
                parts.activations_and_rest,
            )
            if parts
            else (None,) * 5
        )
        table.add_row(
            row_name(cell),
            *(_in_unit(count, scale) for count in (_peak(train), cost.predicted_peak_bytes or None, *by_part)),
            quantity(cost.trained_weights) if cost.trained_weights else NONE,
            f"{100 * cost.trained_weights / cost.weights:.3g}" if cost.trained_weights else NONE,
            f"{cost.train_tokens_per_second:,.0f}" if cost.train_tokens_per_second else NONE,
            duration(train.seconds) if train else NONE,
            duration(test.seconds) if test else NONE,
        )
    return table


def comparison_table(found: Comparison, a: str, b: str) -> Table:
    """Scores of two runs, metric by metric, with the paired difference."""
    table = _table("", a, b, "difference", "95 % interval", "p")
    for name, difference in found.scores.items():
        left, right = found.a.scores[name], found.b.scores[name]
        table.add_row(
            name.replace("_", " ") + (" %" if left.unit == "share" else f" {left.unit}"),
            number(left.value, left.unit),
            number(right.value, left.unit),
            number(difference.value, left.unit, sign=True),
            interval(difference.low, difference.high, left.unit, sign=True),
            f"{difference.p_holm:.2g}",
        )
    return table


def cost_comparison(found: Comparison, a: str, b: str) -> Table:
    """Memory and time of two runs on one machine."""
    table = _table("", a, b)
    for phase in ("train", "evaluate"):
        phases = [record.cost.phases.get(phase) if record.cost else None for record in (found.a, found.b)]
        table.add_row(f"{phase} peak", *(size(one.peak_bytes) if one else NONE for one in phases))
        table.add_row(f"{phase} time", *(duration(one.seconds) if one else NONE for one in phases))
    return table


def notes(cells: Sequence[Cell]) -> list[str]:
    """What a reader of the tables must know: chance, unreadable answers, shortened inputs, costs not comparable."""
    shown = [cell for cell in cells if cell.headline and cell.status == "ok"]
    lines = []
    if chance := next((cell.chance for cell in shown if cell.chance is not None), None):
        lines.append(f"guessing scores {number(chance, shown[0].unit)}")
    if any(cell.best_or_tied == "tied" for cell in shown):
        lines.append("≈ best: a paired test over these questions cannot tell it from the best (5 %, Holm-adjusted)")
    unparsed = [(row_name(cell), 1 - cell.parse_rate) for cell in shown if cell.parse_rate not in (None, 1.0)]
    if unparsed:
        lines.append("unreadable answers, counted as wrong: " + ", ".join(f"{n} {number(v)} %" for n, v in unparsed))
    if cut := max((record.cut_examples for cell in shown for record in cell.records), default=0):
        lines.append(f"{cut:,} inputs were too long for --max-tokens and lost part of their context")
    if note := cost_note([record for cell in shown for record in cell.records]):
        lines.append(f"memory and time are {note}")
    return lines


def row_name(cell: Cell) -> str:
    """A row's name: method, rank, and the number of seeds where there are several."""
    seeds = f" ×{len(cell.seeds)}" if len(cell.seeds) > 1 else ""
    return run_name(cell.spec, seed=False) + seeds


def metric_title(cells: Sequence[Cell]) -> str:
    """The headline metric's name in words."""
    return next((cell.metric for cell in cells if cell.metric), "score").replace("_", " ")


def lay_out(rows: Iterable[Sequence[str]], *titles: str) -> Table:
    """A plain table of words, all columns to the left."""
    table = _table(*titles, aligned="l" * len(titles))
    for row in rows:
        table.add_row(*row)
    return table


def _table(first: str, *titles: str, aligned: str = "") -> Table:
    """A table without lines; `aligned` has an `l` or `r` for each column after the first, `r` where it is short."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column(first, no_wrap=True, style="bold")
    for place, title in enumerate(titles, start=1):
        left = aligned[place - 1 : place] == "l"
        table.add_column(title, justify="left" if left else "right", no_wrap=True)
    return table


def _reason(cell: Cell) -> tuple[str, ...]:
    text = cell.reason if len(cell.reason) <= REASON_WIDTH else cell.reason[: REASON_WIDTH - 1] + "…"
    return ("", "", "", text)


def _marked(cell: Cell) -> str:
    mark = {"best": " ◀", "tied": " ≈", "": "  "}[cell.best_or_tied]
    return number(cell.value, cell.unit) + mark


def _scale(cells: Sequence[Cell]) -> tuple[float, str]:
    peaks = [_peak(cell.cost.phases.get("train")) or 0 for cell in cells if cell.cost]
    return (2**30, "GiB") if max(peaks, default=0) >= 4 * 2**30 else (2**20, "MiB")


def _peak(phase: Phase | None) -> int | None:
    return phase.peak_bytes if phase else None


def _in_unit(count: int | None, scale: float) -> str:
    return NONE if count is None or math.isnan(count) else f"{count / scale:,.1f}"
