"""A name becomes checked examples: plugins, files, splits, probes.

No module here imports torch, and no other room reads task data. A plugin may take the functions of `loading` from here
(`from harness import data; data.read_jsonl`), as version 0.1 offered them.
"""

from __future__ import annotations

import importlib
from typing import Any

_OF_VERSION_0_1 = frozenset(
    {
        "Splits",
        "check",
        "fingerprint",
        "hash_folder",
        "load_splits",
        "passed_over",
        "read_jsonl",
        "refuse_overlap",
        "refuse_to_train",
        "resolve",
        "sizes",
        "tasks_folder",
    }
)


def __getattr__(name: str) -> Any:
    """Return a function of `harness.data.loading` that version 0.1 had here, on first use (PEP 562)."""
    if name in _OF_VERSION_0_1:
        return getattr(importlib.import_module("harness.data.loading"), name)
    raise AttributeError(f"module 'harness.data' has no attribute {name!r}")
