"""The front door of reporting: writes tables and figures of each task, and the page."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from harness import processes
from harness.analysis import results
from harness.analysis.aggregate import Cell
from harness.analysis.items import Metrics
from harness.analysis.results import TaskResults
from harness.data import loading, probes, registry, sources
from harness.errors import HarnessError
from harness.report import exports, page, tables, view_cache
from harness.report.figures import cache, write
from harness.report.page import PAGE
from harness.schema import Example, Task
from harness.store import records, training_files


class Numbered(NamedTuple):
    """The number of a task on the page, its runs, and the hash of all that its view is made from (see `view_cache`)."""

    number: int
    runs: Sequence[records.Run]
    made_from: str = ""


NO_ANALYSES: Mapping[str, TaskResults] = MappingProxyType({})


@dataclass(frozen=True)
class ReportContext:
    """Everything that the tasks of a results folder share: where views go, the tasks, and whether it is a publication."""

    folder: Path
    tasks: Mapping[str, Task]
    metrics: Metrics
    analyses: Mapping[str, TaskResults]
    publication: bool
    forms: bool


@dataclass(frozen=True)
class TaskReport:
    """The files of one task, its part of the page, and its cells if the forms of `exports` are written."""

    paths: tuple[Path, ...]
    part: page.Part
    cells: tuple[Cell, ...]


def write_outputs(
    folder: Path,
    runs: Sequence[records.Run],
    tasks: Mapping[str, Task] | None = None,
    *,
    analyses: Mapping[str, TaskResults] = NO_ANALYSES,
    publication: bool = False,
    forms: bool = False,
) -> list[Path]:
    """Write every view of these runs below `folder` and return the files.

    Tasks are independent of each other and are reported side by side. A task without a change has its view from before, see
    `view_cache`. The answers of a task are read in its turn and then dropped. Tasks whose figures are outdated come last, so
    that a single one has all processes for its figures.

    Args:
        folder: the results folder.
        runs: all its runs.
        tasks: added to the installed ones.
        analyses: by task; one is used if it covers the task's runs, otherwise the runs are analyzed here.
        publication: write the forms of `exports` too, and draw all figures anew.
        forms: write the forms of `exports`, for a paper and for model cards; those that are there are always written anew.
    """
    records.protect(folder)
    installed = registry.recorded()
    all_tasks = installed | dict(tasks or {})
    metrics = probes.with_reordered({name: task.metrics for name, task in all_tasks.items()})
    by_task: defaultdict[str, list[records.Run]] = defaultdict(list)
    for run in runs:
        by_task[run.record.spec.task].append(run)
    context = ReportContext(
        folder, all_tasks, metrics, analyses, publication, forms or publication or exports.present(folder)
    )
    code, outside = None if context.forms else view_cache.code(), view_cache.outside(tasks or {}, installed)
    numbered = [
        Numbered(number, by_task[name], view_cache.made_from(number, by_task[name], code, outside))
        for number, name in enumerate(sorted(by_task), 1)
    ]
    reports = _reports(context, numbered)
    paths = [path for report in reports for path in report.paths]
    paths += (
        exports.write(folder, [cell for report in reports for cell in report.cells], all_tasks) if context.forms else []
    )
    text = page.render_page([report.part for report in reports], [run.record for run in runs])
    return [*paths, records.write_text(folder / PAGE, text)]


def analyze_stored(task: str, runs: Sequence[records.Run], metrics: Metrics) -> TaskResults:
    """Read the answers of a task's runs and return their analysis."""
    answered = [(run.record, run.answers() or None) for run in runs]
    return results.analyze(
        task, answered, metrics, {r.record.spec.id: r.probe_answers() for r in runs if r.record.probes}
    )


def with_losses(analysis: TaskResults, runs: Sequence[records.Run]) -> TaskResults:
    """Return the analysis with the logged losses of the runs that its figure draws: the first seed of each row."""
    first = {cell.run_ids[0] for section in analysis.sections for cell in section.headline if cell.trains}
    losses = {}
    for run in runs:
        if run.record.spec.id in first and (steps := training_files.read_losses(run.folder)):
            losses[run.record.spec.id] = steps
    return dataclasses.replace(analysis, losses=losses)


def _reports(context: ReportContext, numbered: Sequence[Numbered]) -> list[TaskReport]:
    """Return the report of each task, in order."""
    made = {item.number: report for item in numbered if (report := _unchanged_report(context, item)) is not None}
    rest = [item for item in numbered if item.number not in made]
    if len(rest) > 1:
        reports = processes.parallel_map(partial(_report_unless_outdated, context), rest)
        made |= {item.number: report for item, report in zip(rest, reports, strict=True) if report is not None}
        rest = [item for item in rest if item.number not in made]
    if len(rest) == 1:  # all processes for its figures
        made[rest[0].number] = _report(context, rest[0])
    else:
        drawn = processes.parallel_map(partial(_report, context), rest)
        made |= {item.number: report for item, report in zip(rest, drawn, strict=True)}
    return [made[item.number] for item in numbered]


def _unchanged_report(context: ReportContext, item: Numbered) -> TaskReport | None:
    """Return the report of a task from its view, None if there is none of the same content."""
    view = view_cache.read(context.folder, item.runs[0].record.spec.task, item.made_from)
    return TaskReport(view.paths, view.part, ()) if view is not None else None


def _report_unless_outdated(context: ReportContext, item: Numbered) -> TaskReport | None:
    """Return the report of a task, None if its figures have to be drawn again."""
    analysis = _analysis(context, item.runs)
    if not context.publication and cache.outdated(context.folder, analysis.task, _drawn_from(analysis)):
        return None
    return _report_of(context, item, analysis)


def _report(context: ReportContext, item: Numbered) -> TaskReport:
    """Write tables and figures of one task, given its number on the page and its runs."""
    return _report_of(context, item, _analysis(context, item.runs))


def _analysis(context: ReportContext, runs: Sequence[records.Run]) -> TaskResults:
    """Return the analysis of a task's runs: the one at hand, or a new one."""
    name = runs[0].record.spec.task
    at_hand = context.analyses.get(name)
    usable = at_hand is not None and _covers(at_hand, runs, context.metrics)
    analysis = at_hand if at_hand is not None and usable else analyze_stored(name, runs, context.metrics)
    return with_losses(analysis, runs)


def _report_of(context: ReportContext, item: Numbered, analysis: TaskResults) -> TaskReport:
    """Write tables and figures of one task, given its number on the page and its analysis."""
    paths = tables.write(context.folder, analysis)
    figures = _figures(context, analysis)
    task = context.tasks.get(analysis.task)
    svgs = {path.stem: path.read_text(encoding="utf-8") for path in figures if path.suffix == ".svg"}
    details = page.TaskDetails(item.number, task, svgs, _questions(task) if task else {})
    part = page.with_body(page.task_part(analysis, details))
    view_cache.write(context.folder, analysis.task, item.made_from, view_cache.View((*paths, *figures), part))
    return TaskReport((*paths, *figures), part, analysis.cells if context.forms else ())


def _covers(analysis: TaskResults, runs: Sequence[records.Run], metrics: Metrics) -> bool:
    """Whether an analysis is about exactly these runs and probes, by metrics of the same tasks."""
    stored = {run.record.spec.id: run.record for run in runs}
    probed = {run_id for run_id, record in stored.items() if record.probes}
    used = {analysis.task, *(name for record in stored.values() for name in record.probes)}
    same_runs = {record.spec.id: record for record, _ in analysis.runs} == stored
    same_metrics = used & analysis.metrics.keys() == used & metrics.keys()
    return same_runs and same_metrics and analysis.probe_answers.keys() == probed


def _figures(context: ReportContext, analysis: TaskResults) -> list[Path]:
    """Draw the figures of a task, unless they were drawn from the same analysis before."""

    if context.publication:
        return write.write(context.folder, analysis)
    draw = partial(write.write, context.folder, analysis, write.SCREEN)
    return cache.cached_figures(context.folder, analysis.task, _drawn_from(analysis), draw)


def _drawn_from(analysis: TaskResults) -> object:
    """Return everything that figures are drawn from."""
    calibrations, losses = sorted(analysis.calibrations.items()), sorted(analysis.losses.items())
    return list(analysis.cells), calibrations, list(analysis.changes), losses


def _questions(task: Task) -> dict[str, Example]:
    """Return the test questions of a task by id, if its data comes with the project and may be redistributed.

    Otherwise return none: a page must not depend on the data on a machine, and must not publish private data.
    """
    source = task.source
    if sources.is_remote(source) or Path(source.uri).is_absolute() or not source.redistributable:
        return {}
    try:
        return {example.id: example for example in loading.load_splits(task).test}
    except HarnessError:
        return {}
