"""Write the tables of docs/findings.md from the published boards of real models:   python results/findings/make.py

A part without a board says that it is not measured yet, and nothing else. Differences are paired on the questions.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [] if str(ROOT) in sys.path else [str(ROOT)]

from harness.analysis import robustness
from harness.analysis.aggregate import Cell
from harness.data import registry
from harness.format import Table, markdown, number
from results import boards, make_readme
from results.boards import Board
from results.findings import intruders

PAGE = ROOT / "docs" / "findings.md"
RANKS = (2, 8, 32)
Row = tuple[str, ...]


def pays(found: Sequence[Board]) -> str:
    """Return on how many boards each method is better than the base model at its best, and than every challenger as well."""
    counts = boards.counts(found)
    rows = [(count.name, *map(str, (count.seeds, count.boards, count.better, count.best))) for count in counts]
    heads = ("method", "seeds", "boards", "better than base at its best", "better than every challenger as well")
    return _table("Pays", heads, rows)


def ranks(found: Sequence[Board]) -> str:
    """Return the scores of LoRA and QLoRA by rank, and their differences from rank 8."""
    rows = []
    for board in found:
        for method in ("lora", "qlora"):
            cells = [board.row(method, rank) for rank in RANKS]
            if sum(cell is not None for cell in cells) < 2:
                continue
            low, middle, high = cells
            differences = [_points(board, cell, middle) for cell in (low, high)]
            rows.append((board.name, board.model, _seeds(cells), method, *map(boards.score, cells), *differences))
    heads = ("task", "model", "seeds", "method", *(f"r{rank}" for rank in RANKS), "r2 less r8", "r32 less r8")
    return _table("Ranks", heads, rows, left=4)


def quantised(found: Sequence[Board]) -> str:
    """Return what QLoRA costs in score and saves in bytes of the training peak against LoRA, both at rank 8."""
    rows = []
    for board in found:
        lora, qlora = board.row("lora", 8), board.row("qlora", 8)
        if lora and qlora:
            peaks = [_peak(cell) for cell in (lora, qlora)]
            saved = number(1 - peaks[1] / peaks[0]) if all(peaks) and lora.machine == qlora.machine else ""
            rows.append(
                (
                    *(board.name, board.model, _seeds((lora, qlora)), boards.score(lora), boards.score(qlora)),
                    *(_points(board, qlora, lora), saved),
                )
            )
    heads = ("task", "model", "seeds", "LoRA r8", "QLoRA r8", "QLoRA less LoRA", "less memory, %")
    return _table("QLoRA", heads, rows, left=3)


def full(found: Sequence[Board]) -> str:
    """Return full fine-tuning less LoRA at rank 8, and full fine-tuning wholly in bf16 less that with fp32 weights."""
    rows = []
    for board in found:
        tuned, lora, half = board.row("full"), board.row("lora", 8), board.row("full-bf16")
        if tuned and (lora or half):
            shown = (boards.score(lora), boards.score(tuned), _points(board, tuned, lora), _points(board, half, tuned))
            rows.append((board.name, board.model, _seeds((tuned, lora, half)), *shown))
    heads = ("task", "model", "seeds", "LoRA r8", "full", "full less LoRA", "in bf16 less in fp32")
    return _table("Full", heads, rows, left=3)


def forgotten(found: Sequence[Board]) -> str:
    """Return the score of each trained row on what the model could do before, and its difference from the base model."""
    rows = []
    for board in found:
        for change in board.analysis.changes_of(board.section):
            if change.part or robustness.is_twin(change) or change.base is None or change.spec.method == "base":
                continue
            cell, unit = change.cell, change.cell.unit
            scores = (boards.score(change.base), boards.score(cell), boards.points(change.difference, unit))
            rows.append((board.task, board.model, change.probe, _name(cell), *scores, change.verdict))
    heads = ("trained on", "model", "asked", "method", "base", "after", "after less base", "verdict")
    return _table("Forgotten", heads, rows, left=4)


def shifted(found: Sequence[Board]) -> str:
    """Return the score of each row on the task in other words, and the drop from the usual questions."""
    rows = []
    for board in found:
        for twin in board.analysis.twins_of(board.section):
            if twin.drop is None:
                continue
            unit = twin.change.cell.unit
            drop = boards.points(twin.drop, unit)
            name, usual = _name(twin.change.cell), number(twin.usual, unit)
            rows.append((board.task, board.model, name, usual, boards.score(twin.change.cell), drop, twin.verdict))
    heads = ("task", "model", "method", "usual", "in other words", "drop", "verdict")
    return _table("Shifted", heads, rows, left=3)


def intruder_counts(studies: Sequence[dict[str, Any]]) -> str:
    """Return how many of each run's largest directions are new, by how new they have to be."""
    cosines = ("0.5", "0.7", "0.9")
    rows = []
    for study in studies:
        name = boards.row_name(study["method"], study["rank"])
        shares = (number(study["relative_change"]), *(f"{study['total'][cosine]:,}" for cosine in cosines))
        rows.append((study["task"], study["model"], name, f"{study['vectors']:,}", *shares))
    heads = (
        "trained on",
        "model",
        "run, seed 0",
        "directions",
        "change of the weights, %",
        *(f"new below {c}" for c in cosines),
    )
    return _table("Intruders", heads, rows, left=3)


def merges(documents: Sequence[dict[str, Any]]) -> str:
    """Return the scores of single and merged adapters on each task, and the share of the single adapter's score."""
    rows, tasks = [], registry.recorded()
    for document in documents:
        shares = {(part["adapter"], part["task"]): part["share"] for part in document["retention"]}
        for part in document["scored"]:
            headline = part["scores"][tasks[part["task"]].metrics[0].name]
            score = boards.estimate(*(headline[name] for name in ("value", "low", "high", "unit")))
            share = shares.get((part["adapter"], part["task"]))
            left = boards.estimate(*share) if share else ""
            rows.append((document["model"], _adapter(part), part["task"], f"{part['questions']:,}", score, left))
    heads = ("model", "adapter", "task", "questions", "score, %", "of the single adapter's score, %")
    return _table("Merged", heads, rows, left=3)


def _adapter(part: dict[str, Any]) -> str:
    """Return the name of an adapter by what it was trained on, with the way of merging."""
    trained = " and ".join(part["trained_on"])
    return f"{trained}, {part['adapter']}" if len(part["trained_on"]) > 1 else trained or "none"


def _seeds(cells: Iterable[Cell | None]) -> str:
    """Return the fewest seeds of some rows."""
    return str(min(len(cell.seeds) for cell in cells if cell is not None))


def _name(cell: Cell) -> str:
    return boards.row_name(cell.spec.method, cell.spec.rank)


def _points(board: Board, cell: Cell | None, other: Cell | None) -> str:
    return boards.points(board.minus(cell, other), board.section.unit)


def _peak(cell: Cell) -> float:
    train = cell.cost.phases.get("train") if cell.cost else None
    return float(train.peak_bytes) if train else 0.0


def _table(title: str, heads: Sequence[str], rows: Iterable[Row], left: int = 1) -> str:
    """Return a table in Markdown; a sentence without rows."""
    shown = tuple(rows)
    return markdown(Table(title, tuple(heads), shown, left=frozenset(range(left)))) + "\n" if shown else boards.NOTHING


PARTS: dict[str, Callable[[Sequence[Board]], str]] = {
    "boards": boards.table,
    "pays": pays,
    "ranks": ranks,
    "quantised": quantised,
    "full": full,
    "forgotten": forgotten,
    "shifted": shifted,
}


def parts(results: Path) -> Iterator[tuple[str, str]]:
    """Yield each part of the page by its markers' name."""
    found = boards.boards(results, sorted(registry.recorded()))
    yield from ((part, make(found)) for part, make in PARTS.items())
    yield "intruders", intruder_counts(intruders.read(results / "findings" / intruders.STUDIES.name))
    paths = sorted((results / "findings" / "merges").glob("*.json"))
    yield "merged", merges([json.loads(path.read_text(encoding="utf-8")) for path in paths])


def page(text: str, results: Path = ROOT / "results") -> str:
    """Return the page with its tables made anew."""
    return make_readme.with_parts(text, parts(results))


def main() -> None:
    """Write the tables into the page."""
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
