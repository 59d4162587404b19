"""The one place where results become what people read: tables and figures of each task, and the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from harness import (
    calibration_tables,
    compare,
    data,
    exports,
    forgetting,
    forgotten,
    plots,
    registry,
    reordered,
    report,
    robustness,
    sources,
    store,
    tables,
)
from harness.checks.views import PAGE
from harness.errors import HarnessError
from harness.schema import Example, Task


def write_outputs(
    folder: Path, runs: Sequence[store.Run], tasks: Mapping[str, Task] | None = None, *, publication: bool = False
) -> list[Path]:
    """Write every view of these runs below `folder` and return the files.

    `tasks` adds to those that are installed; a publication has the forms of `exports` too.
    """
    evidence = [(run.record, run.answers() or None) for run in runs]
    known = registry.recorded() | dict(tasks or {})
    metrics = reordered.with_twins({name: task.metrics for name, task in known.items()})
    cells = compare.cells(evidence, metrics)
    probed = [run for run in runs if run.record.probes]
    changes = forgetting.changes([(run.record, run.probed()) for run in probed], cells, metrics)
    twins = robustness.held(changes, probed)
    trust = calibration_tables.trust(cells, evidence, metrics)
    paths: list[Path] = []
    figures: dict[str, dict[str, str]] = {}
    for name in sorted({run.record.spec.task for run in runs}):
        own = [change for change in changes if change.spec.task == name]
        held = [one for one in twins if one.change.spec.task == name]
        more = forgotten.document(own) + robustness.document(held)
        paths += tables.write(folder, name, cells, runs=evidence, metrics=metrics, trust=trust, more=more)
        paths += [forgotten.write(folder, name, own)] if own else []
        paths += [robustness.write(folder, name, held)] if held else []
        drawn = [*plots.write(folder, name, cells, trust), *plots.write_forgetting(folder, name, own)]
        figures[name] = {path.stem: path.read_text(encoding="utf-8") for path in drawn if path.suffix == ".svg"}
        paths += drawn
    paths += exports.write(folder, cells, known) if publication else []
    asked = {name: _questions(known[name]) for name in figures if name in known}
    page = report.page(
        evidence, known, cells=cells, figures=figures, questions=asked, changes=changes, twins=twins, trust=trust
    )
    return [*paths, store.write_text(folder / PAGE, page)]


def _questions(task: Task) -> dict[str, Example]:
    """The test questions of a task whose data comes with the project and may be handed on: the same wherever it is asked.

    No other: a page must not depend on what lies on a machine, nor publish what is somebody's own.
    """
    source = task.source
    if sources.is_remote(source) or Path(source.uri).is_absolute() or not source.redistributable:
        return {}
    try:
        return {example.id: example for example in data.load_splits(task).test}
    except HarnessError:
        return {}
