"""Warnings about what is wrong or doubtful in the runs of a section, each with the rows that it is about."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from harness.analysis.costs import cost_obstacle, time_obstacle
from harness.analysis.decision import missing_classes
from harness.analysis.sections import Section
from harness.format import number
from harness.report.names import answer_text, chance_text, constant_words, different_settings

if TYPE_CHECKING:
    from harness.analysis.aggregate import Cell


def _missing(cell: Cell) -> str:
    names = [f"{answer_text(count.name)} (0 of {count.targets:,})" for count in missing_classes(cell)]
    return f"never answers {' or '.join(names)}"


def _doubts(section: Section, cell: Cell) -> list[str]:
    """Return what is wrong or doubtful about the answers of a row, and whether its inputs were cut."""
    unread = 0.0 if cell.parse_rate is None else 1 - cell.parse_rate
    doubts = [f"scores below {section.guess} ({chance_text(section)})"] if cell.below_chance else []
    doubts += [f"{number(unread)} % of its answers could not be read and count as wrong"] if unread else []
    doubts += [constant_words(cell.constant)] if cell.constant else []
    doubts += [_missing(cell)] if not cell.constant and missing_classes(cell) else []
    if cut := max((record.cut_examples for record in cell.records), default=0):
        doubts.append(f"{cut:,} inputs were too long and lost part of their context")
    return doubts


def alarms(section: Section, *, commits: str = "") -> list[str]:
    """Return warnings about what is wrong or doubtful in these runs.

    Args:
        section: the runs.
        commits: the name of the table with each run's commit, such as "in the table of runs"; empty if there is none.
    """
    warnings: list[str] = []
    rows_of: defaultdict[str, list[str]] = defaultdict(list)
    for cell in section.headline:
        name = section.label(cell)
        if cell.status != "ok":
            warnings.append(f"{name} did not finish: {cell.status}" + (f", {cell.reason}" if cell.reason else ""))
        for doubt in _doubts(section, cell):
            rows_of[doubt].append(name)
    warnings += [f"{', '.join(names)}: {doubt}" for doubt, names in rows_of.items()]
    warnings += _rates(section)
    if any(record.environment.commit.endswith("+") for record in section.records):
        marked = f" (marked + {commits})" if commits else ""
        warnings.append(f"some runs were made by code with uncommitted changes{marked}")
    if reason := cost_obstacle(section.records):
        warnings.append(f"memory and time: {reason}")
    if reason := time_obstacle(section.records):
        warnings.append(f"training times: {reason} (marked ∥)")
    if different := different_settings(section):
        warnings.append("settings that differ between the trained runs: " + ", ".join(different))
    return warnings


def _rates(section: Section) -> list[str]:
    """Return warnings about a learning rate at the edge of those tried, and about several rates side by side."""
    edges: defaultdict[str, list[str]] = defaultdict(list)
    sweeps: defaultdict[tuple[str, int], set[float]] = defaultdict(set)
    for cell in section.headline:
        spec = cell.spec
        if len(spec.tuned_over) > 1 and spec.learning_rate in (min(spec.tuned_over), max(spec.tuned_over)):
            end, way = ("lowest", "lower") if spec.learning_rate == min(spec.tuned_over) else ("highest", "higher")
            edges[f"the chosen learning rate is the {end} of those tried; a {way} one may do better"].append(
                section.label(cell)
            )
        if spec.train_examples and not spec.tuned_over:
            sweeps[spec.method, spec.rank].add(spec.learning_rate)
    warnings = [f"{', '.join(names)}: {edge}" for edge, names in edges.items()]
    for (method, rank), tried in sweeps.items():
        if len(tried) > 1:
            name = f"{method} r{rank}" if rank else method
            warnings.append(
                f"{name} was run at {len(tried)} learning rates: to pick the best of them in this table is to tune on the "
                "test split"
            )
    return warnings
