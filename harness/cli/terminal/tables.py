"""Tables of the terminal: memory and time in one narrow table, plain lists, the settings that a plan shares."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal

from harness.analysis.costs import Times
from harness.analysis.sections import Section
from harness.format import NONE, Table, counted, duration, number, one_line, run_name
from harness.methods.base import ALPHA
from harness.record import Phase, RunSpec
from harness.report.names import time_marks
from harness.report.tables import in_unit, memory_unit

if TYPE_CHECKING:
    import rich.table

    from harness.runs.plan import Plan

WIDTH = 100  # columns that a table should fit into
PARTS = ("frozen weights", "trained weights", "grads", "optim", "rest")
COSTS = ("peak", "predicted", *PARTS, "trained %", "tokens/s", "train time", "test time", "test peak")


def rich_table(table: Table) -> rich.table.Table:
    """Return the table for the terminal, without lines."""
    import rich.table

    titles, gap = fitted(table)
    table_of_rich = rich.table.Table(box=None, pad_edge=False, padding=(0, gap, 0, 0), header_style="dim")
    for column, title in enumerate(titles):
        justify: Literal["left", "right"] = "left" if column in table.left else "right"
        style = "bold" if column == 0 else None
        table_of_rich.add_column(title, justify=justify, vertical="bottom", no_wrap=True, style=style)
    for row in table.rows:
        table_of_rich.add_row(*map(one_line, row))
    return table_of_rich


def fitted(table: Table) -> tuple[tuple[str, ...], int]:
    """Return titles and the gap between columns, the widest that fit a table into `WIDTH`.

    Titles are in one line, else in two, else in two with a gap of one. No cell is ever cut: a table may stay too wide.
    """
    cells = [max((len(row[column]) for row in table.rows), default=0) for column in range(len(table.columns))]
    folded = tuple(map(_in_two_lines, table.columns))
    for titles, gap in ((table.columns, 2), (folded, 2)):
        widths = [max(cell, *map(len, title.split("\n"))) for cell, title in zip(cells, titles, strict=True)]
        if sum(widths) + gap * (len(widths) - 1) <= WIDTH:
            return titles, gap
    return folded, 1


def _in_two_lines(title: str) -> str:
    """Return a title broken at the blank that makes it narrowest."""
    blanks = [position for position, letter in enumerate(title) if letter == " "]
    if not blanks:
        return title
    position = min(blanks, key=lambda position: max(position, len(title) - position))
    return f"{title[:position]}\n{title[position + 1 :]}"


def costs(section: Section) -> Table | None:
    """Return the table of training memory by part, its prediction, trained weights and time; None if nothing was measured."""
    cells = [cell for cell in section.with_model if cell.cost is not None]
    trained = [cell.cost.phases["train"].peak_bytes for cell in cells if cell.cost and "train" in cell.cost.phases]
    if not cells:
        return None
    scale, unit = memory_unit(max(trained, default=0))
    rows = []
    for cell in cells:
        cost = cell.cost
        assert cost is not None
        train, test = cost.phases.get("train"), cost.phases.get("evaluate")
        parts = dataclasses.astuple(cost.parts) if cost.parts else (None,) * 5
        memory = (_peak(train), cost.predicted_peak_bytes if train else None, *parts)
        share = cost.trained_weights / cost.weights if cost.weights else 0.0
        rows.append(
            (
                section.label(cell),
                *(_short(count, scale) if count else NONE for count in memory),
                f"{100 * share:.3g}" if train else NONE,
                f"{cost.train_tokens_per_second:,.0f}" if train else NONE,
                _median(cell.train_times) + time_marks(cell) if train else NONE,
                _median(cell.test_times),
                _short(test.peak_bytes, scale) if test and test.peak_bytes else NONE,
            )
        )
    return Table("memory and time", (unit, *COSTS), tuple(rows))


def _short(count: float, scale: float) -> str:
    return in_unit(count, scale).replace(",", "")


def _median(times: Times | None) -> str:
    return duration(times.median) if times else NONE


def text_table(rows: Iterable[Sequence[str]], *titles: str) -> Table:
    """Return a table of text with all columns aligned to the left."""
    return Table("", titles, tuple(tuple(row) for row in rows), left=frozenset(range(len(titles))))


def _peak(phase: Phase | None) -> int | None:
    return phase.peak_bytes if phase else None


def conditions(plan: Plan) -> list[str]:
    """Return lines about the settings shared by all methods, those tuned, and those at their defaults."""
    trained = [spec for spec in plan.specs if spec.train_examples]
    if not trained:
        return []
    spec = trained[0]
    rates = {s.method: f"{s.method} {s.learning_rate:.2g}" for s in trained if not s.tuned_over}
    alphas = sorted({s.alpha for s in trained if s.rank})
    defaults = [f"learning rate ({', '.join(rates.values())})"] if rates else []
    if alphas:
        why = " (by rank: more than the usual 32, as the model is narrow)" * (len(alphas) > 1 or alphas[0] != ALPHA)
        default = plan.options.alpha is None
        defaults.append("alpha " + ", ".join(f"{alpha:g}" for alpha in alphas) + why * default)
    defaults += [f"warm-up {number(spec.warmup)} %", f"weight decay {spec.weight_decay:g}"]
    by_name = {run_name(s, seed=False): s for s in trained if s.tuned_over}
    tuned = [f"{' '.join(name.split())} {s.learning_rate:.2g}" for name, s in by_name.items()]
    return [
        f"held equal   {counted(spec.train_examples, 'example')} × {counted(spec.epochs, 'epoch')} {_order(trained)} · "
        f"{spec.batch_size} per optimizer step ({spec.micro_batch} at a time) · prompts, loss, AdamW, schedule, evaluation",
        *[f"tuned        learning rate on {len(plan.splits.validation):,} validation examples: {', '.join(tuned)}"]
        * bool(tuned),
        f"not tuned    {' · '.join(defaults)}",
        f"seeds        {', '.join(str(seed) for seed in sorted({s.seed for s in trained}))}",
    ]


def _order(trained: Sequence[RunSpec]) -> str:
    """Return a clause about the order of the examples: each client of a federated method has its own."""
    names = ", ".join(dict.fromkeys(spec.method for spec in trained if spec.rounds))
    if not names:
        return "in the same order"
    rest = "in the same order, " if any(not spec.rounds for spec in trained) else ""
    return f"{rest}{f'but {names}: ' if rest else ''}each client has its own examples and order"
