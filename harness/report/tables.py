"""Tables of a task: headline metric, further metrics, memory by part, weights and time, breakdowns by slice.

A `Table` holds text only; `markdown` and the page show it. The leaderboard file (`leaderboard`) has the numbers at full
precision.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

from harness.analysis.aggregate import Cell
from harness.analysis.results import TaskResults
from harness.analysis.sections import Section
from harness.format import (
    NONE,
    Table,
    duration,
    escape,
    heading,
    interval,
    markdown,
    number,
    percent_sign,
    quantity,
    size,
)
from harness.record import Phase
from harness.report import calibration, forgetting, robustness
from harness.report.alarms import alarms
from harness.report.breakdowns import breakdown, confusion
from harness.report.leaderboard import leaderboard as leaderboard
from harness.report.leaderboard import write_leaderboard as write_leaderboard
from harness.report.names import marks, metric_heading, metric_words, time_words
from harness.report.notes import reading
from harness.store import records

LARGE = 16 * 2**30  # bytes; below it a table is in MiB, so that the parts of an adapter can be read


def write(root: Path, results: TaskResults) -> list[Path]:
    """Write `<task>.csv` and `<task>.md` below `root/leaderboard`, those of probes and twins too; return the paths."""
    path = root / "leaderboard" / f"{records.path_word(results.task)}.md"
    paths = [write_leaderboard(root, results.task, results.cells), records.write_text(path, document(results))]
    paths += [forgetting.write(root, results.task, results.changes)] if results.changes else []
    return paths + ([robustness.write(root, results.task, results.twins)] if results.twins else [])


def document(results: TaskResults) -> str:
    """Return all tables of a task as one Markdown text."""
    blocks = [f"# {escape(results.task)}"]
    for section in results.sections:
        blocks.append(f"## {escape(section.title)}")
        tables = section_tables(section, results)
        blocks += [markdown(tables[0]), "\n".join(escape(line) for line in reading(section))]
        if warnings := alarms(section, commits=f"in the column commit of {records.path_word(results.task)}.csv"):
            blocks.append("\n".join(f"- {escape(line)}" for line in warnings))
        blocks += [f"### {escape(table.title)}\n\n{markdown(table)}" for table in tables[1:]]
        calibrated = calibration.rows(section, results.calibrations)
        if (table := calibration.table(calibrated)) is not None:
            blocks += [f"### {escape(table.title)}\n\n{markdown(table)}"]
            blocks.append("\n".join(f"- {escape(line)}" for line in calibration.reading(calibrated)))
    more = forgetting.document(results.changes) + robustness.document(results.twins)
    return "\n\n".join(blocks) + "\n" + more


def section_tables(section: Section, results: TaskResults) -> list[Table]:
    """Return the tables of a section that have content, the headline's first."""
    tables = [headline(section), further(section), spread(section), gains(section), memory(section), effort(section)]
    parts = breakdown(section, results) + confusion(section, results)
    return [table for table in tables if table is not None] + parts


def headline(section: Section, *, reasons: bool = True) -> Table:
    """Return the table of the headline metric: value, paired difference from base, their intervals, and marks.

    `reasons`: an unfinished run has its reason in the table; the warnings beside the table always have it.
    """
    unit = section.unit
    rows = []
    for cell in section.headline:
        base = cell.vs_base
        rows.append(
            (
                section.label(cell),
                str(len(cell.seeds)),
                number(cell.value, unit),
                interval(cell.low, cell.high, unit),
                number(base.value, unit, sign=True) if base else "",
                interval(base.low, base.high, unit, sign=True) if base else "",
                marks(section, cell, reason=reasons),
            )
        )
    base_name = section.label(section.baseline) if section.baseline else "base"
    columns = (
        "run",
        "seeds",
        metric_heading(section),
        "95 % interval",
        f"difference from {base_name}",
        "interval of difference",
        "",
    )
    return Table(metric_words(section).capitalize(), columns, tuple(rows), left=frozenset({0, 6}))


def further(section: Section) -> Table | None:
    """Return the table of the other metrics with their marks; their intervals are in the leaderboard file.

    Its last column is form: the probability of the end token behind the right option.
    """
    cells = [cell for cell in section.cells if not cell.headline and cell.value is not None]
    names = list(dict.fromkeys(cell.metric for cell in cells))
    ends = {section.label(cell): cell.end_probability for cell in section.headline}
    form = any(value is not None for value in ends.values())
    if not names and not form:
        return None
    by_name = {(section.label(cell), cell.metric): cell for cell in cells}
    first = {name: next(cell for cell in cells if cell.metric == name) for name in names}
    heads = [heading(name, cell.unit, higher_is_better=cell.higher_is_better) for name, cell in first.items()]
    rows = [
        (label, *(_marked(by_name.get((label, name))) for name in names), *[number(ends[label])] * form)
        for label in dict.fromkeys(section.label(cell) for cell in section.headline)
    ]
    return Table("Further metrics", ("run", *heads, *["ends the answer, %"] * form), tuple(rows))


def _marked(cell: Cell | None) -> str:
    if cell is None:
        return NONE
    mark = {"best": " ◀", "tied": " ≈", "": ""}[cell.best_or_tied]
    return number(cell.value, cell.unit) + mark


def spread(section: Section) -> Table | None:
    """Return the table of the spread over seeds and over questions; None if every row has one seed."""
    cells = [cell for cell in section.headline if cell.seed_sd is not None]
    if not cells:
        return None
    rows = []
    for cell in cells:
        values = [record.scores[cell.metric].value for record in cell.records]
        numbers = (min(values), max(values), cell.seed_sd, cell.item_se)
        rows.append((section.label(cell), str(len(values)), *(number(value, cell.unit) for value in numbers)))
    columns = (
        "run",
        "seeds",
        "lowest seed",
        "highest seed",
        "standard deviation between seeds",
        "standard error over questions",
    )
    return Table(f"Spread over seeds and questions,{percent_sign(section.unit)}", columns, tuple(rows))


def gains(section: Section) -> Table | None:
    """Return the table of readable answers and of the two parts of the gain; None if no row has written answers.

    `compare.gains` defines the parts, format and knowledge.
    """
    cells = list(section.headline)
    split = any(cell.gains for cell in cells)
    if not split and all(cell.spec.scoring != "generate" for cell in cells):
        return None
    rows_of = [(section.label(cell), cell) for cell in cells]
    if split and section.other_base is not None:
        way = {"choices": "by log-likelihood", "generate": "writing"}[section.other_base.spec.scoring]
        rows_of.insert(0, (f"base, {way}", section.other_base))
    columns = [
        "run",
        f"{metric_words(section)}{percent_sign(section.unit)}",
        "readable answers %",
        "score of readable answers",
    ]
    columns += ["gain over base that writes", "95 % interval", "format part", "knowledge part", "95 % interval"] * split
    rows = []
    for label, cell in rows_of:
        row = [label, *(number(value, cell.unit) for value in (cell.value,)), number(cell.parse_rate)]
        row.append(number(cell.readable_score, cell.unit))
        if split:
            row += _gained(cell)
        rows.append(tuple(row))
    return Table("Format and knowledge", tuple(columns), tuple(rows))


def _gained(cell: Cell) -> list[str]:
    if cell.gains is None:
        return [""] * 5
    total, form, knowledge = cell.gains.total, cell.gains.format, cell.gains.knowledge
    gains = [number(part.difference, cell.unit, sign=True) for part in (total, form, knowledge)]
    spans = [interval(part.low, part.high, cell.unit, sign=True) for part in (total, knowledge)]
    return [gains[0], spans[0], gains[1], gains[2], spans[1]]


def memory(section: Section) -> Table | None:
    """Return the table of peak memory: training by part, with its prediction; evaluation; the process's resident size.

    None if nothing was measured.
    """
    phases = [phase for cell in section.with_model if cell.cost for phase in cell.cost.phases.values()]
    if not phases:
        return None
    scale, unit = memory_unit(max(phase.peak_bytes for phase in phases))
    columns = [
        "run",
        "training peak",
        "predicted peak",
        "prediction error",
        "frozen weights",
        "trained weights",
        "gradients",
    ]
    columns += [
        "optimizer state",
        "activations and rest",
        "evaluation peak",
        "resident size of the process, libraries included",
    ]
    reserved = any(phase.reserved_bytes for phase in phases)
    rows = []
    for cell in section.with_model:
        cost = cell.cost
        train, test = (cost.phases.get("train"), cost.phases.get("evaluate")) if cost else (None, None)
        predicted = cost.predicted_peak_bytes if cost and train else 0
        parts = dataclasses.astuple(cost.parts) if cost and cost.parts else (None,) * 5
        off = f"{predicted / train.peak_bytes - 1:+.1%}" if predicted and train and train.peak_bytes else NONE
        resident = max((phase.resident_bytes for phase in cost.phases.values()), default=0) if cost else 0
        counts: list[int | None] = [_peak(train), predicted or None, *parts, _peak(test), resident or None]
        counts += [train.reserved_bytes if train else None] * reserved
        sizes = [NONE if count is None else in_unit(count, scale) for count in counts]
        rows.append((_row_name(section, cell), *sizes[:2], off.replace("%", " %"), *sizes[2:]))
    return Table(f"Memory, {unit}", (*columns, *["reserved by the allocator"] * reserved), tuple(rows))


def memory_unit(largest: float) -> tuple[float, str]:
    """Return the unit for a whole table or figure, as (bytes, name), fitting its largest number of bytes."""
    return (2**30, "GiB") if largest >= LARGE else (2**20, "MiB")


def in_unit(count: float, scale: float) -> str:
    """Return bytes in a unit of `memory_unit`, with two decimals in GiB: an adapter of rank 8 has some hundredths."""
    return f"{count / scale:,.{2 if scale == 2**30 else 1}f}"


def effort(section: Section) -> Table | None:
    """Return the table of trained weights, adapter size, speed and time; None if nothing was measured."""
    if not any(cell.cost for cell in section.headline):
        return None
    columns = ("run", "trained weights", "share of the model", "adapter file", "training tokens", "tokens/s")
    rows = []
    for cell in section.headline:
        cost = cell.cost
        if cost is None:
            rows.append((_row_name(section, cell), *[NONE] * 7))
            continue
        train, test = cost.phases.get("train"), cost.phases.get("evaluate")
        fitting = train or cost.phases.get("fit")
        share = f"{100 * cost.trained_weights / cost.weights:.3g} %" if cost.weights and train else NONE
        rows.append(
            (
                _row_name(section, cell),
                quantity(cost.trained_weights) if train else NONE,
                share,
                size(cost.adapter_bytes) if cost.adapter_bytes else NONE,
                f"{cost.train_tokens:,}" if train else NONE,
                f"{cost.train_tokens_per_second:,.0f}" if train else NONE,
                time_words(cell.train_times, cell) if train else duration(fitting.seconds) if fitting else NONE,
                time_words(cell.test_times) if test else NONE,
            )
        )
    return Table("Weights and time", (*columns, "training time", "evaluation time"), tuple(rows))


def _row_name(section: Section, cell: Cell) -> str:
    return section.label(cell) + (f" ({cell.status})" if cell.status != "ok" else "")


def _peak(phase: Phase | None) -> int | None:
    return phase.peak_bytes if phase else None
