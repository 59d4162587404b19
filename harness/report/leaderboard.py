"""The leaderboard file: one row per model, method, rank and metric, every number at full precision.

A run that did not finish stays a row, with its status and no value. Shares are fractions, memory is in bytes, time in
seconds. An empty field means: does not apply, was not measured, has no bound, or has no single value (memory and time
of seeds that ran on different machines). If answers are too few for an interval, a note says what is missing. `vs_base` is
the difference from the row named by `baseline`, the base model at its best. `label` is the name of the row in tables, with
the settings by which rows of one name differ; dates are those of the first and the last run. `export_run` is the run to
export, in the row that the recommendation names. Times are medians over seeds; `neighbours` and `load` are the largest of
the row's runs. Spreadsheets open the file, so text that they would take for a formula is
written with a leading apostrophe.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.analysis.aggregate import Cell, in_order
from harness.analysis.sections import sections
from harness.format import interval, number, percent_sign, words
from harness.record import Record
from harness.report.recommendation import recommendation
from harness.store import records

_NAMES = (
    "task, task_version, metric, higher_is_better, model, model_revision, method, rank, seeds, n, groups, value, low, "
    "high, interval_note, baseline, vs_base, vs_base_low, vs_base_high, vs_base_note, best_or_tied, seed_sd, chance, "
    "parse_rate, end_probability, train_peak_bytes, "
    "eval_peak_bytes, predicted_peak_bytes, weights_bytes, trainable_weights, trainable_share, adapter_bytes, "
    "train_seconds, eval_seconds, train_tokens_per_second, learning_rate, tuned_over, status, device, dtype, torch, transformers, "
    "peft, bitsandbytes, commit, fingerprint, run_ids, scoring, label, alpha, dropout, epochs, batch_size, train_examples, "
    "warmup, targets, machine, first_date, last_date, train_seconds_low, train_seconds_high, neighbours, load, export_run"
)
COLUMNS = tuple(_NAMES.split(", "))

SCORING = {"choices": "loglik", "generate": "generate", "perplexity": "perplexity"}
CHALLENGER = "challenger"
PACKAGES = ("torch", "transformers", "peft", "bitsandbytes")

_FORMULA = re.compile(r"\s*[=+\-@＝＋－＠]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")

Row = dict[str, Any]


def leaderboard(cells: Iterable[Cell]) -> list[Row]:
    """Return the rows, keys in the order of `COLUMNS`, sorted by model, method (base, lora, qlora, full, others), rank.

    `rank` is None for methods without one; `seeds` is how many runs are pooled; `trainable_share` is trained weights
    over the base model's weights; `run_ids` are the pooled runs in seed order, separated by blanks; `scoring` says how the
    answers were obtained: loglik (the likeliest option), generate (written), perplexity (of a text), or challenger, for a
    row without a language model. `label` names a row within its section, with its engine if that is not transformers.
    """
    ordered, extras = in_order(cells), dict[int, Row]()
    for section in sections(ordered):
        advice = recommendation(section)
        exported = advice.exported.spec if advice and advice.exported else None
        for cell in section.cells:
            is_exported = cell.headline and cell.spec == exported
            extras[id(cell)] = {
                "label": section.label(cell) + f" by {cell.spec.engine}" * bool(cell.spec.engine),
                "export_run": advice.run if advice and is_exported else None,
            }
    return [_row(cell, extras[id(cell)]) for cell in ordered]


def recommended_rows(root: Path, task: str) -> list[dict[str, str]]:
    """Return the rows of a task's file that are recommended for export; none without a file."""
    try:
        text = (root / "leaderboard" / f"{records.path_word(task)}.csv").read_text(encoding="utf-8")
    except OSError:
        return []
    return [row for row in csv.DictReader(io.StringIO(text)) if row.get("export_run")]


def row_words(row: Mapping[str, str]) -> str:
    """Return a row of the file as people read it: task, label, score."""
    return f"{row['task']}: {row['label']}, {words(row['metric'])} {_score_words(row)}"


def _score_words(row: Mapping[str, str]) -> str:
    value, low, high = (float(row[name]) if row[name] else math.nan for name in ("value", "low", "high"))
    unit = "share" if row["higher_is_better"] == "true" and 0 <= value <= 1 else ""
    return f"{number(value, unit)}{percent_sign(unit)} {interval(low, high, unit)}".strip()


def write_leaderboard(root: Path, task: str, cells: Iterable[Cell]) -> Path:
    """Write `root/leaderboard/<task>.csv`, whole or not at all, and return its path. Same cells, same bytes."""
    cells = [cell for cell in cells if cell.spec.task == task]
    return records.write_text(root / "leaderboard" / f"{records.path_word(task)}.csv", csv_text(leaderboard(cells)))


def csv_text(rows: Iterable[Row], columns: Sequence[str] = COLUMNS) -> str:
    """Return the rows as CSV with a header, lines ending in a line feed."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([[_field(row[column]) for column in columns] for row in rows])
    return out.getvalue()


def _row(cell: Cell, extra: Row) -> Row:
    spec, base, cost = cell.spec, cell.vs_base, cell.cost
    values: Row = {
        "task": spec.task,
        "task_version": spec.task_version,
        "metric": cell.metric,
        "higher_is_better": cell.higher_is_better,
        "model": spec.model,
        "model_revision": spec.model_revision,
        "method": spec.method,
        "rank": spec.rank or None,
        "seeds": len(cell.seeds),
        "n": cell.n,
        "groups": cell.groups,
        "value": cell.value,
        "low": cell.low,
        "high": cell.high,
        "interval_note": cell.shortage,
        "baseline": cell.baseline.name if base and cell.baseline else None,
        "vs_base": base.value if base else None,
        "vs_base_low": base.low if base else None,
        "vs_base_high": base.high if base else None,
        "vs_base_note": base.reason if base else None,
        "best_or_tied": cell.best_or_tied,
        "seed_sd": cell.seed_sd,
        "chance": cell.chance,
        "parse_rate": cell.parse_rate,
        "end_probability": cell.end_probability,
        "learning_rate": spec.learning_rate or None,
        "tuned_over": " ".join(map(repr, spec.tuned_over)),
        "status": cell.status,
        "device": spec.device,
        "dtype": spec.dtype,
        "fingerprint": spec.data,
        "run_ids": " ".join(cell.run_ids),
        "scoring": CHALLENGER if cell.challenges else SCORING[spec.scoring],
    }
    values |= _settings(cell) | extra
    values |= _cost(cell) if cost else {}
    values |= {name: distinct(package(record, name) for record in cell.records) for name in PACKAGES}
    values["commit"] = distinct(record.environment.commit for record in cell.records)
    return {column: values.get(column) for column in COLUMNS}


def _settings(cell: Cell) -> Row:
    """Return the settings of training, empty for rows without, and the machine and dates of all runs."""
    spec = cell.spec
    days = sorted(record.started[:10] for record in cell.records if record.started)
    row: Row = {
        "machine": "; ".join(dict.fromkeys(record.environment.machine for record in cell.records)),
        "first_date": days[0] if days else None,
        "last_date": days[-1] if days else None,
        "targets": distinct(name for record in cell.records for name in record.targets),
        "neighbours": max((n for record in cell.records if (n := record.neighbours) is not None), default=None),
        "load": max((load for record in cell.records if (load := record.load) is not None), default=None),
    }
    if not cell.trains:
        return row
    names = ("dropout", "epochs", "batch_size", "train_examples", "warmup")
    return row | {name: getattr(spec, name) for name in names} | {"alpha": spec.alpha or None}


def _cost(cell: Cell) -> Row:
    cost = cell.cost
    assert cost is not None
    train, test = cost.phases.get("train"), cost.phases.get("evaluate")
    trained, tested = cell.train_times, cell.test_times
    return {
        "train_peak_bytes": train.peak_bytes if train else None,
        "eval_peak_bytes": test.peak_bytes if test else None,
        "predicted_peak_bytes": cost.predicted_peak_bytes or None,
        "weights_bytes": cost.weights_bytes,
        "trainable_weights": cost.trained_weights,
        "trainable_share": cost.trained_weights / cost.weights if cost.weights else None,
        "adapter_bytes": cost.adapter_bytes,
        "train_seconds": trained.median if trained else None,
        "train_seconds_low": trained.low if trained else None,
        "train_seconds_high": trained.high if trained else None,
        "eval_seconds": tested.median if tested else None,
        "train_tokens_per_second": cost.train_tokens_per_second if train else None,
    }


def package(record: Record, name: str) -> str:
    """Return the version of a package in the record's environment, empty if it was not installed."""
    return record.environment.packages.get(name, "")


def distinct(texts: Iterable[str]) -> str:
    """Return the different texts, in order of appearance, separated by blanks."""
    return " ".join(dict.fromkeys(text for text in texts if text))


def _field(value: Any) -> str | int:
    """Return a field as the file has it: text neutralised, numbers at full precision, infinite or unknown values empty."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return value
    return repr(float(value)) if isinstance(value, float) else plain(str(value))


def plain(text: str) -> str:
    """Return text that a spreadsheet does not compute: no control characters, no formula."""
    text = _CONTROL.sub(" ", text)
    return f"'{text}" if _FORMULA.match(text) else text
