"""What `tests/gpu/shapes.py` measures: one `Cell` a row, each in a process of its own. Nothing here imports torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from harness.model import architectures

LLAMA_8B, LLAMA_3B = "meta-llama/Llama-3.1-8B", "meta-llama/Llama-3.2-3B"
SHALLOW = 4  # layers of the 8B width, where a comparison needs no more
TOY: Mapping[
    str, Any
] = {  # as the 8B in kind; every side is a whole number of NF4's blocks and no smaller than rank 64
    "model_type": "llama",
    "hidden_size": 128,
    "intermediate_size": 384,
    "num_hidden_layers": 4,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 64,
    "vocab_size": 768,
    "tie_word_embeddings": False,
    "max_position_embeddings": 512,
}

Kind = Literal["rate", "train", "trl", "casts"]


@dataclass(frozen=True)
class Cell:
    """One row: what is measured, on what shape, in how many steps.

    `config` is a transformers config as a mapping. A micro-batch is `rows` examples of `length` tokens, the last `target`
    of which are learnt. `optimizer` names an AdamW other than the method's. `repeatable` runs the deterministic kernels
    that the harness's runs take. `best` is for TRL: its best settings here instead of its defaults. `side` is that of the
    matrices whose product gives the rate. `memory` replaces the device's, in bytes. `limit` is in seconds.
    """

    name: str
    kind: Kind
    config: Mapping[str, Any] = field(default_factory=dict)
    method: str = ""
    rank: int = 0
    device: Literal["cpu", "cuda"] = "cuda"
    rows: int = 8
    length: int = 512
    target: int = 32
    warmup: int = 2
    steps: int = 5
    optimizer: Literal["", "foreach"] = ""
    repeatable: bool = True
    best: bool = False
    side: int = 8192
    memory: int = 0
    limit: float = 80.0


RATE, LORA, EVERYWHERE = "matrix product", "8B lora r8", "8B lora r8, loss on every token"
TRL, TRL_BEST, CASTS = "8B TRL r8, defaults", "8B TRL r8, at its best", "LoRA's gradients"
FUSED, FOREACH = "4 layers full, fused AdamW", "4 layers full, foreach AdamW"


def cells() -> Iterator[Cell]:
    """Yield the cells of a large GPU, what matters most first: the time may end before they do."""
    large, medium = architectures.catalog()[LLAMA_8B].config, architectures.catalog()[LLAMA_3B].config
    shallow = {**large, "num_hidden_layers": SHALLOW}
    yield Cell(RATE, "rate", limit=60)
    yield Cell(LORA, "train", large, "lora", 8)
    yield Cell("8B qlora r8", "train", large, "qlora", 8)
    yield Cell("8B base", "train", large, "base")
    yield Cell("3B full", "train", medium, "full")
    yield Cell(TRL_BEST, "trl", large, "lora", 8, best=True, limit=100)
    yield Cell(TRL, "trl", large, "lora", 8, limit=100)
    yield Cell(CASTS, "casts", shallow, "lora", 8)
    yield Cell("8B lora r64", "train", large, "lora", 64)
    yield Cell("8B qlora r64", "train", large, "qlora", 64)
    yield Cell("8B full", "train", large, "full")
    yield Cell(FUSED, "train", shallow, "full")
    yield Cell(FOREACH, "train", shallow, "full", optimizer="foreach")
    yield Cell(EVERYWHERE, "train", large, "lora", 8, target=511)
    yield Cell("8B lora r8, any kernels", "train", large, "lora", 8, repeatable=False)
    yield Cell("8B full8", "train", large, "full8")


def toy(cell: Cell) -> Cell:
    """Return the cell for a dry run on the CPU: the same path with a toy shape; its figures say nothing."""
    small = replace(cell, device="cpu", rows=2, length=48, target=min(cell.target, 47) if cell.target > 32 else 6)
    return replace(small, config=TOY if cell.config else {}, side=256, warmup=1, steps=2, limit=min(cell.limit, 60))
