"""The page with all results: `results/report.html`, one file that opens from disk and loads nothing.

A pure function of the records and answers: same runs, same bytes. The template is `templates/report.html`, with
`report.css`, `report.js` and the `task.html` of each task put into it; this module fills them. A content-security policy
allows style and script by their hash and nothing else, whatever a text of a record or of a data set holds.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.analysis.results import TaskResults
from harness.analysis.sections import Section
from harness.format import NONE, Table, interval, number, percent_sign, short, size
from harness.record import DataFile, Record
from harness.report import calibration, flips, forgetting, recommendation, rendering, robustness, tables, verdict
from harness.report.alarms import alarms
from harness.report.figures.style import FAINT, GRID, INK, PAPER
from harness.report.flips import Questions
from harness.report.leaderboard import PACKAGES, distinct, package
from harness.report.names import equal_settings, metric_words
from harness.report.notes import reading
from harness.report.rendering import sort_value as sort_value
from harness.schema import Task
from harness.store import answer_files

PAGE = "report.html"


Figures = Mapping[str, str]  # SVG by name
Part = dict[str, Any]  # of a task, as the page's template names it

ALT = {
    "accuracy": "The headline metric of every run with its interval",
    "accuracy_memory": "The headline metric against peak memory in training",
    "ranks": "The headline metric over rank",
    "memory": "Peak memory in training by part",
    "calibration": "Share of right answers by confidence, and share of wrong answers by the share given without review",
    "losses": "Loss over the steps of training",
    "forgetting": "Gain of each run on the task against its change on a probe",
}
_ROLES = {INK: "var(--ink)", PAPER: "var(--paper)", FAINT: "var(--faint)", GRID: "var(--grid)"}


@dataclass(frozen=True)
class TaskDetails:
    """Everything on the page that does not come from the runs of a task.

    `number` is the task's position on the page, from 1. `task` gives title and source, None if the task is not installed.
    `questions` are the examples that may be shown, by id.
    """

    number: int
    task: Task | None = None
    figures: Figures = field(default_factory=dict)
    questions: Questions = field(default_factory=dict)


def task_part(results: TaskResults, details: TaskDetails) -> Part:
    """Return the page's part of one task; no answer is needed for it any more."""
    return _task(results, details) | {"sections": [_section(section, results, details) for section in results.sections]}


def with_body(part: Part) -> Part:
    """Return a part as `render_page` needs it: the texts of its heading and its links, and the rest as HTML."""
    from markupsafe import Markup

    if "body" in part:
        return part
    sections = [{"title": section["title"], "verdict": section["verdict"]} for section in part["sections"]]
    body = Markup(rendering.render("task.html", {"task": part}))  # its template escapes every text
    return {"name": part["name"], "heading": part["heading"], "sections": sections, "body": body}


def render_page(parts: Sequence[Part], records: Iterable[Record]) -> str:
    """Return the page of these parts; the records give the number of runs and their dates."""
    every = list(records)
    names = " or ".join(sorted({answer_files.name_in(record.schema) for record in every})) or answer_files.ANSWERS
    values = {"tasks": [with_body(part) for part in parts], "intro": _intro(every), "answers": names}
    return rendering.render("report.html", values | rendering.style_and_script()) + "\n"


def _task(results: TaskResults, details: TaskDetails) -> Part:
    from markupsafe import Markup

    def picture(name: str, svg: str) -> Markup:  # drawn as paths alone: no text of a record is in it
        return Markup(inline(svg, f"f{details.number}-{name}-", ALT[name]))

    return {
        "name": results.task,
        "number": details.number,
        "heading": _heading(results, details.task),
        "origin": _origin(results, details.task),
        "about": _about(results.sections, details.task),
        "figures": [(ALT[name], picture(name, svg)) for name, svg in details.figures.items()],
        "limits": limits(results.sections),
    }


def _heading(results: TaskResults, task: Task | None) -> str:
    """Return the task's name and title; of a data file its file name, as the title of such a task is a description."""
    if (file := _data_file(results)) is not None:
        return Path(file.path).name
    if task is None:
        return results.task
    return Path(task.source.uri).name if Path(task.source.uri).is_absolute() else f"{results.task}: {task.title}"


def _data_file(results: TaskResults) -> DataFile | None:
    """Return the data file that the runs of a task remember, None if they have none."""
    return next((record.data_file for record, _ in results.runs if record.data_file is not None), None)


def _origin(results: TaskResults, task: Task | None) -> str:
    """Return a line on the data of a task, its licence and its checksum; empty if nothing is known of it."""
    file = _data_file(results)
    facts = dict(_source_rows(task)) if task is not None else {}
    sums = [file.sha256, *file.further_sha256] if file else [task.source.sha256 if task else ""]
    name = Path(file.path).name if file else facts.get("data", "")
    checksum = ", ".join(f"SHA-256 {sha256[:12]}…" for sha256 in sums if sha256)
    parts = [name, facts.get("licence", ""), facts.get("rows and split", "").removeprefix(f"{name}: "), checksum]
    return f"Data: {'; '.join(filter(None, parts))}." if any(parts) else ""


def _source_rows(task: Task) -> list[tuple[str, str]]:
    """Return the place of a task's data, its licence, and for a data file its rows and split, as (name, text)."""
    source = task.source
    from_file = Path(source.uri).is_absolute()
    uri = Path(source.uri).name if from_file else source.uri
    rows = [("data", " @ ".join(filter(None, (uri, source.revision)))), ("licence", source.license)]
    return rows + [("rows and split", task.title)] * from_file


def _section(section: Section, results: TaskResults, details: TaskDetails) -> dict[str, Any]:
    calibrated = calibration.rows(section, results.calibrations)
    return {
        "title": section.title,
        "verdict": verdict.verdict(section),
        "beside": verdict.beside(section),
        "recommendation": advice.lines if (advice := recommendation.recommendation(section)) else (),
        "summary": summary(section),
        "alarms": alarms(section, commits="in the table of settings and runs"),
        "tables": tables.section_tables(section, results),
        "reading": reading(section),
        "probed": forgetting.tables(results.changes_of(section)) + robustness.tables(results.twins_of(section)),
        "calibration": calibration.table(calibrated),
        "calibration_reading": calibration.reading(calibrated),
        "flips": flips.flip_summary(section, results, details.questions),
        "equal": equal_settings(section),
        "settings": _settings(section),
        "machines": _machines(section),
    }


def _intro(records: Sequence[Record]) -> str:
    """Return the number of runs and their dates; the page has no other times than those of the records."""
    days = sorted(record.started[:10] for record in records if record.started)
    period = "" if not days else f", made on {days[0]}" if days[0] == days[-1] else f", made {days[0]} to {days[-1]}"
    done = sum(record.status == "ok" for record in records)
    code = distinct(record.environment.commit for record in records)
    machines = "; ".join(dict.fromkeys(record.environment.machine for record in records))
    by = f" Made by adaptbench (code {short(code, 60)}) on {short(machines, 200)}." if records else ""
    lost = f", {len(records) - done} did not finish" if done < len(records) else ""
    return f"{len(records)} run{'s' * (len(records) != 1)}{period}{lost}.{by} Every number is computed from the records and stored answers."


def _about(sections: Sequence[Section], task: Task | None) -> list[tuple[str, str]]:
    """Return version, model, scoring, fingerprint, data and licence of the task, as (name, text)."""
    specs = [record.spec for section in sections for record in section.records]
    rows = [
        ("version", distinct(str(spec.task_version) for spec in specs)),
        ("model", ", ".join(dict.fromkeys(f"{spec.model} @ {spec.model_revision[:12]}" for spec in specs))),
        ("scoring", ", ".join(dict.fromkeys(_SCORING.get(spec.scoring, spec.scoring) for spec in specs))),
        ("fingerprint of examples and prompts", distinct(spec.data for spec in specs)),
    ]
    if task is not None:
        rows += _source_rows(task)
        rows += [("checksum", task.source.sha256), ("citation", task.source.citation)]
        rows += [("metrics", ", ".join(metric.title for metric in task.metrics))]
    return [row for row in rows if row[1]]


_SCORING = {
    "choices": "log-likelihood of each option",
    "generate": "greedy generation, read by a strict parser",
    "perplexity": "log-likelihood of every token of a text, in windows overlapping by half",
}


def summary(section: Section) -> list[str]:
    """Return one or two sentences: the best row, its ties, and the one of these with least memory in training."""
    unit = section.unit
    best = next((cell for cell in section.headline if cell.best_or_tied == "best"), None)
    if best is None:
        finished = any(cell.value is not None for cell in section.headline)
        return ["No answer could be read."] if finished else ["No run has finished."]
    tied = [cell for cell in section.headline if cell.best_or_tied == "tied"]
    alone = sum(cell.value is not None for cell in section.headline) == 1
    lines = f"{'' if alone else 'Best: '}{section.label(best)} with {number(best.value, unit)}{percent_sign(unit)} "
    lines += f"{interval(best.low, best.high, unit)} {metric_words(section)}"
    if section.base is not None and best is not section.base:
        lines += f", against {number(section.base.value, unit)} of the base model"
    lines += f". No significant difference from it: {', '.join(map(section.label, tied))}." if tied else "."
    top = [
        (cell.cost.phases["train"].peak_bytes, cell)
        for cell in [best, *tied]
        if cell.cost and "train" in cell.cost.phases
    ]
    if len(top) < 2 or len({cell.machine for _, cell in top}) > 1:
        return [lines]
    least = min(top, key=lambda pair: pair[0])
    return [lines, f"Least memory in training among these: {section.label(least[1])} with {size(least[0])}."]


def limits(sections: Sequence[Section]) -> list[str]:
    """Return sentences about the limits of a task's numbers."""
    records = [record for section in sections for record in section.records]
    specs = [record.spec for record in records if record.spec.train_examples]
    lines = [
        "Other kinds of questions: a score is about this test set and questions like it.",
        "Equality: rows marked ≈ do not differ significantly with this many questions and seeds; they need not be equal.",
    ]
    if any(not spec.tuned_over for spec in specs):
        lines.append(
            "The best that each method can reach: learning rates are as stated, and one was tried unless a search is named."
        )
    if specs and len({spec.seed for spec in specs}) < 2:
        lines.append("Other random seeds: there is one seed, so no interval here covers others.")
    if any(spec.scoring == "generate" for spec in specs) and not any(c.gains for s in sections for c in s.headline):
        lines.append("Knowledge alone: part of a gain is learning the form of the answer.")
    lines.append("Forgetting: it is measured only by the probes shown above, if any.")
    if any(record.cost for record in records):
        lines.append(
            "Other models and machines: in a small model activations outweigh weights, so quantising or freezing weights saves "
            "a smaller part than in a large one. The time that quantised weights cost depends on the machine."
        )
    if any(record.spec.device == "cpu" for record in records):
        lines.append("Memory of the whole process: on the CPU, memory is that of live tensors, without libraries.")
    return lines


def _settings(section: Section) -> Table:
    """Return the table of the settings that differ by method, and of the runs of each row."""
    columns = (
        "run",
        "learning rate",
        "alpha",
        "dropout",
        "micro-batch",
        "final loss",
        "status",
        "seeds",
        "run ids",
        "commit",
    )
    rows = []
    for cell in section.headline:
        spec, losses = cell.spec, [record.final_loss for record in cell.records if record.final_loss is not None]
        trained = bool(spec.train_examples)
        rate = f"{spec.learning_rate:g}" + (
            f" of {', '.join(f'{r:g}' for r in spec.tuned_over)}" if spec.tuned_over else ""
        )
        values = (rate, f"{spec.alpha:g}", f"{spec.dropout:g}", str(spec.micro_batch))
        rows.append(
            (
                section.label(cell),
                *(values if trained else (NONE,) * 4),
                f"{sum(losses) / len(losses):.3f}" if losses else NONE,
                cell.status,
                ", ".join(map(str, cell.seeds)),
                " ".join(cell.run_ids),
                distinct(record.environment.commit for record in cell.records),
            )
        )
    return Table("Settings and runs", columns, tuple(rows), left=frozenset({0, 6, 7, 8, 9}))


def _machines(section: Section) -> Table:
    """Return the table of machines and sets of packages, with the number of runs of each."""
    rows: dict[tuple[str, ...], int] = {}
    for record in section.records:
        e = record.environment
        software = ", ".join(f"{name} {package(record, name)}" for name in PACKAGES if package(record, name))
        row = (e.machine, e.device_name, e.platform, f"Python {e.python}, {software}")
        rows[row] = rows.get(row, 0) + 1
    columns = ("machine", "device", "platform", "software", "runs")
    content = tuple((*row, str(count)) for row, count in rows.items())
    return Table("Machine and software", columns, content, left=frozenset(range(4)))


def inline(svg: str, prefix: str, alt: str) -> str:
    """Return a figure's SVG to be put into a page.

    Prolog, comments and metadata are removed. Its ids begin with `prefix`, so that figures do not share them. Ink, paper and
    grid follow the page's colours, light or dark. `alt` is the text for screen readers.
    """
    svg = re.sub(r"<!--.*?-->", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<style\b[^>]*>.*?</style>", "", svg, flags=re.DOTALL)
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{prefix}", svg)
    svg = re.sub("|".join(_ROLES), lambda match: _ROLES[match[0]], svg)
    return re.sub(r"\n\s*\n+", "\n", svg.replace("<svg", f'<svg role="img" aria-label="{alt}"', 1)).strip()
