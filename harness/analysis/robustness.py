"""Does what was learned hold in other words, and with the options in another order? From the answers to two probes.

`shifted` asks other questions than the usual test: the drop is unpaired, and its interval is made of the intervals of both
scores (`unpaired`). `reordered` asks the same questions: what is counted is how often the same option is chosen.
The difference from the base model is paired on the twin's questions, as in `forgetting`, and adjusted there.

leaderboard/<task>.robustness.csv   one row per model, method, rank and twin; full precision
leaderboard/<task>.md               ends with the tables
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.analysis import sections
from harness.analysis.forgetting import Change, cannot
from harness.data import probes, reordered
from harness.format import NONE, interval, number
from harness.markdown import Table, escape, markdown
from harness.metrics import stats
from harness.metrics.scoring import cluster_key
from harness.report.leaderboard import Row, csv_text
from harness.schema import Answer
from harness.store import records

_NAMES = (
    "task, fingerprint, model, method, rank, learning_rate, seeds, twin, twin_fingerprint, metric, n, groups, usual, value, low, "
    "high, drop, drop_low, drop_high, change, change_low, change_high, p_holm, same, same_low, same_high, run_ids"
)
COLUMNS = tuple(_NAMES.split(", "))

Said = tuple[Sequence[Answer], Sequence[Answer]]  # to the usual questions and to the twin's


@dataclass(frozen=True)
class Held:
    """What one row does on a twin of its task.

    `change` is the row on the twin's questions, with its difference from the base model. `drop` is how much worse it is
    there than on the usual questions (in the metric's unit, above 0 where worse), None for a reordered twin or where the
    usual score is not at hand. `same` is the share of questions answered with the same option, for a reordered twin.
    """

    change: Change
    drop: stats.Interval | None
    same: stats.Interval | None

    @property
    def usual(self) -> float | None:
        """The row's score on the task's own test."""
        return self.change.learned.value if self.change.learned else None

    @property
    def mark(self) -> str:
        """What may be said of the row: of its drop, and where nothing sets it apart from the base model, that."""
        marks = []
        if self.drop is not None and self.change.learned is not None and cannot(self.change.learned):
            marks.append("nothing to drop")
        elif self.drop is not None:
            worse, better = self.drop.low > 0, self.drop.high < 0
            marks.append("▼ drops" if worse else "▲ better here" if better else "≈ no drop shown")
        if self.change.difference is not None and self.change.difference.p_holm >= stats.LEVEL:
            marks.append("≈ base")
        return ", ".join(marks)


def is_twin(change: Change) -> bool:
    """Tell whether the probe of a row is a twin of its own task and so shows no forgetting."""
    return change.probe in (probes.shifted(change.spec.task), reordered.name(change.spec.task))


def held(changes: Iterable[Change], runs: Iterable[records.Run]) -> list[Held]:
    """Return the rows of twins, in the order of the changes; `runs` hold the answers, whole twins alone are looked at."""
    kept = {run.record.spec.id: run for run in runs}
    found = []
    for change in changes:
        if change.part or not is_twin(change):
            continue
        same = None
        if change.probe == reordered.name(change.spec.task):
            own = [kept[name] for name in change.run_ids if name in kept]
            same = share_same([(run.answers(), run.probed().get(change.probe, ())) for run in own])
        found.append(Held(change, None if same else _drop(change), same))
    return found


def _drop(change: Change) -> stats.Interval | None:
    usual, there = change.learned, change.cell
    if usual is None or usual.metric != there.metric:
        return None
    ends = (usual.value, usual.low, usual.high, there.value, there.low, there.high)
    known = [math.nan if end is None else end for end in ends]
    if any(map(math.isnan, known)):
        return None
    a, b = stats.Interval(*known[:3]), stats.Interval(*known[3:])
    return unpaired(a, b) if there.higher_is_better else unpaired(b, a)


def unpaired(a: stats.Interval, b: stats.Interval) -> stats.Interval:
    """Return a - b with its interval, of two values from different items.

    Each end goes as far as the ends of both intervals go, squared and added (Newcombe 1998, method 10; Zou and Donner
    2008): it keeps what they know of groups, of shares near 0 and 1, and of seeds. Seeds that both values share count
    twice, so that this errs on the wide side.
    """
    low = math.hypot(a.value - a.low, b.high - b.value)
    high = math.hypot(a.high - a.value, b.value - b.low)
    return stats.Interval(a.value - b.value, a.value - b.value - low, a.value - b.value + high)


def share_same(runs: Sequence[Said]) -> stats.Interval | None:
    """Return the share of questions with the same answer both times, over runs that differ in their seed only.

    What could not be read is no answer and so not the same. None where a run's answers are gone.
    """
    columns: list[dict[str, float]] = []
    places: dict[str, object] = {}
    for usual, again in runs:
        said = {answer.id: answer.parsed for answer in usual}
        both = [answer for answer in again if answer.id in said]
        if not both:
            return None
        columns.append({a.id: float(a.parsed is not None and a.parsed == said[a.id]) for a in both})
        places |= {answer.id: cluster_key(answer) for answer in both}
    items = [item for item in places if all(item in column for column in columns)]
    if not items:
        return None
    values = [math.fsum(column[item] for column in columns) / len(columns) for item in items]
    means = [math.fsum(column[item] for item in items) / len(items) for column in columns]
    return stats.clustered_interval(values, [places[item] for item in items], share=True, repeats=(means,))


def tables(found: Iterable[Held]) -> list[tuple[Table, list[str]]]:
    """Return a table for each twin, model and set of training data, each with how to read it."""
    parts: dict[tuple[object, ...], list[Held]] = {}
    for one in found:
        parts.setdefault((*one.change.family, one.change.probe, one.change.cell.spec.data), []).append(one)
    return [(_table(part), _reading(part)) for part in parts.values()]


def _table(part: Sequence[Held]) -> Table:
    named = sections.labels(replace(one.change.cell, spec=one.change.spec) for one in part)
    names = [named[replace(one.change.spec, seed=0)] for one in part]
    first = part[0].change
    cell, again = first.cell, _is_reordered(part)
    rows = [_shown(name, one, again=again) for name, one in zip(names, part, strict=True)]
    head = sections.heading(cell.metric, cell.unit, higher_is_better=cell.higher_is_better)
    sign = sections.percent_sign(cell.unit)
    third = "same option %" if again else "drop"
    columns = ("run", f"usual{sign}", f"{'reordered' if again else 'shifted'}{sign}", third, "95 % interval")
    title = f"{first.probe}: {head}, {cell.n:,} questions, {first.spec.model}"
    return Table(title, (*columns, "from base", "95 % interval", ""), tuple(rows), left=frozenset({0, 7}))


def _shown(name: str, one: Held, *, again: bool) -> tuple[str, ...]:
    unit, middle, found = one.change.cell.unit, one.same if again else one.drop, one.change.difference
    kind = "share" if again else unit
    return (
        name,
        number(one.usual, unit),
        number(one.change.cell.value, unit),
        number(middle.value, kind) if middle else NONE,
        interval(middle.low, middle.high, kind) if middle else "",
        number(found.value, unit, sign=True) if found else "",
        interval(found.low, found.high, unit, sign=True) if found else "",
        one.mark,
    )


def _is_reordered(part: Sequence[Held]) -> bool:
    return part[0].change.probe == reordered.name(part[0].change.spec.task)


def _reading(part: Sequence[Held]) -> list[str]:
    first = part[0].change
    paired = f"From base: paired on the questions of {first.probe}, marks Holm-adjusted over all rows and probes."
    if _is_reordered(part):
        return [
            f"Same option: how often a run chose the same text when the {first.cell.n:,} questions were asked again with "
            "no option where it stood before; what could not be read is not the same. " + paired
        ]
    lines = [
        f"Drop: the score on the test of {first.spec.task} less that on the {first.cell.n:,} of {first.probe}, so that its interval "
        "is not paired. Part of it may be that these are harder: the base model's own drop shows it where that model is "
        "above guessing. " + paired
    ]
    if any("no drop shown" in one.mark for one in part):
        lines.append("≈ no drop shown is not the same as none; the interval says how large it may be.")
    if any("nothing to drop" in one.mark for one in part):
        lines.append("Nothing to drop: no better than guessing on the usual test, so that no drop can show.")
    return lines


def document(found: Sequence[Held]) -> str:
    """Return the tables as Markdown that goes on after a task's other tables; nothing where there are none."""
    blocks = ["\n## In other words, and in another order"] if found else []
    for table, lines in tables(found):
        blocks += [f"### {escape(table.title)}\n\n{markdown(table)}", "\n".join(map(escape, lines))]
    return "\n\n".join(blocks) + "\n" * bool(blocks)


def write(root: Path, task: str, found: Iterable[Held]) -> Path:
    """Write `root/leaderboard/<task>.robustness.csv` and return its path. Same rows, same bytes."""
    text = csv_text(map(_row, found), COLUMNS)
    return records.write_text(root / "leaderboard" / f"{records.path_word(task)}.robustness.csv", text)


def _row(one: Held) -> Row:
    s, cell, found = one.change.spec, one.change.cell, one.change.difference
    drop, same = one.drop or (None, None, None), one.same or (None, None, None)
    return {
        "task": s.task,
        "fingerprint": s.data,
        "model": s.model,
        "method": s.method,
        "rank": s.rank or None,
        "learning_rate": s.learning_rate or None,
        "seeds": len(cell.seeds),
        "twin": one.change.probe,
        "twin_fingerprint": cell.spec.data,
        "metric": cell.metric,
        "n": cell.n,
        "groups": cell.groups,
        "usual": one.usual,
        "value": cell.value,
        "low": cell.low,
        "high": cell.high,
        **dict(zip(("drop", "drop_low", "drop_high"), drop, strict=True)),
        "change": found.value if found else None,
        "change_low": found.low if found else None,
        "change_high": found.high if found else None,
        "p_holm": found.p_holm if found else None,
        **dict(zip(("same", "same_low", "same_high"), same, strict=True)),
        "run_ids": " ".join(one.change.run_ids),
    }
