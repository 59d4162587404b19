"""Cells to tables of text: accuracy, further metrics, memory by part, weights and time, breakdown by slice.

A `Table` is words only and has two readers: `markdown` here and the page in `report`. The numbers at full precision
are in the leaderboard file (`leaderboard`).
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness import score, store
from harness.cells import Cell
from harness.evidence import Metrics, Run, find_metric
from harness.format import NONE, duration, interval, number, quantity, size
from harness.leaderboard import leaderboard as leaderboard
from harness.leaderboard import write_leaderboard as write_leaderboard
from harness.schema import Answer, Metric, Phase
from harness.sections import Section, alarms, percent_sign, reading, sections, words


@dataclass(frozen=True)
class Table:
    """A table of text. The first column and those named in `left` start at the left, the others end at the right."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    left: frozenset[int] = frozenset({0})


def write(
    root: Path, task: str, cells: Iterable[Cell], *, runs: Iterable[Run] = (), metrics: Metrics | None = None
) -> list[Path]:
    """Write `root/leaderboard/<task>.csv` and `<task>.md`; return both paths.

    Args:
        root: the results folder.
        task: only this task's cells and runs are used.
        cells: from `compare.cells`.
        runs: records with their answers, for the breakdown by slice; without them there is none.
        metrics: as for `compare.cells`.
    """
    cells = [cell for cell in cells if cell.spec.task == task]
    runs = [run for run in runs if run[0].spec.task == task]
    text = document(task, cells, runs=runs, metrics=metrics)
    path = root / "leaderboard" / f"{store.path_word(task)}.md"
    return [write_leaderboard(root, task, cells), store.write_text(path, text)]


def document(task: str, cells: Iterable[Cell], *, runs: Iterable[Run] = (), metrics: Metrics | None = None) -> str:
    """Return all tables of a task as one Markdown text."""
    runs = list(runs)
    blocks = [f"# {escape(task)}"]
    for section in sections(cells):
        blocks.append(f"## {escape(section.title)}")
        tables = section_tables(section, runs, metrics)
        blocks += [markdown(tables[0]), "\n".join(escape(line) for line in reading(section))]
        if warnings := alarms(section, commits=f"in the column commit of {store.path_word(task)}.csv"):
            blocks.append("\n".join(f"- {escape(line)}" for line in warnings))
        blocks += [f"### {escape(table.title)}\n\n{markdown(table)}" for table in tables[1:]]
    return "\n\n".join(blocks) + "\n"


def section_tables(section: Section, runs: Iterable[Run], metrics: Metrics | None = None) -> list[Table]:
    """Return every table of a section, the headline's first, those without content left out."""
    found = [headline(section), further(section), spread(section), gains(section), memory(section), effort(section)]
    return [table for table in found if table is not None] + breakdown(section, runs, metrics)


def headline(section: Section, *, reasons: bool = True) -> Table:
    """The headline metric: value and interval, paired difference from base and its interval, the marks.

    `reasons` says whether a run that did not finish tells why; the alarms beside the table always do.
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
                section.verdict(cell, reason=reasons),
            )
        )
    title = f"{section.metric}{percent_sign(unit)}"
    columns = ("run", "seeds", title, "95 % interval", "against base", "95 % interval", "")
    return Table(section.metric.capitalize(), columns, tuple(rows), left=frozenset({0, 6}))


def further(section: Section) -> Table | None:
    """The other metrics side by side, marks included; their intervals are in the leaderboard file."""
    others = [cell for cell in section.cells if not cell.headline and cell.value is not None]
    names = list(dict.fromkeys(cell.metric for cell in others))
    if not names:
        return None
    found = {(section.label(cell), cell.metric): cell for cell in others}
    heads = [f"{words(name)}{percent_sign(next(c.unit for c in others if c.metric == name))}" for name in names]
    rows = [
        (label, *(_marked(found.get((label, name))) for name in names))
        for label in dict.fromkeys(section.label(cell) for cell in section.headline)
    ]
    return Table("Further metrics", ("run", *heads), tuple(rows))


def _marked(cell: Cell | None) -> str:
    if cell is None:
        return NONE
    mark = {"best": " ◀", "tied": " ≈", "": ""}[cell.best_or_tied]
    return number(cell.value, cell.unit) + mark


def spread(section: Section) -> Table | None:
    """Where the doubt in each row comes from: other seeds, other questions. None where each has one seed."""
    cells = [cell for cell in section.headline if cell.seed_sd is not None]
    if not cells:
        return None
    rows = []
    for cell in cells:
        each = [record.scores[cell.metric].value for record in cell.records]
        shown = (min(each), max(each), cell.seed_sd, cell.item_se)
        rows.append((section.label(cell), str(len(each)), *(number(value, cell.unit) for value in shown)))
    columns = ("run", "seeds", "lowest seed", "highest seed", "sd between seeds", "standard error over questions")
    return Table(f"Seeds and questions,{percent_sign(section.unit)}", columns, tuple(rows))


def gains(section: Section) -> Table | None:
    """What was read of the answers, and what of the gain is format: where answers are written, or the base model's are.

    See `compare.gains` for what is called format here.
    """
    cells = list(section.headline)
    split = any(cell.gains for cell in cells)
    if not split and all(cell.spec.scoring != "generate" for cell in cells):
        return None
    named = [(section.label(cell), cell) for cell in cells]
    if split and section.other_base is not None:
        way = {"choices": "by log-likelihood", "generate": "writing"}[section.other_base.spec.scoring]
        named.insert(0, (f"base, {way}", section.other_base))
    columns = ["run", f"{section.metric}{percent_sign(section.unit)}", "answers read %", "score of those read"]
    columns += ["gain on base that writes", "95 % interval", "of it format", "of it knowledge", "95 % interval"] * split
    rows = []
    for label, cell in named:
        row = [label, *(number(value, cell.unit) for value in (cell.value,)), number(cell.parse_rate)]
        row.append(number(cell.read_right, cell.unit))
        if split:
            row += _gained(cell)
        rows.append(tuple(row))
    return Table("Format and knowledge", tuple(columns), tuple(rows))


def _gained(cell: Cell) -> list[str]:
    if cell.gains is None:
        return [""] * 5
    total, form, known = cell.gains.total, cell.gains.format, cell.gains.knowledge
    shown = [number(one.difference, cell.unit, sign=True) for one in (total, form, known)]
    spans = [interval(one.low, one.high, cell.unit, sign=True) for one in (total, known)]
    return [shown[0], spans[0], shown[1], shown[2], spans[1]]


def memory(section: Section) -> Table | None:
    """Peak memory of training, measured and predicted, by part; of evaluation; the process's peak resident size.

    None where nothing was measured.
    """
    phases = [phase for cell in section.headline if cell.cost for phase in cell.cost.phases.values()]
    if not phases:
        return None
    scale, unit = memory_unit(max(phase.peak_bytes for phase in phases))
    columns = ["run", "training peak", "predicted", "off by", "frozen weights", "trained weights", "gradients"]
    columns += ["optimizer state", "activations and rest", "evaluation peak", "peak resident size"]
    reserved = any(phase.reserved_bytes for phase in phases)
    rows = []
    for cell in section.headline:
        cost = cell.cost
        train, test = (cost.phases.get("train"), cost.phases.get("evaluate")) if cost else (None, None)
        predicted = cost.predicted_peak_bytes if cost and train else 0
        kept = dataclasses.astuple(cost.parts) if cost and cost.parts else (None,) * 5
        off = f"{predicted / train.peak_bytes - 1:+.1%}" if predicted and train and train.peak_bytes else NONE
        resident = max((phase.resident_bytes for phase in cost.phases.values()), default=0) if cost else 0
        shown: list[int | None] = [_peak(train), predicted or None, *kept, _peak(test), resident or None]
        shown += [train.reserved_bytes if train else None] * reserved
        sizes = [NONE if count is None else f"{count / scale:,.1f}" for count in shown]
        rows.append((_named(section, cell), *sizes[:2], off.replace("%", " %"), *sizes[2:]))
    return Table(f"Memory, {unit}", (*columns, *["reserved in training"] * reserved), tuple(rows))


def memory_unit(largest: float) -> tuple[float, str]:
    """Return the unit for a whole table or figure, as (bytes, name), fitting its largest number of bytes."""
    return (2**30, "GiB") if largest >= 4 * 2**30 else (2**20, "MiB")


def effort(section: Section) -> Table | None:
    """What trains, what is stored, how fast, how long. None where nothing was measured."""
    if not any(cell.cost for cell in section.headline):
        return None
    columns = ("run", "trained weights", "of the model", "adapter file", "trained tokens", "tokens/s")
    rows = []
    for cell in section.headline:
        cost = cell.cost
        if cost is None:
            rows.append((_named(section, cell), *[NONE] * 7))
            continue
        train, test = cost.phases.get("train"), cost.phases.get("evaluate")
        share = f"{100 * cost.trained_weights / cost.weights:.3g} %" if cost.weights and train else NONE
        rows.append(
            (
                _named(section, cell),
                quantity(cost.trained_weights) if train else NONE,
                share,
                size(cost.adapter_bytes) if cost.adapter_bytes else NONE,
                f"{cost.train_tokens:,}" if train else NONE,
                f"{cost.train_tokens_per_second:,.0f}" if train else NONE,
                duration(train.seconds) if train else NONE,
                duration(test.seconds) if test else NONE,
            )
        )
    return Table("Weights and time", (*columns, "training", "evaluation"), tuple(rows))


def breakdown(section: Section, runs: Iterable[Run], metrics: Metrics | None = None) -> list[Table]:
    """Return a table for each slice of the test set: its values down, the runs across, the headline metric inside.

    Values are means over seeds. `±` is the widest half of a 95 % interval in the row, of single runs, so that nobody
    reads an order into small slices.
    """
    answers = {record.spec.id: found for record, found in runs if found}
    cells = [cell for cell in section.headline if any(run in answers for run in cell.run_ids)]
    metric = find_metric(cells[0].spec.task, cells[0].metric, metrics or {}) if cells else None
    if metric is None:
        return []
    columns = {section.label(cell): [_slices(answers[run]) for run in cell.run_ids if run in answers] for cell in cells}
    places: dict[str, dict[str, None]] = {}
    for name, value in sorted({place for runs in columns.values() for slices in runs for place in slices}):
        places.setdefault(name, {})[value] = None
    return [_slice_table(name, list(values), columns, metric) for name, values in places.items()]


def _slice_table(
    name: str,
    values: Sequence[str],
    columns: Mapping[str, Sequence[Mapping[tuple[str, str], list[Answer]]]],
    metric: Metric,
) -> Table:
    rows = []
    for value in values:
        parts = {label: [run[name, value] for run in runs if (name, value) in run] for label, runs in columns.items()}
        shown = [number(_mean(part, metric), metric.unit) for part in parts.values()]
        every = [part for found in parts.values() for part in found]
        half = max((_half(part, metric) for part in every), default=math.nan) if metric.combine is None else math.nan
        rows.append((value, f"{max(map(len, every)):,}", number(half, metric.unit), *shown))
    title = f"{words(metric.name).capitalize()}{percent_sign(metric.unit)} by {words(name)}"
    return Table(title, (words(name), "questions", "±", *columns), tuple(rows))


def _slices(answers: Sequence[Answer]) -> dict[tuple[str, str], list[Answer]]:
    found: dict[tuple[str, str], list[Answer]] = {}
    for answer in answers:
        for place in answer.slices.items():
            found.setdefault(place, []).append(answer)
    return found


def _mean(runs: Sequence[Sequence[Answer]], metric: Metric) -> float | None:
    combine = metric.combine or (lambda answers: math.fsum(metric.score(a) for a in answers) / len(answers))
    return math.fsum(combine(answers) for answers in runs) / len(runs) if runs else None


def _half(answers: Sequence[Answer], metric: Metric) -> float:
    found = score.score_one(answers, metric)
    return max(found.value - found.low, found.high - found.value)


def _named(section: Section, cell: Cell) -> str:
    return section.label(cell) + (f" ({cell.status})" if cell.status != "ok" else "")


def _peak(phase: Phase | None) -> int | None:
    return phase.peak_bytes if phase else None


def markdown(table: Table) -> str:
    """Return the table in Markdown, its columns padded so that it reads well as plain text too."""
    lines = [[escape(text) for text in row] for row in (table.columns, *table.rows)]
    widths = [max(3, *(len(line[place]) for line in lines)) for place in range(len(table.columns))]
    rules = ["-" * w if place in table.left else "-" * (w - 1) + ":" for place, w in enumerate(widths)]
    padded = [
        [
            text.ljust(w) if place in table.left else text.rjust(w)
            for place, (text, w) in enumerate(zip(line, widths, strict=True))
        ]
        for line in [lines[0], rules, *lines[1:]]
    ]
    return "\n".join("| " + " | ".join(line) + " |" for line in padded)


def escape(text: str) -> str:
    """Return text that Markdown shows as it is: no HTML, no cell borders, no emphasis, no links, no line breaks."""
    text = re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+", " ", text)
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\|`*_~]|(?<=\])\()", r"\\\1", text)
