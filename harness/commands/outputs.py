"""The one place where results become what people read: tables, figures, report."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Sequence
from pathlib import Path

from harness import compare, registry, store, tables
from harness.schema import Metric


def write_outputs(results: Path, runs: Sequence[store.Run] | None = None) -> list[Path]:
    """Write every view of runs (default: those of `results/runs`, else the published ones) and return the files."""
    if runs is None:
        runs = store.read_all(results) or store.read_published(results)
    evidence = [(run.record, run.answers() or None) for run in runs]
    metrics = known_metrics()
    cells = compare.cells(evidence, metrics)
    paths: list[Path] = []
    for task in sorted({run.record.spec.task for run in runs}):
        paths += tables.write(results, task, cells, runs=evidence, metrics=metrics)
    return paths


def known_metrics() -> dict[str, Sequence[Metric]]:
    """Each known task's metrics, headline first."""
    return {name: entry.value.metrics for name, entry in registry.tasks().items() if entry.value}
