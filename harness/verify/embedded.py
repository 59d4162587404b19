"""The embedded model's shape and revision, read from its folder without torch.

A record that names this model must have its revision, its count of weights and its adapters' sizes.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import harness.tiny

NAME = "tiny"
FOLDER = Path(harness.tiny.__file__).parent / "model"


@functools.cache
def revision() -> str:
    """Return the revision of the weights: 12 hex digits of the SHA-256 over the SHA-256 of each weight file."""
    digest = hashlib.sha256()
    for path in sorted(FOLDER.glob("*.safetensors")):
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:12]


def weights() -> int:
    """Return the count of weights: embedding (tied to the output layer), linear layers and norms."""
    c = _config()
    norms = (2 * c["num_hidden_layers"] + 1) * c["hidden_size"]
    return int(c["vocab_size"] * c["hidden_size"] + sum(inner * outer for inner, outer in linear_shapes()) + norms)


def lora_weights(rank: int) -> int:
    """Return the count of weights of LoRA on every linear layer: rank times inputs plus outputs of each."""
    return rank * sum(inner + outer for inner, outer in linear_shapes())


def window() -> int:
    """Return the longest input in tokens."""
    return int(_config()["max_position_embeddings"])


def linear_shapes() -> list[tuple[int, int]]:
    """Return inputs and outputs of each linear layer except the output layer."""
    c = _config()
    hidden, inner = c["hidden_size"], c["intermediate_size"]
    queries, values = (c["head_dim"] * c[f"num_{name}_heads"] for name in ("attention", "key_value"))
    layer = [(hidden, queries), (hidden, values), (hidden, values), (queries, hidden)]
    layer += [(hidden, inner), (hidden, inner), (inner, hidden)]
    return layer * int(c["num_hidden_layers"])


@functools.cache
def longest_token() -> int:
    """Return the letters of the longest token."""
    tokenizer = json.loads((FOLDER / "tokenizer.json").read_text(encoding="utf-8"))
    return max(map(len, tokenizer["model"]["vocab"]))


def lengths(texts: Sequence[str]) -> list[int]:
    """Return the tokens of each text."""
    return [len(encoding.ids) for encoding in _tokenizer().encode_batch(list(texts), add_special_tokens=False)]


@functools.cache
def _tokenizer() -> Any:
    from tokenizers import Tokenizer

    return Tokenizer.from_file(str(FOLDER / "tokenizer.json"))


@functools.cache
def _config() -> dict[str, Any]:
    config: dict[str, Any] = json.loads((FOLDER / "config.json").read_text(encoding="utf-8"))
    return config
