"""The one place where results become what people read: tables and figures of each task, and the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from harness import compare, exports, plots, registry, report, store, tables
from harness.schema import Task


def write_outputs(
    folder: Path, runs: Sequence[store.Run], tasks: Mapping[str, Task] | None = None, *, publication: bool = False
) -> list[Path]:
    """Write every view of these runs below `folder` and return the files.

    `tasks` adds to those that are installed; a publication has the forms of `exports` too.
    """
    evidence = [(run.record, run.answers() or None) for run in runs]
    known = registry.recorded() | dict(tasks or {})
    metrics = {name: task.metrics for name, task in known.items()}
    cells = compare.cells(evidence, metrics)
    paths: list[Path] = []
    figures: dict[str, dict[str, str]] = {}
    for name in sorted({run.record.spec.task for run in runs}):
        paths += tables.write(folder, name, cells, runs=evidence, metrics=metrics)
        drawn = plots.write(folder, name, cells)
        figures[name] = {path.stem: path.read_text(encoding="utf-8") for path in drawn if path.suffix == ".svg"}
        paths += drawn
    paths += exports.write(folder, cells, known) if publication else []
    return [*paths, report.write(folder, evidence, known, cells=cells, figures=figures)]
