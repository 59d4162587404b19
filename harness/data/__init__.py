"""A name becomes checked examples: plugins, files, splits, probes.

No module here imports torch, and no other room reads task data. A plugin finds the functions of `loading` here as well
(`from harness import data; data.read_jsonl`), where version 0.1 had them.
"""

from __future__ import annotations

import importlib
from typing import Any


def __getattr__(name: str) -> Any:
    """Return a public function of `harness.data.loading` on first use (PEP 562)."""
    if not name.startswith("_"):
        loading = importlib.import_module("harness.data.loading")
        if hasattr(loading, name):
            return getattr(loading, name)
    raise AttributeError(f"module 'harness.data' has no attribute {name!r}")
