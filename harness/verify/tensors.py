"""The tensors of a safetensors file as numpy arrays, read without torch."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from harness.errors import HarnessError
from harness.store.codec import strict_json

KINDS = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}
FIX = "train the run again, or remove its weights"


def read(path: Path) -> Mapping[str, np.ndarray]:
    """Return the tensors of a file by name; numbers of two bytes are widened to fp32.

    Raises:
        HarnessError: the file is no safetensors file, or has a tensor of another kind of number.
    """
    content = path.read_bytes()
    try:
        start = 8 + int.from_bytes(content[:8], "little")
        header = strict_json(content[8:start].decode("utf-8"))
        entries = {name: entry for name, entry in header.items() if name != "__metadata__"}
        return {name: _tensor(content[start:], entry) for name, entry in entries.items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        problem = f"the file has no readable tensors: {json.dumps(str(error))}"
        raise HarnessError(problem, where=str(path), fix=FIX) from None


def _tensor(body: bytes, entry: Mapping[str, object]) -> np.ndarray:
    kind, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(shape, list) or not isinstance(offsets, list) or kind not in KINDS:
        raise ValueError(f"numbers of kind {kind}, need one of {', '.join(KINDS)}")
    values = np.frombuffer(body[offsets[0] : offsets[1]], dtype=KINDS[str(kind)])
    if values.size != math.prod(shape):
        raise ValueError(f"{values.size:,} numbers in the shape {shape}")
    if kind == "BF16":
        values = (values.astype("<u4") << 16).view("<f4")
    return values.reshape(shape).astype(np.float64 if kind == "F64" else np.float32)
