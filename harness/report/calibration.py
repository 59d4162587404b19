"""Calibration of the runs of a section: a table with notes, Markdown, and JSON for programs."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness.analysis.aggregate import Cell
from harness.analysis.calibration import Calibration, Calibrations
from harness.analysis.sections import Section
from harness.analysis.selective import Part
from harness.format import Table, escape, interval, markdown, number
from harness.metrics.stats import Interval
from harness.record import Record
from harness.report.names import metric_words

FORMAT = 1  # of the JSON; raised when a name in it changes its meaning or goes
COLUMNS = (0.95, 0.99)  # the precisions with columns in the table
TITLE = "Calibration of the answers, and the share that could be automated"
WHOLE_LINE = "Confidence is that of the whole generated line"


@dataclass(frozen=True)
class CalibratedRun:
    """A run with its name in tables, its record and its calibration."""

    name: str
    record: Record
    calibration: Calibration


def rows(section: Section, calibrations: Calibrations) -> list[CalibratedRun]:
    """Return the runs of a section that have a calibration, seed by seed."""
    return [
        CalibratedRun(_run_name(section, cell, record), record, calibrations[record.spec.id])
        for cell in section.headline
        for record in cell.records
        if cell.status == "ok" and record.spec.id in calibrations
    ]


def _run_name(section: Section, cell: Cell, record: Record) -> str:
    return section.label(cell) + f" s{record.spec.seed}" * (len(cell.seeds) > 1)


def table(runs: Sequence[CalibratedRun]) -> Table | None:
    """Return the table of these runs, None if there are none."""
    columns = ["run", "ECE %", "95 % interval", "ECE by chance", "bias", "95 % interval", "Brier score"]
    columns += [f"{word} {100 * target:.0f} %" for target in COLUMNS for word in ("share", "guaranteed")]
    lines = []
    for row in runs:
        values = row.calibration
        line = [row.name, number(values.ece.value), interval(values.ece.low, values.ece.high), number(values.floor)]
        line += [number(values.overconfidence.value, sign=True)]
        line += [
            interval(values.overconfidence.low, values.overconfidence.high, sign=True),
            number(values.brier.value, ""),
        ]
        by_target = {part.target: part for part in values.automated}
        line += [
            _share(part) for target in COLUMNS for part in (by_target[target].observed, by_target[target].guaranteed)
        ]
        lines.append(tuple(line))
    return Table(TITLE, tuple(columns), tuple(lines)) if lines else None


def _share(part: Part | None) -> str:
    return "none" if part is None else number(part.share)


def reading(runs: Sequence[CalibratedRun]) -> list[str]:
    """Return notes on how to read the table."""
    if not runs:
        return []
    lines = [
        "ECE (expected calibration error): mean difference between confidence and share right over ten bins of equal size. "
        "ECE by chance: that of a perfectly calibrated model on as many answers.",
        "Bias: mean confidence less share right, in points; above 0 is overconfidence. Brier score: mean square of confidence less "
        "correctness (1 or 0).",
        "Share 95 %: the largest share of all answers, the most confident first, with 95 % of them right on this test set.",
        "Guaranteed 95 %: the share of answers above a confidence threshold whose precision of 95 % holds on new questions of "
        "this kind, with 95 % confidence. None: the test set is too small to show it for any share of at least 10 %.",
        "A guarantee is about one run and one precision; for the best of many runs its confidence is lower.",
    ]
    if any(row.record.spec.scoring == "generate" for row in runs):
        lines.append(f"{WHOLE_LINE}; the metric may judge only a part of it.")
    if any(row.calibration.groups != row.calibration.rated for row in runs):
        lines.append("Answers of one group count for fewer, by the correlation of right and wrong within groups.")
    if missing := [row.name for row in runs if row.calibration.rated < row.calibration.n]:
        lines.append(f"Answers without a confidence are never automated ({', '.join(missing)}).")
    return lines


def reliability(row: CalibratedRun) -> Table:
    """Return the table of a run's bins: mean confidence, share right with its interval, number of answers."""
    lines = tuple(
        (
            number(bin_.confidence),
            number(bin_.accuracy.value),
            interval(bin_.accuracy.low, bin_.accuracy.high),
            f"{bin_.count:,}",
        )
        for bin_ in row.calibration.bins
    )
    return Table(row.name, ("confidence %", "right %", "95 % interval", "answers"), lines, left=frozenset())


def as_markdown(task: str, calibrated: Sequence[tuple[Section, Sequence[CalibratedRun]]]) -> str:
    """Return the calibration of a task as a Markdown document, with every run's bins."""
    blocks = [f"# {escape(task)}: calibration"]
    for section, runs in calibrated:
        blocks.append(f"## {escape(section.title)}")
        overview = table(runs)
        if overview is None:
            blocks.append(escape(why_not(section)))
            continue
        blocks += [markdown(overview), "\n".join(f"- {escape(line)}" for line in reading(runs))]
        blocks += [f"### {escape(row.name)}\n\n{markdown(reliability(row))}" for row in runs]
    return "\n\n".join(blocks) + "\n"


def as_json(calibrated: Sequence[tuple[Section, Sequence[CalibratedRun]]]) -> str:
    """Return all runs as strict JSON: full precision, fractions, null if there is no bound or no part."""
    runs = [
        {
            "task": row.record.spec.task,
            "section": section.title,
            "id": row.record.spec.id,
            "name": row.name,
            "seed": row.record.spec.seed,
            **_plain(row.calibration),
        }
        for section, section_runs in calibrated
        for row in section_runs
    ]
    return json.dumps({"format": FORMAT, "runs": runs}, indent=1, ensure_ascii=False, allow_nan=False)


def why_not(section: Section) -> str:
    """Return the reason if no run of a section has a calibration."""
    if all(cell.status != "ok" for cell in section.headline):
        return "no calibration: no run has finished"
    return (
        f"no calibration: {metric_words(section)} does not score answers as right or wrong, or the answers are missing or hold "
        "no log-likelihoods"
    )


def _plain(value: Any) -> Any:
    """Return a value for JSON: intervals and dataclasses as objects, infinities as null."""
    if isinstance(value, Interval):
        return {name: _plain(item) for name, item in value._asdict().items()}
    if dataclasses.is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
