"""The files of `adapters score`: a small document, every answer in a compressed file, and a figure.

    <name>.json                adapters and tasks, every score with its interval, and the retention
    <name>.answers.jsonl.gz    one answer a line, with its adapter and task
    <name>.svg, <name>.png     the matrix, see `report.figures.matrix`

The document has a checksum of each row's answers. Older documents contain the answers; they are readable too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.adapters import retention
from harness.adapters.cross import BASE, AdapterScores
from harness.adapters.retention import Retention
from harness.errors import HarnessError
from harness.format import tasks_in
from harness.metrics.scoring import parse_rate, score_answers
from harness.record import Answer
from harness.report.figures import matrix
from harness.report.figures import write as plots
from harness.report.figures.matrix import Entry, Matrix, column_note
from harness.schema import Task
from harness.store import answer_files, codec, records

ANSWERS = f".{records.ANSWERS}"
FIX = "restore the file, or remove it and score the adapters again"


@dataclass(frozen=True)
class CrossScores:
    """Adapters of one base model on several tasks: their scores and their retention beside each reference."""

    model: str
    model_revision: str
    rows: tuple[AdapterScores, ...]
    retention: tuple[Retention, ...]


def answers_file(path: Path) -> Path:
    """Return the path of a document's answers."""
    return path.with_name(path.name.removesuffix(".json") + ANSWERS)


def write(path: Path, scores: CrossScores) -> list[Path]:
    """Write answers, document and figure; return their paths. Equal scores give equal bytes; `path` ends in `.json`."""
    packed = answer_files.pack("".join(f"{line}\n" for line in _lines(scores.rows)).encode())
    rows = [_without_answers(row) for row in scores.rows]
    head = {"model": scores.model, "model_revision": scores.model_revision, "answers": answers_file(path).name}
    text = json.dumps(
        head | {"scored": rows, "retention": codec.encode(scores.retention)},
        indent=1,
        ensure_ascii=False,
        allow_nan=False,
    )
    return [
        records.write_bytes(answers_file(path), packed),
        records.write_text(path, text + "\n"),
        *plots.write_figure(path.with_suffix(""), lambda: matrix.draw(adapter_matrix(scores.rows, scores.model))),
    ]


def _lines(rows: Sequence[AdapterScores]) -> list[str]:
    """Return a line for each answer. Answers to one question are adjacent, so the file is a third smaller."""
    keyed = [
        ((row.task, index), {"adapter": row.adapter, "task": row.task, "answer": codec.encode(answer)})
        for row in rows
        for index, answer in enumerate(row.answers)
    ]
    return [json.dumps(line, ensure_ascii=False) for _, line in sorted(keyed, key=lambda item: item[0])]


def _without_answers(row: AdapterScores) -> dict[str, Any]:
    evidence = {"questions": len(row.answers), "answers_sha256": _sha256(row.answers)}
    return {name: value for name, value in codec.encode(row).items() if name != "answers"} | evidence


def _sha256(answers: Sequence[Answer]) -> str:
    return records.sha256(records.answers_text(answers))


def recompute(path: Path, tasks: Mapping[str, Task]) -> CrossScores:
    """Return the content of a document, every score and the retention computed again from its answers.

    Raises:
        HarnessError: the document is unreadable, answers are missing or differ, a task is not available, or a number differs.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        rows = [_row(fields, answers) for fields, answers in _rows_with_answers(path, document)]
        references = list(dict.fromkeys((row["task"], row["single"]) for row in document["retention"]))
        model, revision = document["model"], document["model_revision"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise HarnessError(f"the scores of adapters cannot be read: {error}", where=str(path), fix=FIX) from error
    for row in rows:
        _check(row, tasks, path)
    computed = tuple(retention.measure(rows, references, tasks))
    if codec.encode(computed) != document["retention"]:
        raise HarnessError("the recorded retention does not follow from the answers", where=str(path), fix=FIX)
    return CrossScores(model, revision, tuple(rows), computed)


def _rows_with_answers(path: Path, document: Mapping[str, Any]) -> list[tuple[dict[str, Any], list[Any]]]:
    """Return each row of a document with its answers, read from their file or from an older document."""
    rows = document["scored"]
    if "answers" not in document:
        return [({name: row[name] for name in row if name != "answers"}, row["answers"]) for row in rows]
    by_row: dict[tuple[str, str], list[Any]] = {(row["adapter"], row["task"]): [] for row in rows}
    for line in filter(None, answer_files.unpack(answers_file(path).read_bytes()).decode().split("\n")):
        entry = json.loads(line)
        by_row[entry["adapter"], entry["task"]].append(entry["answer"])
    return [(row, by_row[row["adapter"], row["task"]]) for row in rows]


def _row(content: Mapping[str, Any], answers: Sequence[Any]) -> AdapterScores:
    fields = {name: value for name, value in content.items() if name not in ("questions", "answers_sha256")}
    row = codec.decode(AdapterScores, fields | {"answers": answers})
    if "answers_sha256" in content and content["answers_sha256"] != _sha256(row.answers):
        raise ValueError(f"the answers of {row.adapter} on {row.task} do not have the recorded checksum")
    return row


def _check(row: AdapterScores, tasks: Mapping[str, Task], path: Path) -> None:
    task = tasks.get(row.task)
    if task is None:
        raise HarnessError(
            f"the task '{row.task}' is not available", where=str(path), fix="for a data file: --task FILE"
        )
    if score_answers(row.answers, task.metrics) != row.scores or parse_rate(row.answers) != row.parse_rate:
        problem = f"the recorded scores of {row.adapter} on {row.task} do not follow from its answers"
        raise HarnessError(problem, where=str(path), fix=FIX)


def adapter_matrix(scores: Sequence[AdapterScores], model: str) -> Matrix:
    """Return the matrix of adapters by tasks for the figure; it has no colours without a row of the base model."""
    tasks = list(dict.fromkeys(row.task for row in scores))
    trained = {row.adapter: row.trained_on for row in scores}
    cells = {(row.adapter, row.task): row for row in scores}
    rows = tuple((name, f"of {', '.join(of)}" if of else "untrained") for name, of in trained.items())
    columns = []
    for task in tasks:
        metric, score = next(iter(next(row for row in scores if row.task == task).scores.items()))
        columns.append((task, column_note(metric, score.unit, None)))
    entries = tuple(tuple(_entry(cells.get((n, t)), cells.get((BASE, t))) for t in tasks) for n in trained)
    about = f"{model} · framed: what the row was trained on"
    return Matrix(f"adapters asked {', '.join(tasks)}", rows, tuple(columns), entries, about)


def _entry(row: AdapterScores | None, base: AdapterScores | None) -> Entry | None:
    score = next(iter(row.scores.values()), None) if row else None
    if row is None or score is None:
        return None
    reference = next(iter(base.scores.values()), None) if base else None
    gain = (score.value - reference.value) * (1 if score.higher_is_better else -1) if reference else None
    better = gain if score.unit == "share" else None
    return Entry(score.value, score.low, score.high, score.unit, better, _was_trained_on(row))


def _was_trained_on(row: AdapterScores) -> bool:
    """Return whether the row was trained on its task, alone or together with others."""
    return any(row.task in (text, *tasks_in(text)) for text in row.trained_on)
