"""Robustness: tables, Markdown and CSV of the task in other words and with its options in another order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from harness.analysis import sections
from harness.analysis.robustness import TwinResult
from harness.data import probes
from harness.format import NONE, Table, escape, heading, interval, markdown, number, percent_sign
from harness.report.leaderboard import Row, csv_text
from harness.store import records

_NAMES = (
    "task, fingerprint, model, method, rank, learning_rate, seeds, twin, twin_fingerprint, metric, n, groups, usual, value, low, "
    "high, drop, drop_low, drop_high, change, change_low, change_high, p_holm, same, same_low, same_high, run_ids"
)
COLUMNS = tuple(_NAMES.split(", "))


MARKS = {
    "drops": "▼ drops",
    "better": "▲ better",
    "no drop shown": "≈ no drop shown",
    "nothing to drop": "nothing to drop",
    "no drop measured": "",
}


def _marks(twin: TwinResult) -> str:
    """Return the marks of a row: about its drop, and whether it can be told from the base model."""
    return ", ".join(mark for mark in (MARKS[twin.verdict], "≈ base" if twin.like_base else "") if mark)


def _is_reordered(part: Sequence[TwinResult]) -> bool:
    return part[0].change.probe == probes.reordered(part[0].change.spec.task)


def _table_row(name: str, twin: TwinResult, *, again: bool) -> tuple[str, ...]:
    unit, middle, difference = twin.change.cell.unit, twin.agreement if again else twin.drop, twin.change.difference
    kind = "share" if again else unit
    return (
        name,
        number(twin.usual, unit),
        number(twin.change.cell.value, unit),
        number(middle.value, kind) if middle else NONE,
        interval(middle.low, middle.high, kind) if middle else "",
        number(difference.value, unit, sign=True) if difference else "",
        interval(difference.low, difference.high, unit, sign=True) if difference else "",
        _marks(twin),
    )


def _reading(part: Sequence[TwinResult]) -> list[str]:
    first = part[0].change
    paired = f"Difference from base: paired on the questions of {first.probe}; marks are Holm-adjusted over all rows and probes."
    if _is_reordered(part):
        return [
            f"Same option: the share of the {first.cell.n:,} questions with the same choice after every option moved to "
            "another position; an unreadable answer counts as different. " + paired
        ]
    lines = [
        f"Drop: the score on the usual test of {first.spec.task} less the score on the {first.cell.n:,} questions of "
        f"{first.probe}. The questions differ, so the interval is unpaired, and part of a drop may be that these are harder: "
        "compare the base model's drop, if that model is above guessing. " + paired
    ]
    if any(twin.verdict == "no drop shown" for twin in part):
        lines.append("≈ no drop shown: this does not show that there is none; the interval bounds it.")
    if any(twin.verdict == "nothing to drop" for twin in part):
        lines.append("Nothing to drop: the row is not shown to be above guessing on the usual test.")
    return lines


def _table(part: Sequence[TwinResult]) -> Table:
    labels = sections.labels(replace(twin.change.cell, spec=twin.change.spec) for twin in part)
    names = [labels[replace(twin.change.spec, seed=0)] for twin in part]
    first = part[0].change
    cell, again = first.cell, _is_reordered(part)
    rows = [_table_row(name, twin, again=again) for name, twin in zip(names, part, strict=True)]
    head = heading(cell.metric, cell.unit, higher_is_better=cell.higher_is_better)
    sign = percent_sign(cell.unit)
    third = "same option %" if again else "drop"
    columns = ("run", f"usual test{sign}", f"{'reordered' if again else 'shifted'} test{sign}", third, "95 % interval")
    title = f"{first.probe}: {head}, {cell.n:,} questions, {first.spec.model}"
    return Table(title, (*columns, "difference from base", "95 % interval", ""), tuple(rows), left=frozenset({0, 7}))


def tables(twins: Iterable[TwinResult]) -> list[tuple[Table, list[str]]]:
    """Return a table with notes for each twin, model and set of training data."""
    parts: dict[tuple[object, ...], list[TwinResult]] = {}
    for twin in twins:
        parts.setdefault((*twin.change.family, twin.change.probe, twin.change.cell.spec.data), []).append(twin)
    return [(_table(part), _reading(part)) for part in parts.values()]


def document(twins: Sequence[TwinResult]) -> str:
    """Return the tables as Markdown that follows a task's other tables; empty if there are none."""
    blocks = ["\n## Robustness: other words, and another order of the options"] if twins else []
    for table, lines in tables(twins):
        blocks += [f"### {escape(table.title)}\n\n{markdown(table)}", "\n".join(map(escape, lines))]
    return "\n\n".join(blocks) + "\n" * bool(blocks)


def _row(twin: TwinResult) -> Row:
    s, cell, difference = twin.change.spec, twin.change.cell, twin.change.difference
    drop, agreement = twin.drop or (None, None, None), twin.agreement or (None, None, None)
    return {
        "task": s.task,
        "fingerprint": s.data,
        "model": s.model,
        "method": s.method,
        "rank": s.rank or None,
        "learning_rate": s.learning_rate or None,
        "seeds": len(cell.seeds),
        "twin": twin.change.probe,
        "twin_fingerprint": cell.spec.data,
        "metric": cell.metric,
        "n": cell.n,
        "groups": cell.groups,
        "usual": twin.usual,
        "value": cell.value,
        "low": cell.low,
        "high": cell.high,
        **dict(zip(("drop", "drop_low", "drop_high"), drop, strict=True)),
        "change": difference.value if difference else None,
        "change_low": difference.low if difference else None,
        "change_high": difference.high if difference else None,
        "p_holm": difference.p_holm if difference else None,
        **dict(zip(("same", "same_low", "same_high"), agreement, strict=True)),
        "run_ids": " ".join(twin.change.run_ids),
    }


def write(root: Path, task: str, twins: Iterable[TwinResult]) -> Path:
    """Write `root/leaderboard/<task>.robustness.csv` and return its path. Same rows, same bytes."""
    text = csv_text(map(_row, twins), COLUMNS)
    return records.write_text(root / "leaderboard" / f"{records.path_word(task)}.robustness.csv", text)
