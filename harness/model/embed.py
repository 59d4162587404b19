"""Mean hidden states of texts: what the frozen base model makes of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from harness.methods import base
from harness.model import loading
from harness.model.batch import make_batches
from harness.record import RunSpec

READ_TOKENS = {"cpu": 2048, "cuda": 16384, "mps": 16384}  # rows x width of a batch


def reader(folder: Path, spec: RunSpec) -> Callable[[Sequence[str]], np.ndarray]:
    """Return a function from texts to the mean of the last hidden states over each text's tokens, as fp32 rows.

    Args:
        folder: of the base model.
        spec: gives window, precision and device; of a longer text the beginning is read.
    """
    tokenizer = loading.load_tokenizer(folder, remote_code=spec.remote_code)
    model = base.METHOD.load(str(folder), spec).eval().base_model

    def embed(texts: Sequence[str]) -> np.ndarray:
        ids = [tokenizer(text)["input_ids"][: spec.max_tokens] or [0] for text in texts]
        states: list[np.ndarray | None] = [None] * len(ids)
        with torch.inference_mode(), loading.precision(spec):
            for batch in make_batches(list(map(len, ids)), READ_TOKENS[spec.device]):
                for position, state in zip(batch, _states(model, [ids[i] for i in batch], spec.device), strict=True):
                    states[position] = state
        return np.stack([state for state in states if state is not None])

    return embed


def _states(model: torch.nn.Module, rows: Sequence[Sequence[int]], device: str) -> np.ndarray:
    width = max(map(len, rows))
    tokens = torch.tensor([[*row, *[0] * (width - len(row))] for row in rows], device=device)
    mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows], device=device)
    hidden = model(input_ids=tokens, attention_mask=mask).last_hidden_state.float()
    sums = (hidden * mask[:, :, None]).sum(dim=1)
    return np.asarray((sums / mask.sum(dim=1, keepdim=True)).cpu().numpy())
