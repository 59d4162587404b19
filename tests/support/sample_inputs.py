"""What a run of the tests is given: questions, and something that looks like a model; imports no torch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from harness.runs.options import Options

OPTIONS = ("it rises", "it falls a little", "it stays where it is")


def write_task(path: Path, rows: int = 60) -> Path:
    lines = [
        {
            "question": f"Filing {i} says {OPTIONS[i % 3]}?",
            "choices": OPTIONS,
            "answer": OPTIONS[i % 3],
            "group": f"g{i}",
        }
        for i in range(rows)
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def write_model(folder: Path, **changes: Any) -> Path:
    """A folder that looks like a model as far as a plan without torch looks."""
    folder.mkdir(exist_ok=True)
    config = {"model_type": "llama", "hidden_size": 64, "max_position_embeddings": 512}
    (folder / "config.json").write_text(json.dumps(config | changes))
    header = b'{"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}'
    (folder / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))
    (folder / "tokenizer.json").write_text("{}")
    return folder


def toy_options(folder: Path) -> Options:
    return Options(
        tasks=(str(write_task(folder / "toy.jsonl")),),
        model=str(write_model(folder / "model")),
        results=folder / "results",
        memory=False,
    )
