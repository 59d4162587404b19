"""What `adapters score` keeps: a small document, and beside it every answer, one a line, gzip-compressed.

    <name>.json                who was scored on what, every score with its interval, and what is retained
    <name>.answers.jsonl.gz    one answer a line, with its adapter and task
    <name>.svg, <name>.png     the matrix, see `matrix_figure`

The document has a checksum of each row's answers. An older one holds the answers itself, and is read as well.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.adapters import retention
from harness.adapters.cross import BASE, Scored
from harness.adapters.retention import Retained
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
AGAIN = "restore the file, or remove it and score the adapters again"


@dataclass(frozen=True)
class Crossed:
    """Adapters of one base model on several tasks, and what each retains of a task's own adapter and of one trained on several."""

    model: str
    model_revision: str
    scored: tuple[Scored, ...]
    kept: tuple[Retained, ...]


def answers_file(path: Path) -> Path:
    """Return where the answers of a document lie."""
    return path.with_name(path.name.removesuffix(".json") + ANSWERS)


def write(path: Path, found: Crossed) -> list[Path]:
    """Write answers, document (`path`, which ends in `.json`) and figure. Same scores, same bytes."""
    packed = answer_files.pack("".join(f"{line}\n" for line in _lines(found.scored)).encode())
    rows = [_without_answers(row) for row in found.scored]
    stated = {"model": found.model, "model_revision": found.model_revision, "answers": answers_file(path).name}
    text = json.dumps(
        stated | {"scored": rows, "retention": codec.encode(found.kept)}, indent=1, ensure_ascii=False, allow_nan=False
    )
    return [
        records.write_bytes(answers_file(path), packed),
        records.write_text(path, text + "\n"),
        *plots.write_figure(path.with_suffix(""), lambda: matrix.draw(of_adapters(found.scored, found.model))),
    ]


def _lines(scored: Sequence[Scored]) -> list[str]:
    """Return one line an answer. Answers to the same question stand side by side, which packs a third smaller."""
    keyed = [
        ((row.task, place), {"adapter": row.adapter, "task": row.task, "answer": codec.encode(answer)})
        for row in scored
        for place, answer in enumerate(row.answers)
    ]
    return [json.dumps(line, ensure_ascii=False) for _, line in sorted(keyed, key=lambda item: item[0])]


def _without_answers(row: Scored) -> dict[str, Any]:
    said = {"questions": len(row.answers), "answers_sha256": _sha256(row.answers)}
    return {name: value for name, value in codec.encode(row).items() if name != "answers"} | said


def _sha256(answers: Sequence[Answer]) -> str:
    return records.sha256(records.answers_text(answers))


def recompute(path: Path, tasks: Mapping[str, Task]) -> Crossed:
    """Read a document and compute every score and all retention anew from its answers.

    Raises:
        HarnessError: it cannot be read, answers are gone or others, a task is not known, or a number is another one.
    """
    try:
        stated = json.loads(path.read_text(encoding="utf-8"))
        rows = [_row(stated_row, answers) for stated_row, answers in _with_answers(path, stated)]
        whole = list(dict.fromkeys((one["task"], one["single"]) for one in stated["retention"]))
        model, revision = stated["model"], stated["model_revision"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise HarnessError(f"no scores of adapters can be read: {error}", where=str(path), fix=AGAIN) from error
    for row in rows:
        _check(row, tasks, path)
    kept = tuple(retention.measure(rows, whole, tasks))
    if codec.encode(kept) != stated["retention"]:
        raise HarnessError("the answers give another retention", where=str(path), fix=AGAIN)
    return Crossed(model, revision, tuple(rows), kept)


def _with_answers(path: Path, stated: Mapping[str, Any]) -> list[tuple[dict[str, Any], list[Any]]]:
    """Return each row of a document with its answers: from beside it, or from an older document itself."""
    rows = stated["scored"]
    if "answers" not in stated:
        return [({name: row[name] for name in row if name != "answers"}, row["answers"]) for row in rows]
    found: dict[tuple[str, str], list[Any]] = {(row["adapter"], row["task"]): [] for row in rows}
    for line in filter(None, answer_files.unpack(answers_file(path).read_bytes()).decode().split("\n")):
        one = json.loads(line)
        found[one["adapter"], one["task"]].append(one["answer"])
    return [(row, found[row["adapter"], row["task"]]) for row in rows]


def _row(stated: Mapping[str, Any], answers: Sequence[Any]) -> Scored:
    fields = {name: value for name, value in stated.items() if name not in ("questions", "answers_sha256")}
    row = codec.decode(Scored, fields | {"answers": answers})
    if "answers_sha256" in stated and stated["answers_sha256"] != _sha256(row.answers):
        raise ValueError(f"the answers of {row.adapter} on {row.task} are others than those that were scored")
    return row


def _check(row: Scored, tasks: Mapping[str, Task], path: Path) -> None:
    task = tasks.get(row.task)
    if task is None:
        raise HarnessError(
            f"the task '{row.task}' is not known here", where=str(path), fix="for a data file: --task FILE"
        )
    if score_answers(row.answers, task.metrics) != row.scores or parse_rate(row.answers) != row.parse_rate:
        problem = f"the answers of {row.adapter} on {row.task} do not give the scores that stand here"
        raise HarnessError(problem, where=str(path), fix=AGAIN)


def of_adapters(found: Sequence[Scored], made: str) -> Matrix:
    """The matrix of adapters by tasks; without a row of the base model there are no colours. `made` names the model."""
    tasks = list(dict.fromkeys(one.task for one in found))
    trained = {one.adapter: one.trained_on for one in found}
    cells = {(one.adapter, one.task): one for one in found}
    rows = tuple((name, f"of {', '.join(of)}" if of else "untrained") for name, of in trained.items())
    columns = []
    for task in tasks:
        metric, score = next(iter(next(one for one in found if one.task == task).scores.items()))
        columns.append((task, column_note(metric, score.unit, None)))
    entries = tuple(tuple(_entry(cells.get((n, t)), cells.get((BASE, t))) for t in tasks) for n in trained)
    about = f"{made} · framed: what the row was trained on"
    return Matrix(f"adapters asked {', '.join(tasks)}", rows, tuple(columns), entries, about)


def _entry(one: Scored | None, base: Scored | None) -> Entry | None:
    score = next(iter(one.scores.values()), None) if one else None
    if one is None or score is None:
        return None
    known = next(iter(base.scores.values()), None) if base else None
    away = (score.value - known.value) * (1 if score.higher_is_better else -1) if known else None
    better = away if score.unit == "share" else None
    return Entry(score.value, score.low, score.high, score.unit, better, _saw(one))


def _saw(one: Scored) -> bool:
    """Whether the row was trained on this task, alone or with others at once."""
    return any(one.task in (text, *tasks_in(text)) for text in one.trained_on)
