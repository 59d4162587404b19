"""Architectures of common models, shipped as small files so that `plan` needs neither the weights nor a network."""

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
    """A model's shape: its hub id, its number of weights (tied ones once) and the entries of `config.json` that decide it."""

    id: str
    weights: int
    config: Mapping[str, Any]


@functools.cache
def catalog() -> Mapping[str, Architecture]:
    """Return every shipped architecture by hub id."""
    lines = [line for path in sorted(FOLDER.glob("*.json")) for line in json.loads(path.read_text(encoding="utf-8"))]
    return {name: Architecture(name, line["weights"], line["config"]) for line in lines for name in line["ids"]}


def read(model_id: str) -> tuple[Checkpoint, Architecture | None]:
    """Return the checkpoint that `--model` names, and its shipped architecture if the model itself is not on this machine.

    The architecture is None if the model is on this machine or was fetched.

    Raises:
        HarnessError: as `checkpoint.read`; for an id close to a shipped one the fix names the shipped one.
    """
    if not is_only_shipped(model_id):
        return _fetched(model_id), None
    architecture = catalog()[model_id]
    return (
        Checkpoint(
            folder=FOLDER,
            name=architecture.id,
            revision="",
            hidden=int(architecture.config["hidden_size"]),
            window=int(architecture.config["max_position_embeddings"]),
            weights_bytes=2 * architecture.weights,
            config=architecture.config,
        ),
        architecture,
    )


def _fetched(model_id: str) -> Checkpoint:
    try:
        return checkpoint.read(model_id)
    except HarnessError as problem:
        near = did_you_mean(model_id, catalog())
        if not near or checkpoint.is_local(model_id):
            raise
        raise HarnessError(problem.problem, where=problem.where, fix=f"{near}   or {problem.fix}") from problem


def is_only_shipped(model_id: str) -> bool:
    """Return whether the architecture of a model is shipped and the model itself is not on this machine."""
    return model_id in catalog() and not checkpoint.is_local(model_id)
