"""The one place where results become what people read: tables, figures, report."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path

VIEWS = ("tables", "plots", "report")


def write_outputs(results: Path) -> list[Path]:
    """Write every view of the results folder and return the files."""
    paths: list[Path] = []
    for name in VIEWS:
        if importlib.util.find_spec(f"harness.{name}") is not None:
            paths += importlib.import_module(f"harness.{name}").write(results)
    return paths
