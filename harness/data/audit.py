"""Audited gold: a task may ship an audit of its source's gold answers, and `--gold audited` uses its corrections.

An audit is a CSV file with at least the columns `id, label, recomputed, verdict`, one row for each example:

    agrees           the label is right
    near, differs    the label is wrong, by little or by much: `recomputed` replaces it
    not recomputed   unknown: the label stays

An audit belongs to the labels in it: data with other labels, or with more examples, is refused.

With audited gold a task is another task, `<name>-audited`, in its runs' specs, folders and tables. So no table pools or
compares runs that were scored against different gold.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from harness.errors import HarnessError
from harness.schema import Example, Gold, Task

VERDICTS = ("agrees", "near", "differs", "not recomputed")
WRONG = ("near", "differs")
COLUMNS = ("id", "label", "recomputed", "verdict")


@dataclass(frozen=True)
class Finding:
    """An audit's verdict on one label, and the answer that replaces a wrong one."""

    label: str
    recomputed: str
    verdict: str


def choose(task: Task, gold: Gold) -> Task:
    """Return the task with this gold; with audited gold, name and title of the task say so.

    Raises:
        HarnessError: the task has no audit, or its file is unfit.
    """
    if gold == "source":
        return task
    if task.audit is None:
        fix = "leave --gold out: the task is scored against the gold of its source"
        raise HarnessError("this task ships no audit of its gold answers", where=f"task {task.name}", fix=fix)
    verdicts = Counter(finding.verdict for finding in read(task.audit).values())
    corrected, unknown = sum(verdicts[verdict] for verdict in WRONG), verdicts["not recomputed"]
    title = f"{task.title}; gold audited: {corrected:,} corrected, {unknown:,} not recomputed and kept"
    return replace(task, name=f"{task.name}-audited", gold=gold, title=title)


def read(path: Path) -> Mapping[str, Finding]:
    """Return an audit's findings by example id.

    Raises:
        HarnessError: no such file, a column or value is missing, an unknown verdict, or an id twice.
    """
    if not path.is_file():
        raise HarnessError("the audit of the gold answers is missing", where=str(path), fix="restore the file")
    return _read(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=16)
def _read(path: Path, mtime: int) -> Mapping[str, Finding]:
    findings: dict[str, Finding] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for number, row in enumerate(csv.DictReader(file), start=2):
            id, label, recomputed, verdict = (row.get(column) or "" for column in COLUMNS)
            if (
                not id
                or not label
                or verdict not in VERDICTS
                or (verdict in WRONG and not recomputed)
                or id in findings
            ):
                fix = f"one row for each id, with {', '.join(COLUMNS)}; a verdict is {', '.join(VERDICTS)}"
                raise HarnessError("this row of the audit cannot be used", where=f"{path}, line {number}", fix=fix)
            findings[id] = Finding(label, recomputed, verdict)
    return findings


def apply(task: Task, examples: Iterable[Example]) -> tuple[Example, ...]:
    """Return a task's examples in their order, with the gold that the task is set to.

    Raises:
        HarnessError: the audit lacks an example, or is of another label.
    """
    if task.gold == "source" or task.audit is None:
        return tuple(examples)
    findings = read(task.audit)
    return tuple(_corrected(example, findings, task.audit) for example in examples)


def _corrected(example: Example, findings: Mapping[str, Finding], path: Path) -> Example:
    finding = findings.get(example.id)
    if finding is None or finding.label != example.target:
        problem = "the audit lacks this example"
        if finding is not None:
            problem = (
                f"the audit is of another label of this example: {finding.label!r}, the data has {example.target!r}"
            )
        fix = "use the data that was audited, audit this data, or leave --gold out"
        raise HarnessError(problem, where=f"example {example.id!r}, {path}", fix=fix)
    return replace(example, target=finding.recomputed) if finding.verdict in WRONG else example


def counts(task: Task, examples: Iterable[Example]) -> Counter[str]:
    """Count the verdicts on these examples, whichever gold the task is set to; empty without an audit."""
    findings = read(task.audit) if task.audit is not None else {}
    return Counter(findings[example.id].verdict for example in examples if example.id in findings)
