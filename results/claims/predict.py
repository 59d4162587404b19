"""Predict what docs/claims.md compares: weights that train, and training memory by part:   python results/claims/predict.py

Nothing is loaded: a model is its config, and a training step runs on fake tensors (`harness/runs/forecast/peak_memory.py`), as in
`run_all.py plan`. `trained.jsonl` and `memory.jsonl` have a line for each cell; cells that are there are not predicted again.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parents[1]
sys.path[:0] = [] if str(ROOT) in sys.path else [str(ROOT)]

from harness.data import registry
from harness.model import architectures, byte_counter, loading
from harness.model.tokenize import Pair
from harness.record import RunSpec
from harness.runs.forecast import peak_memory
from results.claims.cells import MEMORY_FILE, MODELS, TRAINED, TRAINED_FILE, Memory, memory_cells
from tests.support.tiny_models import toy_spec

Line = dict[str, Any]


def spec_of(method: str, rank: int, rows: int = 1, length: int = 64, *, checkpointing: bool = False) -> RunSpec:
    """Return the spec of a training step of `rows` examples of `length` tokens in bf16 on CUDA."""
    return toy_spec(
        method=method,
        rank=rank,
        alpha=32.0 if rank else 0.0,
        learning_rate=1e-5,
        batch_size=rows,
        micro_batch=rows,
        max_tokens=length,
        dtype="bf16",
        device="cuda",
        checkpointing=checkpointing,
    )


def config_of(model: str) -> Any:
    """Return a model's transformers config from its shipped architecture."""
    return loading.config_from(architectures.catalog()[MODELS[model]].config)


def trained(model: str, method: str, rank: int) -> Line:
    """Return the weights of a model and how many of them, or of those added, a method trains."""
    config = config_of(model)
    built = peak_memory.adapted_skeleton(config, spec_of(method, rank), registry.method(method))
    count = sum(weight.numel() for weight in built.parameters() if weight.requires_grad)
    return {
        "model": model,
        "method": method,
        "rank": rank,
        "weights": loading.config_shape(config).weights,
        "trained": count,
    }


def memory(cell: Memory) -> Line:
    """Return the bytes of a training step at its peak, by part.

    `nested` are the bytes that double quantisation saves: with it a block of 64 weights has a scale in 8 bits, and 256 scales have
    one in fp32; without it a block has a scale in fp32.
    """
    config, method = config_of(cell.model), registry.method(cell.method)
    spec = spec_of(cell.method, cell.rank, cell.rows, cell.length, checkpointing=cell.checkpointing)
    rows = [Pair((0,) * (cell.length - cell.target), (0,) * cell.target)] * cell.rows
    built = peak_memory.adapted_skeleton(config, spec, method)
    weights = list(built.parameters())
    frozen = [weight for weight in weights if not weight.requires_grad]
    adapter = byte_counter.storage_bytes(weight for weight in weights if weight.requires_grad)
    peak, gradients, optimizer = at_peak(config, spec, rows)
    return {
        **cell.key(),
        "peak": peak,
        "frozen": byte_counter.storage_bytes([*frozen, *built.buffers()]),
        "adapter": adapter,
        "gradients": gradients,
        "optimizer": optimizer,
        "nested": nested_saving(built),
        "cublas": peak_memory.WORKSPACE,
    }


def at_peak(config: Any, spec: RunSpec, rows: list[Pair]) -> tuple[int, int, int]:
    """Return live bytes, gradients and optimizer state at the peak, for a deep model on the line through two depths."""
    low, high = peak_memory.DEPTHS
    shallow = [peak_memory.with_layers(config, count) for count in (low, high)]
    depths = [config] if any(part is None for part in shallow) else shallow
    counters = [peak_memory.config_counter(part, spec, registry.method(spec.method), rows) for part in depths]
    steps = (int(config.num_hidden_layers) - high) / (high - low)

    def at_depth(values: list[int]) -> int:
        return values[-1] + round((values[-1] - values[0]) * steps)

    return (
        at_depth([counter.peak for counter in counters]),
        at_depth([counter.gradients_at_peak for counter in counters]),
        at_depth([counter.optimizer_at_peak for counter in counters]),
    )


def nested_saving(model: Any) -> int:
    """Return the bytes that the packed layers of a model save by scales in 8 bits with scales of their own."""
    saved = 0
    for layer in model.modules():
        if getattr(layer, "packed_bits", 0) == 4:
            scales = layer.scales.numel()
            saved += 4 * scales - scales - 4 * layer.scales_of_scales.numel() - 4 * (256 + 1)
    return saved


def present(path: Path, names: tuple[str, ...]) -> set[tuple[Any, ...]]:
    """Return the keys of the lines of a file."""
    if not path.is_file():
        return set()
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return {tuple(line[name] for name in names) for line in lines}


def lines() -> Iterator[tuple[Path, Line]]:
    """Yield the lines that are not in the files yet, one after the other."""
    there = present(TRAINED_FILE, ("model", "method", "rank"))
    for model in MODELS:
        for method, rank in TRAINED:
            if (model, method, rank) not in there:
                yield TRAINED_FILE, trained(model, method, rank)
    cells = list(memory_cells())
    there = present(MEMORY_FILE, tuple(cells[0].key()))
    for cell in cells:
        if tuple(cell.key().values()) not in there:
            yield MEMORY_FILE, memory(cell)


def main() -> None:
    """Add the lines that are missing to the files."""
    for path, line in lines():
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        print(*line.values(), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
