"""The analysis of runs made up for tests, and the page made of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from harness.analysis.compare import cells as compare_cells
from harness.analysis.forgetting import Change
from harness.analysis.items import Metrics, Run
from harness.analysis.pair import Comparison, compare_rows
from harness.analysis.results import NO_METRICS, TaskResults, analyze
from harness.analysis.robustness import TwinResult
from harness.report import page
from harness.report.figures import write
from harness.schema import Example, Task

NO_TASKS: Mapping[str, Task] = {}
NO_EXAMPLES: Mapping[str, Mapping[str, Example]] = {}


def results_of(
    runs: Iterable[Run],
    metrics: Metrics = NO_METRICS,
    *,
    changes: Sequence[Change] = (),
    twins: Sequence[TwinResult] = (),
) -> TaskResults:
    """Return the analysis of runs of one task; changes and twins stand in for those of probes."""
    runs = list(runs)
    made = analyze(runs[0][0].spec.task if runs else "none", runs, metrics)
    return replace(made, changes=tuple(changes), twins=tuple(twins)) if changes or twins else made


def page_of(
    runs: Iterable[Run],
    tasks: Mapping[str, Task] = NO_TASKS,
    *,
    questions: Mapping[str, Mapping[str, Example]] = NO_EXAMPLES,
    changes: Sequence[Change] = (),
    twins: Sequence[TwinResult] = (),
    draw: bool = False,
) -> str:
    """Return the page of runs of any tasks, with all figures if `draw`: they take longest."""
    runs = list(runs)
    metrics = {name: task.metrics for name, task in tasks.items()}
    parts = []
    for number, name in enumerate(sorted({cell.spec.task for cell in compare_cells(runs, metrics)}), start=1):
        mine = [run for run in runs if run[0].spec.task == name]
        made = results_of(mine, metrics, changes=changes, twins=twins)
        drawn = write.svgs(replace(made, changes=())) if draw else {}
        details = page.TaskDetails(number, tasks.get(name), drawn, questions.get(name, {}))
        parts.append(page.task_part(made, details))
    return page.render_page(parts, [record for record, _ in runs])


def compare_runs(a: Run, b: Run, metrics: Metrics | None = None) -> Comparison:
    """Compare two rows of a single run each."""
    return compare_rows([a], [b], metrics)
