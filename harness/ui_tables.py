"""The tables that only a terminal shows: memory and time in one narrow table, two runs side by side, plain lists."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from harness.compare import Comparison
from harness.format import NONE, duration, interval, number, quantity, size
from harness.schema import Phase
from harness.sections import Section, percent_sign, words
from harness.tables import Table

if TYPE_CHECKING:
    import rich.table

GIB_FROM = 4 * 2**30  # a table whose largest peak is below this is in MiB
COSTS = ("peak", "predicted", "frozen", "trained", "gradients", "optimizer", "rest", "trains", "share %", "tokens/s")


def drawn(table: Table) -> rich.table.Table:
    """The table as the terminal shows it, without lines."""
    import rich.table

    shown = rich.table.Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for place, title in enumerate(table.columns):
        justify = "left" if place in table.left else "right"
        shown.add_column(title, justify=justify, no_wrap=True, style="bold" if place == 0 else None)  # type: ignore[arg-type]
    for row in table.rows:
        shown.add_row(*row)
    return shown


def costs(section: Section) -> Table | None:
    """Training memory by part with its prediction, trained weights, and time; None where nothing was measured."""
    shown = [cell for cell in section.headline if cell.cost is not None]
    trained = [cell.cost.phases["train"].peak_bytes for cell in shown if cell.cost and "train" in cell.cost.phases]
    if not shown:
        return None
    scale, unit = (2**30, "GiB") if max(trained, default=0) >= GIB_FROM else (2**20, "MiB")
    rows = []
    for cell in shown:
        cost = cell.cost
        assert cost is not None
        train, test = cost.phases.get("train"), cost.phases.get("evaluate")
        parts = dataclasses.astuple(cost.parts) if cost.parts else (None,) * 5
        memory = (_peak(train), cost.predicted_peak_bytes if train else None, *parts)
        share = cost.trained_weights / cost.weights if cost.weights else 0.0
        rows.append(
            (
                section.label(cell),
                *(f"{count / scale:,.1f}" if count else NONE for count in memory),
                quantity(cost.trained_weights) if train else NONE,
                f"{100 * share:.3g}" if train else NONE,
                f"{cost.train_tokens_per_second:,.0f}" if train else NONE,
                duration(train.seconds) if train else NONE,
                duration(test.seconds) if test else NONE,
            )
        )
    return Table("memory and time", (unit, *COSTS, "train", "test"), tuple(rows))


def scores_compared(found: Comparison, a: str, b: str) -> Table:
    """Scores of two runs, metric by metric, with the paired difference."""
    rows = []
    for name, difference in found.scores.items():
        left, right = found.a.scores[name], found.b.scores[name]
        rows.append(
            (
                words(name) + percent_sign(left.unit),
                number(left.value, left.unit),
                number(right.value, left.unit),
                number(difference.value, left.unit, sign=True),
                interval(difference.low, difference.high, left.unit, sign=True),
                f"{difference.p_holm:.2g}",
            )
        )
    return Table("scores", ("", a, b, "difference", "95 % interval", "p"), tuple(rows))


def costs_compared(found: Comparison, a: str, b: str) -> Table:
    """Memory and time of two runs on one machine."""
    rows = []
    for phase in ("train", "evaluate"):
        both = [record.cost.phases.get(phase) if record.cost else None for record in (found.a, found.b)]
        rows.append((f"{phase} peak", *(size(one.peak_bytes) if one else NONE for one in both)))
        rows.append((f"{phase} time", *(duration(one.seconds) if one else NONE for one in both)))
    return Table("memory and time", ("", a, b), tuple(rows))


def words_only(rows: Iterable[Sequence[str]], *titles: str) -> Table:
    """A table of words, all columns to the left."""
    return Table("", titles, tuple(tuple(row) for row in rows), left=frozenset(range(len(titles))))


def _peak(phase: Phase | None) -> int | None:
    return phase.peak_bytes if phase else None
