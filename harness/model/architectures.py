"""Architectures of common models, shipped as small files: `plan` needs neither the weights nor a network."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import HarnessError, did_you_mean
from harness.model import checkpoint
from harness.model.checkpoint import Checkpoint

FOLDER = Path(__file__).parent / "configs"


@dataclass(frozen=True)
class Architecture:
    """A model's shape: its hub id, its number of weights (tied ones once) and what of `config.json` decides it."""

    id: str
    weights: int
    config: Mapping[str, Any]


@functools.cache
def known() -> Mapping[str, Architecture]:
    """Return every shipped architecture by hub id."""
    lines = [line for path in sorted(FOLDER.glob("*.json")) for line in json.loads(path.read_text(encoding="utf-8"))]
    return {name: Architecture(name, line["weights"], line["config"]) for line in lines for name in line["ids"]}


def read(model_id: str) -> tuple[Checkpoint, Architecture | None]:
    """Describe the model that `--model` names: the one that is here, else the shipped architecture of this id.

    The second is None where the model is here, or was fetched.

    Raises:
        HarnessError: as `checkpoint.read`; an id much like a shipped one is told the other.
    """
    if not is_only_shipped(model_id):
        return _fetched(model_id), None
    found = known()[model_id]
    return (
        Checkpoint(
            folder=FOLDER,
            name=found.id,
            revision="",
            hidden=int(found.config["hidden_size"]),
            window=int(found.config["max_position_embeddings"]),
            weights_bytes=2 * found.weights,
        ),
        found,
    )


def _fetched(model_id: str) -> Checkpoint:
    try:
        return checkpoint.read(model_id)
    except HarnessError as problem:
        near = did_you_mean(model_id, known())
        if not near or checkpoint.is_here(model_id):
            raise
        raise HarnessError(problem.problem, where=problem.where, fix=f"{near}   or {problem.fix}") from problem


def is_only_shipped(model_id: str) -> bool:
    """Whether a model is not here and its architecture is."""
    return model_id in known() and not checkpoint.is_here(model_id)
