"""Forgetting: a table for each probe and its slices, notes on how to read them, and a CSV file.

leaderboard/<task>.forgetting.csv   one row per model, method, rank, probe and slice; full precision
leaderboard/<task>.md               ends with the tables
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from harness.analysis import robustness, sections
from harness.analysis.aggregate import Difference
from harness.analysis.forgetting import Change
from harness.format import NONE, Table, escape, heading, interval, markdown, number, percent_sign, words
from harness.report.leaderboard import Row, csv_text
from harness.store import records

MARKS = {
    "base": "",
    "forgot": "▼ forgot",
    "better": "▲ better than base",
    "no difference shown": "≈ base",
    "nothing to forget": "base model at chance",
    "not comparable": "no run of the base model",
}
_NAMES = (
    "task, task_version, fingerprint, model, model_revision, method, rank, learning_rate, seeds, probe, probe_fingerprint, "
    "part, metric, higher_is_better, n, groups, value, low, high, base, base_can, chance, change, change_low, change_high, "
    "p, p_holm, verdict, learned_metric, learned_baseline, learned, learned_low, learned_high, device, dtype, run_ids"
)
COLUMNS = tuple(_NAMES.split(", "))
PLAIN = "base"


def write(root: Path, task: str, changes: Iterable[Change]) -> Path:
    """Write `root/leaderboard/<task>.forgetting.csv` and return its path. Same changes, same bytes."""
    text = csv_text(map(_row, changes), COLUMNS)
    return records.write_text(root / "leaderboard" / f"{records.path_word(task)}.forgetting.csv", text)


def document(changes: Sequence[Change]) -> str:
    """Return the tables of a task's probes as Markdown that follows its other tables."""
    blocks_of = tables(changes)
    blocks = ["\n## Forgetting"] if blocks_of else []
    for table, lines in blocks_of:
        if lines:
            blocks += [f"### {escape(table.title)}\n\n{markdown(table)}", "\n".join(map(escape, lines))]
        else:  # of slices
            blocks += [f"{escape(table.title)}:\n\n{markdown(table)}"]
    return "\n\n".join(blocks) + "\n" * bool(blocks)


def probes(changes: Iterable[Change]) -> list[list[Change]]:
    """Return the rows of whole probes by table: one probe, model and set of training data each.

    Twins of the task have tables of their own in `robustness`.
    """
    by_table: dict[tuple[object, ...], list[Change]] = {}
    for change in changes:
        if not change.part and not robustness.is_twin(change):
            by_table.setdefault(_table_key(change), []).append(change)
    return list(by_table.values())


def tables(changes: Sequence[Change]) -> list[tuple[Table, list[str]]]:
    """Return every table of these rows with its notes, each probe's followed by that of its slices."""
    pairs: list[tuple[Table, list[str]]] = []
    for probe in probes(changes):
        pairs.append((table(probe), reading(probe)))
        if (parts := slices(probe, changes)) is not None:
            pairs.append((parts, []))  # its title says how to read it
    return pairs


def _table_key(change: Change) -> tuple[object, ...]:
    return (*change.family, change.probe, change.cell.spec.data)


def label(change: Change, among: Sequence[Change]) -> str:
    """Return the name of a row, such as `lora r8`, with the settings that differ within the name."""
    names = sections.labels(replace(change.cell, spec=change.spec) for change in among)
    return names[replace(change.spec, seed=0)]


def table(probe: Sequence[Change]) -> Table:
    """Return the table of a probe: the score, the difference on the task, the change on the probe, the verdict."""
    first = probe[0].cell
    sign = percent_sign(first.unit)
    head = heading(first.metric, first.unit, higher_is_better=first.higher_is_better)
    rows = []
    for change in probe:
        cell, unit = change.learned, first.unit
        learned = cell.vs_base if cell else None
        rows.append(
            (
                label(change, probe),
                number(change.cell.value, unit),
                *_difference_texts(learned, cell.unit if cell else "share"),
                *_difference_texts(change.difference, unit),
                MARKS[change.verdict],
            )
        )
    columns = (
        "run",
        f"{probe[0].probe}{sign}",
        "difference on the task",
        "95 % interval",
        "change on the probe",
        "95 % interval",
        "",
    )
    title = f"{probe[0].probe}: {head}, {first.n:,} questions, {probe[0].spec.model}"
    return Table(title, columns, tuple(rows), left=frozenset({0, 6}))


def _difference_texts(difference: Difference | None, unit: str) -> tuple[str, str]:
    if difference is None:
        return "", ""
    return number(difference.value, unit, sign=True), interval(difference.low, difference.high, unit, sign=True)


def slices(probe: Sequence[Change], changes: Iterable[Change]) -> Table | None:
    """Return the table of the change of every row on each slice of a probe; None if no slice is large enough."""
    sliced = [change for change in changes if change.part and _table_key(change) == _table_key(probe[0])]
    by_part: dict[str, dict[str, Change]] = {}
    for change in sliced:
        by_part.setdefault(change.part, {})[label(change, probe)] = change
    names = [label(change, probe) for change in probe if change.spec.method != "base"]
    rows = []
    for part, row in by_part.items():
        base = next((change.base for change in row.values() if change.base is not None), None)
        score = number(base.value, base.unit) if base else NONE
        rows.append((part, score, *(_marked(row.get(name)) for name in names)))
    title = f"{probe[0].probe} by slice, difference from the base model (▼ forgot, ▲ better, ( ) base model at chance)"
    return Table(title, ("", "base", *names), tuple(rows)) if rows and names else None


def _marked(change: Change | None) -> str:
    if change is None or change.difference is None:
        return NONE
    text = number(change.difference.value, change.cell.unit, sign=True)
    marks = {"forgot": f"{text} ▼", "better": f"{text} ▲", "nothing to forget": f"({text})"}
    return marks.get(change.verdict, text)


def reading(probe: Sequence[Change]) -> list[str]:
    """Return notes on how to read the table of a probe."""
    first = probe[0]
    task, metric = first.spec.task, words(first.cell.metric)
    best = baseline(probe)
    gain = f"the base model at its best ({best}) on {task}" if best != PLAIN else f"the base model on {task}"
    change = "the plain one" if best != PLAIN else "it"
    lines = [
        f"On the task: difference from {gain}. On the probe: difference from {change} on {first.probe} ({metric})."
    ]
    lines[0] += " Both are paired on the same questions; marks are Holm-adjusted over all rows and probes."
    base = next((change.base for change in probe if change.base is not None), None)
    if base is None:
        return [
            *lines,
            f"There is no run of the base model with the probe {first.probe}: run it with the same --probe.",
        ]
    if all(not change.can for change in probe):
        score = f"{number(base.value, base.unit)}{percent_sign(base.unit)} {interval(base.low, base.high)}"
        than = f"guessing scores {number(base.chance)} %" if base.chance is not None else "next to nothing"
        lines.append(
            f"The base model is not shown to be above chance here ({score}, {than}), so nothing can be forgotten."
        )
    elif any(change.verdict == "no difference shown" for change in probe):
        lines.append(
            "≈ base: no significant difference. This does not show that there is none; the interval bounds it."
        )
    return lines


def baseline(probe: Sequence[Change]) -> str:
    """Return the name of the row from which the gains of trained rows are: the base model, or the base model at its best."""
    rows = [change.learned.baseline for change in probe if change.learned and change.learned.trains]
    return next((spec.name for spec in rows if spec is not None), PLAIN)


def _row(change: Change) -> Row:
    s, cell, difference = change.spec, change.cell, change.difference
    learned = change.learned.vs_base if change.learned else None
    return {
        "task": s.task,
        "task_version": s.task_version,
        "fingerprint": s.data,
        "model": s.model,
        "model_revision": s.model_revision,
        "method": s.method,
        "rank": s.rank or None,
        "learning_rate": s.learning_rate or None,
        "seeds": len(cell.seeds),
        "probe": change.probe,
        "probe_fingerprint": cell.spec.data,
        "part": change.part,
        "metric": cell.metric,
        "higher_is_better": cell.higher_is_better,
        "n": cell.n,
        "groups": cell.groups,
        "value": cell.value,
        "low": cell.low,
        "high": cell.high,
        "base": change.base.value if change.base else None,
        "base_can": change.can,
        "chance": cell.chance,
        "change": difference.value if difference else None,
        "change_low": difference.low if difference else None,
        "change_high": difference.high if difference else None,
        "p": difference.p if difference else None,
        "p_holm": difference.p_holm if difference else None,
        "verdict": change.verdict,
        "learned_metric": change.learned.metric if change.learned else "",
        "learned_baseline": change.learned.baseline.name if change.learned and change.learned.baseline else "",
        "learned": learned.value if learned else None,
        "learned_low": learned.low if learned else None,
        "learned_high": learned.high if learned else None,
        "device": s.device,
        "dtype": s.dtype,
        "run_ids": " ".join(change.run_ids),
    }
