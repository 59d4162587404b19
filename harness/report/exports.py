"""Exports of published results, each made from the cells alone: same cells, same bytes.

    leaderboard/all.csv                    every task's rows in one file
    leaderboard/<task>.card.md             one table and how to read it, for a model card
    leaderboard/<task>.tex                 the same for a paper, with the rules of booktabs
    leaderboard/<task>.model-index.json    the metadata that the Hub reads from a model card, an entry for each row

The metadata is the Hub's `model-index` (huggingface.co/docs/hub/model-cards#evaluation-results) as JSON, which YAML
contains: the entry of a row goes into the front matter of that model's card as it is.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.analysis.aggregate import Cell, in_order
from harness.analysis.sections import Section, like_base, sections
from harness.format import NONE, Table, escape, markdown, percent_sign, quantity
from harness.report import tables
from harness.report.alarms import alarms
from harness.report.leaderboard import csv_text, distinct, leaderboard
from harness.report.names import baseline_words, chance_text
from harness.report.notes import reading
from harness.schema import Task
from harness.store import records as store

ALL = "all.csv"
HUB_TASKS = {"choices": "multiple-choice", "generate": "text-generation"}
_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "◀": r"\textbf{best}",
    "≈": r"$\approx$",
    "▼": r"$\downarrow$",
    "✗": r"$\times$",
    "·": r"$\cdot$",
    "−": "--",
    "–": "--",
    "…": r"\ldots{}",
    "∞": r"$\infty$",
    "±": r"$\pm$",
} | {char: f"\\{char}" for char in "&%$#_{}"}
_SPECIAL = re.compile("|".join(map(re.escape, _LATEX)))
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")


def present(root: Path) -> bool:
    """Return whether these forms were written below a folder before."""
    return (root / "leaderboard" / ALL).exists()


def write(root: Path, cells: Iterable[Cell], tasks: Mapping[str, Task] | None = None) -> list[Path]:
    """Write every form below `root/leaderboard` and return the paths.

    Args:
        root: the results folder.
        cells: from `compare.cells`, of all tasks.
        tasks: the tasks by name, for titles and sources; both are omitted for other tasks.
    """
    cells, tasks = in_order(cells), tasks or {}
    folder = root / "leaderboard"
    paths = [store.write_text(folder / ALL, csv_text(leaderboard(cells)))]
    for name in sorted({cell.spec.task for cell in cells}):
        task_cells = [cell for cell in cells if cell.spec.task == name]
        forms = {
            "card.md": card(name, task_cells),
            "tex": latex(name, task_cells),
            "model-index.json": model_index(task_cells, tasks.get(name)),
        }
        word = store.path_word(name)
        paths += [store.write_text(folder / f"{word}.{kind}", text) for kind, text in forms.items()]
    return paths


def card(task: str, cells: Sequence[Cell]) -> str:
    """Return the table of a task for a model card, with notes and provenance."""
    blocks = [f"### {escape(task)}"]
    for section in sections(cells):
        blocks += [escape(section.title), markdown(overview(section))]
        blocks += [" ".join(escape(line) for line in reading(section))]
        if warnings := alarms(section):
            blocks.append("\n".join(f"- {escape(line)}" for line in warnings))
        blocks.append("\n".join(f"- {name}: {escape(text)}" for name, text in provenance(section)))
    return "\n\n".join(blocks) + "\n"


def overview(section: Section) -> Table:
    """Return the headline table with memory in training and trained weights."""
    first = tables.headline(section)
    peaks = [cell.cost.phases["train"].peak_bytes for cell in section.headline if _trained(cell) and cell.cost]
    scale, unit = tables.memory_unit(max(peaks, default=0))
    rows = []
    for cell, row in zip(section.headline, first.rows, strict=True):
        cost = cell.cost if _trained(cell) else None
        peak = tables.in_unit(cost.phases["train"].peak_bytes, scale) if cost else NONE
        rows.append((*row[:-1], peak, quantity(cost.trained_weights) if cost else NONE, row[-1]))
    columns = (*first.columns[:-1], f"peak memory in training, {unit}", "trained weights", "")
    return Table(first.title, columns, tuple(rows), left=frozenset({0, len(columns) - 1}))


def _trained(cell: Cell) -> bool:
    return cell.cost is not None and "train" in cell.cost.phases


def provenance(section: Section) -> list[tuple[str, str]]:
    """Return seeds, data, model, code and machine of a section's runs, as (name, text)."""
    records = section.records
    return [
        ("seeds", ", ".join(map(str, sorted({record.spec.seed for record in records})))),
        ("examples and prompts", distinct(record.spec.data for record in records)),
        ("model", distinct(f"{record.spec.model}@{record.spec.model_revision}" for record in records)),
        ("code", distinct(record.environment.commit for record in records)),
        ("machine", "; ".join(dict.fromkeys(record.environment.machine for record in records))),
    ]


def latex(task: str, cells: Sequence[Cell]) -> str:
    """Return a task's tables for a paper; they need `\\usepackage{booktabs}`."""
    return "\n".join(_latex_table(task, number, section) for number, section in enumerate(sections(cells), start=1))


def _latex_table(task: str, number: int, section: Section) -> str:
    table = overview(section)
    form = "".join("l" if column in table.left else "r" for column in range(len(table.columns)))
    lines = [" & ".join(latex_text(text) for text in row) + r" \\" for row in (table.columns, *table.rows)]
    label = re.sub(r"[^A-Za-z0-9-]+", "-", task)
    caption = f"{task}: {section.title}. {_caption(section)}"
    return "\n".join(
        [
            r"\begin{table}[t]",
            r"\centering",
            rf"\caption{{{latex_text(caption)}}}",
            rf"\label{{tab:{label}-{number}}}",
            rf"\begin{{tabular}}{{{form}}}",
            r"\toprule",
            lines[0],
            r"\midrule",
            *lines[1:],
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def _caption(section: Section) -> str:
    """Return what the marks and intervals of a table mean, in few words; the card has all notes."""
    group = "clustered by group" if any(cell.groups != cell.n for cell in section.headline) else "over questions"
    parts = [f"Intervals: 95 %, {group}"]
    if section.chance is not None:
        parts.append(f"{section.guess} scores {chance_text(section)}")
    if any(cell.vs_base for cell in section.headline):
        parts.append(f"differences from {baseline_words(section)} are paired")
    if any(cell.best_or_tied == "tied" for cell in section.headline) or any(map(like_base, section.headline)):
        parts.append("≈: no significant difference at 5 %, Holm-adjusted over all pairs of rows")
    return f"{'; '.join(parts)}."


def latex_text(text: str) -> str:
    """Return text for LaTeX: commands, comments and cell borders escaped, marks as symbols."""
    text = _CONTROL.sub(" ", text).replace("◀ best", "◀")
    return _SPECIAL.sub(lambda match: _LATEX[match[0]], text)


def model_index(cells: Sequence[Cell], task: Task | None = None) -> str:
    """Return a task's `model-index`: an entry for each finished row of the model, with every metric, intervals as `args`."""
    entries = []
    for section in sections(cells):
        rows: dict[str, list[Cell]] = {}
        for cell in section.cells:
            if cell.value is not None and math.isfinite(cell.value) and not cell.challenges:
                rows.setdefault(section.label(cell), []).append(cell)
        entries += [_entry(label, row, task) for label, row in rows.items()]
    return json.dumps({"model-index": entries}, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _entry(label: str, row: Sequence[Cell], task: Task | None) -> dict[str, Any]:
    spec = row[0].spec
    titles = {metric.name: metric.title for metric in task.metrics} if task else {}
    dataset: dict[str, Any] = {"name": task.title if task else spec.task, "type": _dataset(spec.task, task)}
    dataset |= {"split": "test", "revision": _revision(task) or spec.data}
    dataset["args"] = {"task": spec.task, "task_version": spec.task_version, "fingerprint": spec.data}
    measured = [
        {
            "type": cell.metric,
            "name": f"{titles.get(cell.metric, cell.metric)}{'' if cell.unit == 'share' else percent_sign(cell.unit)}",
            "value": cell.value,
            "args": {"low": _finite(cell.low), "high": _finite(cell.high), "n": cell.n, "groups": cell.groups}
            | {"seeds": list(cell.seeds), "mark": cell.best_or_tied, "runs": list(cell.run_ids)},
        }
        for cell in row
    ]
    result = {"task": {"type": HUB_TASKS[spec.scoring]}, "dataset": dataset, "metrics": measured}
    return {"name": f"{spec.model} {label}", "results": [result]}


def _dataset(name: str, task: Task | None) -> str:
    """Return the name of a data set on the Hub if its source is there, otherwise the task's."""
    uri = task.source.uri if task else ""
    return uri.removeprefix("hf:") if uri.startswith("hf:") else name


def _revision(task: Task | None) -> str:
    return (task.source.revision or task.source.sha256) if task else ""


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
