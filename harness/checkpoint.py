"""What a plan needs to know of a model folder, read in milliseconds and without torch: name, revision, width, window."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import HarnessError

TINY = Path(__file__).parent / "tiny" / "model"
DEFAULT_WINDOW = 2048


@dataclass(frozen=True)
class Checkpoint:
    """A model folder in short. `name` is what records show, never a machine path."""

    folder: Path
    name: str
    revision: str
    hidden: int
    window: int
    weights_bytes: int


def read(model_id: str) -> Checkpoint:
    """Describe the model that `--model` names: `tiny`, a folder, or a hub id (fetched where it is not here yet).

    Raises:
        HarnessError: the model is not here and cannot be fetched, or its folder is not one.
    """
    folder = _folder(model_id)
    config = _config(folder)
    text = config.get("text_config", config)
    files = _weight_files(folder)
    return Checkpoint(
        folder=folder,
        name=_name(model_id, folder),
        revision=_revision(folder, files),
        hidden=_first(text, ("hidden_size", "n_embd", "d_model"), 0),
        window=_first(text, ("max_position_embeddings", "n_positions", "max_seq_len"), DEFAULT_WINDOW),
        weights_bytes=sum(path.stat().st_size for path in files),
    )


def _folder(model_id: str) -> Path:
    folder = TINY if model_id == "tiny" else Path(model_id).expanduser()
    if (folder / "config.json").is_file():
        return folder.resolve()
    # Everything else, from a hub id to a mistyped folder, is answered where models are resolved and checked.
    from harness import models

    return models.resolve(model_id)


def _name(model_id: str, folder: Path) -> str:
    if model_id == "tiny":
        return "tiny"
    if folder.parent.name == "snapshots":
        return folder.parent.parent.name.removeprefix("models--").replace("--", "/", 1)
    return folder.name if Path(model_id).expanduser().exists() else model_id


def _config(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise HarnessError(
            f"the model's config cannot be read: {error}", where=str(path), fix="fetch it again"
        ) from None
    if not isinstance(config, dict):
        raise HarnessError("the model's config is not an object", where=str(path), fix="fetch it again")
    return config


def _weight_files(folder: Path) -> list[Path]:
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise HarnessError(
            "no weights in safetensors format in the model folder",
            where=str(folder),
            fix="save the model with save_pretrained, which writes safetensors",
        )
    return files


def _revision(folder: Path, files: list[Path]) -> str:
    """A hub snapshot's commit, else the first 12 hex digits of the SHA-256 over the weight files' own."""
    if folder.parent.name == "snapshots":
        return folder.name
    digest = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:12]


def _first(config: dict[str, Any], keys: tuple[str, ...], default: int) -> int:
    return next((int(config[key]) for key in keys if isinstance(config.get(key), int)), default)
