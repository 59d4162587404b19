"""Write the tables of docs/claims.md from the data beside this file and the boards of real models:   python results/claims/make.py

`predict.py` made `trained.jsonl` and `memory.jsonl`; `published.json` has figures of others with their sources; the measured rows
come from results/gpu and from published boards. A claim about accuracy without a board says so, and nothing else.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parents[1]
sys.path[:0] = [] if str(ROOT) in sys.path else [str(ROOT)]

from harness.data import registry
from harness.format import NONE, Table, markdown, number, quantity, size
from results import boards, make_readme
from results.claims.cells import BY_PART, MEMORY_FILE, MODELS, SIZES, TRAINED, TRAINED_FILE

PAGE = ROOT / "docs" / "claims.md"
Line = dict[str, Any]
CLAIMED_SHARE = 0.01  # 99 % fewer trained weights
CLAIMED_SAVING = 0.75
GIB = 2**30
EXAMS = ("cfa", "cfa_listed", "cpa")
TITLES = {"lora": "LoRA", "qlora": "QLoRA", "dora": "DoRA", "lora-fa": "LoRA-FA", "ia3": "(IA)³", "full": "full"}
TITLES |= {"prompt": "prompt, 20 tokens", "prefix": "prefix, 20 tokens"}


def lines(path: Path) -> list[Line]:
    """Return the lines of a file of predictions."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def name(method: str, rank: int) -> str:
    """Return the name of a row of the table of trained weights."""
    title = "LoRA, QLoRA" if method == "lora" else TITLES[method]
    return f"{title} r{rank}" if rank else title


def trained_table() -> str:
    """Return the share of weights that train, by method and model, and the largest rank with 99 % fewer."""
    cells = {(line["method"], line["rank"], line["model"]): line for line in lines(TRAINED_FILE)}
    rows = [
        (name(*way), *(_share(cells[*way, model]) for model in MODELS))
        for way in TRAINED
        if (*way, "SmolLM2-135M") in cells
    ]
    rows.append(("largest rank of LoRA with 99 % fewer", *(str(_largest_rank(cells, model)) for model in MODELS)))
    return _markdown("Trained weights", ("trained, % of the weights", *MODELS), rows)


def _share(line: Line) -> str:
    return f"{100 * line['trained'] / line['weights']:.3g} ({quantity(line['trained'])})"


def _largest_rank(cells: dict[tuple[str, int, str], Line], model: str) -> int:
    """Return the largest rank whose adapters have at most 1 % of the weights; their number grows with the rank."""
    line = cells["lora", 8, model]
    return int(CLAIMED_SHARE * line["weights"] / (line["trained"] / 8))


def memory_cells() -> dict[tuple[str, str, int, int, bool], Line]:
    """Return the predicted training steps by model, method, rows, length and checkpointing."""
    return {
        (line["model"], line["method"], line["rows"], line["length"], line["checkpointing"]): line
        for line in lines(MEMORY_FILE)
    }


def total(line: Line) -> int:
    """Return the predicted peak with the memory of cuBLAS."""
    return int(line["peak"] + line["cublas"])


def saving(lora: float, qlora: float) -> float:
    """Return the share of LoRA's memory that QLoRA saves."""
    return 1 - qlora / lora


def parts_table() -> str:
    """Return the peak by part of LoRA, of QLoRA and of QLoRA without double quantisation, at one size."""
    cells = memory_cells()
    rows = []
    for model in MODELS:
        lora, qlora = (cells[model, method, *BY_PART, False] for method in ("lora", "qlora"))
        rows.append(_part_row(model, "LoRA", lora, lora, 0))
        rows.append(_part_row("", "QLoRA", qlora, lora, 0))
        rows.append(_part_row("", "QLoRA, one level of scales", qlora, lora, qlora["nested"]))
    heads = ("model", "method", "frozen weights", "adapter, gradients, optimizer", "activations, temporary", "cuBLAS")
    return _markdown("Memory by part", (*heads, "peak", "less, %", "less in weights, %"), rows, left=2)


def _part_row(model: str, method: str, line: Line, lora: Line, more: int) -> tuple[str, ...]:
    frozen, trains = line["frozen"] + more, line["adapter"] + line["gradients"] + line["optimizer"]
    rest = line["peak"] - line["frozen"] - trains
    peak = total(line) + more
    savings = (saving(total(lora), peak), saving(lora["frozen"], frozen))
    shown = [number(share) for share in savings] if line is not lora else [NONE, NONE]
    return (model, method, *map(size, (frozen, trains, rest, line["cublas"], peak)), *shown)


def sizes_table() -> str:
    """Return how much less memory QLoRA takes by model and size, with and without checkpointing."""
    cells = memory_cells()
    heads = [f"{rows} × {length:,}{', ckpt' * again}" for again in (True, False) for rows, length in SIZES]
    rows = []
    for model in MODELS:
        row = [_saving(cells, model, *step, again) for again in (True, False) for step in SIZES]
        lora, qlora = (cells[model, method, *SIZES[0], True]["frozen"] for method in ("lora", "qlora"))
        rows.append((model, number(saving(lora, qlora)), number(saving(2 * lora, qlora)), *map(number, row)))
    heads = ["weights alone", "against LoRA in fp32, weights alone", *heads]
    return _markdown("Less memory with QLoRA", ("less, %", *heads), rows)


def _saving(
    cells: dict[tuple[str, str, int, int, bool], Line], model: str, rows: int, length: int, again: bool
) -> float:
    lora, qlora = (total(cells[model, method, rows, length, again]) for method in ("lora", "qlora"))
    return saving(lora, qlora)


def answer() -> str:
    """Return the sentences on the claim about memory that follow from the predictions."""
    cells = memory_cells()
    every = {
        (model, rows, length, again): _saving(cells, model, rows, length, again)
        for model in MODELS
        for rows, length in SIZES
        for again in (False, True)
    }
    reached = sum(share >= CLAIMED_SAVING for share in every.values())
    model, rows, length, again = max(every, key=lambda key: every[key])
    checkpoints = "with" if again else "without"
    return (
        f"75 % less is predicted in {reached} of {len(every)} cells. The largest saving is {number(max(every.values()))} %\n"
        f"({model}, {rows} × {length:,} tokens, {checkpoints} checkpointing), the smallest {number(min(every.values()))} %.\n"
    )


def measured_table(results: Path) -> str:
    """Return measured peaks of LoRA and QLoRA in the same set-up: ours on a GPU and on boards, and those of others."""
    rows = [*_on_gpu(results / "gpu"), *_shapes(results / "gpu" / "shapes.csv"), *_on_boards(results)]
    for entry in json.loads((FOLDER / "published.json").read_text(encoding="utf-8")):
        shown = [f"{entry[method]:g} {entry['unit']}" for method in ("lora", "qlora")]
        source = f"{entry['source']} ({entry['note']})"
        rows.append((entry["setup"], *shown, number(saving(entry["lora"], entry["qlora"])), source))
    heads = ("set-up", "LoRA", "QLoRA", "less, %", "source")
    return markdown(Table("Measured", heads, tuple(rows), left=frozenset({0, 4}))) + "\n"


def _measured(setup: str, lora: float, qlora: float, source: str) -> tuple[str, ...]:
    return (setup, size(lora), size(qlora), number(saving(lora, qlora)), source)


def _on_gpu(folder: Path) -> Iterator[tuple[str, ...]]:
    """Yield a row for each leaderboard of the GPU checks, but for the embedded model."""
    for path in sorted(folder.glob("*-cfa.csv")):
        peaks = {row["method"]: row for row in _rows(path) if row["train_peak_bytes"]}
        if path.stem.startswith(boards.DEMONSTRATION) or not {"lora", "qlora"} <= set(peaks):
            continue
        lora, qlora = (float(peaks[method]["train_peak_bytes"]) for method in ("lora", "qlora"))
        weights = float(peaks["lora"]["trainable_weights"]) / float(peaks["lora"]["trainable_share"])
        yield _measured(f"Llama of {quantity(weights)}, r8, one H200", lora, qlora, "ours, results/gpu")


def _shapes(path: Path) -> Iterator[tuple[str, ...]]:
    """Yield a row for each shape that was measured with both methods."""
    found = {row["name"]: row for row in _rows(path) if row["device"] == "cuda" and row["status"] == "ok"}
    for key, lora in found.items():
        qlora = found.get(key.replace(" lora ", " qlora "))
        if " lora " in key and qlora is not None:
            setup = f"{key.replace(' lora', '')}, {lora['rows']} × {lora['length']} tokens, CUDA"
            yield _measured(setup, float(lora["allocated_bytes"]), float(qlora["allocated_bytes"]), "ours, results/gpu")


def _rows(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _on_boards(results: Path) -> Iterator[tuple[str, ...]]:
    """Yield a row for each board of a real model with both methods at rank 8 on one machine."""
    for board in boards.boards(results, sorted(registry.recorded())):
        cells = [board.row(method, 8) for method in ("lora", "qlora")]
        peaks = [
            cell.cost.phases["train"].peak_bytes for cell in cells if cell and cell.cost and "train" in cell.cost.phases
        ]
        if len(peaks) == 2 and cells[0] and cells[1] and cells[0].machine == cells[1].machine:
            spec = cells[0].spec
            setup = f"{board.model}, {spec.task}, r8, {spec.micro_batch} examples at once, {spec.dtype}, {spec.device}"
            yield _measured(setup, peaks[0], peaks[1], "ours, board")


def insurance() -> list[str]:
    """Return the names of the tasks about insurance."""
    return sorted(key for key, task in registry.recorded().items() if "insurance" in task.suites)


def _markdown(title: str, heads: Sequence[str], rows: Iterable[Sequence[str]], left: int = 1) -> str:
    table = Table(title, tuple(heads), tuple(tuple(row) for row in rows), left=frozenset(range(left)))
    return markdown(table) + "\n"


def parts(results: Path) -> dict[str, Callable[[], str]]:
    """Return the maker of each part of the page by its markers' name."""
    return {
        "trained": trained_table,
        "parts": parts_table,
        "answer": answer,
        "sizes": sizes_table,
        "measured": lambda: measured_table(results),
        "insurance": lambda: boards.table(boards.boards(results, insurance())),
        "exams": lambda: boards.table(boards.boards(results, EXAMS)),
    }


def page(text: str, results: Path = ROOT / "results") -> str:
    """Return the page with its tables made anew."""
    return make_readme.with_parts(text, ((part, make()) for part, make in parts(results).items()))


def main() -> None:
    """Write the tables into the page."""
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
