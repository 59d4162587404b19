"""The cells that docs/claims.md compares: shapes of models, methods and ranks, and training steps of several sizes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent
TRAINED_FILE, MEMORY_FILE = FOLDER / "trained.jsonl", FOLDER / "memory.jsonl"
MODELS = {  # by the name in the page: a shipped architecture
    "SmolLM2-135M": "HuggingFaceTB/SmolLM2-135M",
    "Gemma-3-270M": "google/gemma-3-270m",
    "Llama-3.2-1B": "meta-llama/Llama-3.2-1B",
    "Llama-3.1-8B": "meta-llama/Llama-3.1-8B",
    "Llama-3.1-70B": "meta-llama/Llama-3.1-70B",
}
# QLoRA trains the same adapters as LoRA; prompt and prefix tuning have 20 virtual tokens.
TRAINED = (
    ("lora", 2),
    ("lora", 8),
    ("lora", 32),
    ("lora", 64),
    ("dora", 8),
    ("lora-fa", 8),
    ("ia3", 0),
    ("prompt", 0),
    ("prefix", 0),
    ("full", 0),
)
RANK = 8
METHODS = ("lora", "qlora")
SIZES = ((1, 128), (4, 512), (16, 512), (4, 2048))  # examples at once, tokens of each
BY_PART = (4, 512)
TARGET = 32  # tokens of each example that are learned


@dataclass(frozen=True)
class Memory:
    """A training step: `rows` examples of `length` tokens at once, the last `target` of which are learned."""

    model: str
    method: str
    rank: int
    rows: int
    length: int
    target: int
    checkpointing: bool

    def key(self) -> dict[str, Any]:
        """Return the fields by name."""
        return asdict(self)


def memory_cells() -> Iterator[Memory]:
    """Yield the steps of every model, small ones first."""
    for model in MODELS:
        for rows, length in SIZES:
            for checkpointing in (False, True):
                for method in METHODS:
                    yield Memory(model, method, RANK, rows, length, TARGET, checkpointing)
