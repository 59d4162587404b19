"""The one place where results become what people read: tables and figures of each task, and the report."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from harness import processes
from harness.analysis import compare, forgetting, robustness
from harness.analysis.aggregate import Cell
from harness.analysis.items import Metrics
from harness.data import loading, probes, registry, sources
from harness.errors import HarnessError
from harness.report import calibration, exports, tables
from harness.report import forgetting as forgotten
from harness.report import page as report
from harness.report import robustness as report_robustness
from harness.report.figures import cache, write
from harness.report.page import PAGE
from harness.schema import Example, Task
from harness.store import records


@dataclass(frozen=True)
class Desk:
    """What all tasks of a results folder share: where views go, the tasks known, and whether they are a publication's."""

    folder: Path
    known: Mapping[str, Task]
    metrics: Metrics
    publication: bool


@dataclass(frozen=True)
class Made:
    """What was made of one task: files, what the page says of it, and its cells where a publication needs them."""

    paths: tuple[Path, ...]
    part: report.Part
    cells: tuple[Cell, ...]


def write_outputs(
    folder: Path, runs: Sequence[records.Run], tasks: Mapping[str, Task] | None = None, *, publication: bool = False
) -> list[Path]:
    """Write every view of these runs below `folder` and return the files.

    Tasks are independent of each other and are done side by side; the answers of one are read when it is its turn, and
    dropped. `tasks` adds to those that are installed; a publication has the forms of `exports` too, and figures that are
    drawn anew whatever lies there.
    """
    known = registry.recorded() | dict(tasks or {})
    metrics = probes.with_reordered({name: task.metrics for name, task in known.items()})
    by_task: defaultdict[str, list[records.Run]] = defaultdict(list)
    for run in runs:
        by_task[run.record.spec.task].append(run)
    desk = Desk(folder, known, metrics, publication)
    made = processes.parallel_map(
        partial(_views, desk), [(n, by_task[name]) for n, name in enumerate(sorted(by_task), 1)]
    )
    paths = [path for one in made for path in one.paths]
    paths += exports.write(folder, [cell for one in made for cell in one.cells], known) if publication else []
    page = report.whole([one.part for one in made], [run.record for run in runs])
    return [*paths, records.write_text(folder / PAGE, page)]


def _views(desk: Desk, task: tuple[int, Sequence[records.Run]]) -> Made:
    """Write tables and figures of one task, given its place on the page and its runs."""
    place, runs = task
    folder, known, metrics, name = desk.folder, desk.known, desk.metrics, runs[0].record.spec.task
    evidence = [(run.record, run.answers() or None) for run in runs]
    cells = compare.cells(evidence, metrics)
    probed = [run for run in runs if run.record.probes]
    changes = forgetting.changes([(run.record, run.probed()) for run in probed], cells, metrics)
    held = robustness.held(changes, probed)
    trust = calibration.trust(cells, evidence, metrics)
    more = forgotten.document(changes) + report_robustness.document(held)
    paths = tables.write(folder, name, cells, runs=evidence, metrics=metrics, trust=trust, more=more)
    paths += [forgotten.write(folder, name, changes)] if changes else []
    paths += [report_robustness.write(folder, name, held)] if held else []

    def draw() -> list[Path]:
        return [*write.write(folder, name, cells, trust), *write.write_forgetting(folder, name, changes)]

    drawn_now = draw() if desk.publication else cache.again(folder, name, (cells, sorted(trust.items()), changes), draw)
    figures = {path.stem: path.read_text(encoding="utf-8") for path in drawn_now if path.suffix == ".svg"}
    asked = _questions(known[name]) if name in known else {}
    part = report.part(
        place, cells, evidence, known.get(name), figures, metrics, trust, asked, changes=changes, twins=held
    )
    return Made((*paths, *drawn_now), part, tuple(cells) if desk.publication else ())


def _questions(task: Task) -> dict[str, Example]:
    """The test questions of a task whose data comes with the project and may be handed on: the same wherever it is asked.

    No other: a page must not depend on what lies on a machine, nor publish what is somebody's own.
    """
    source = task.source
    if sources.is_remote(source) or Path(source.uri).is_absolute() or not source.redistributable:
        return {}
    try:
        return {example.id: example for example in loading.load_splits(task).test}
    except HarnessError:
        return {}
