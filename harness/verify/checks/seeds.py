"""Were runs left out, repeated or picked? Looks at the runs of a publication together.

A row is what differs in its seed only. Seeds count from 0, and all rows of a table have the same: a seed that went badly
cannot be left out, neither everywhere nor in one row. A method and rank stands in a table with one setting, since of
several the best would be chosen by its test score; what is searched is searched on validation examples.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from harness.record import Record, RunSpec
from harness.verify.check import Check, check

LEAST = 3
MANY = "each row that trained has three seeds or more"
ALL = "no seed is left out"
APART = "seeds learned different things"
ONE = "settings were not chosen by test scores"


def of_all(records: Sequence[Record]) -> list[Check]:
    """Look at all runs of a publication."""
    rows: defaultdict[RunSpec, list[Record]] = defaultdict(list)
    for record in records:
        if record.spec.train_examples:
            rows[replace(record.spec, seed=0)].append(record)
    finished = {spec: row for spec, row in rows.items() if any(record.status == "ok" for record in row)}
    return [
        check(
            MANY, [f"{_name(spec)}: {len(_seeds(row))}" for spec, row in finished.items() if len(_seeds(row)) < LEAST]
        ),
        check(ALL, _gaps(finished)),
        check(APART, [fault for row in finished.values() for fault in _alike(row)]),
        check(ONE, _searched(rows)),
    ]


def _seeds(row: Sequence[Record]) -> list[int]:
    return sorted(record.spec.seed for record in row if record.status == "ok")


def _gaps(rows: dict[RunSpec, list[Record]]) -> list[str]:
    tables: defaultdict[tuple[object, ...], list[RunSpec]] = defaultdict(list)
    for spec in rows:
        tables[_table(spec)].append(spec)
    faults = []
    for specs in tables.values():
        most = max(max(_seeds(rows[spec])) for spec in specs) + 1
        for spec in specs:
            missing = sorted(set(range(most)) - set(_seeds(rows[spec])))
            if missing:
                faults.append(f"{_name(spec)} lacks seed {', '.join(map(str, missing))}")
    return faults


def _alike(row: Sequence[Record]) -> list[str]:
    """Two seeds with the same answers: with log-likelihoods, to the last digit, or with the same loss as well, a copy."""
    counts = Counter(
        (record.answers_sha256, None if record.spec.scoring == "choices" else record.final_loss)
        for record in row
        if record.status == "ok"
    )
    name = _name(row[0].spec)
    return [f"{count} seeds of {name} have the same answers" for _, count in counts.items() if count > 1]


def _searched(specs: Iterable[RunSpec]) -> list[str]:
    settings: defaultdict[tuple[object, ...], set[RunSpec]] = defaultdict(set)
    for spec in specs:
        if spec.train_examples:
            # how many go through the model at once is memory and not a setting that a score depends on, nor are probes
            settings[(*_table(spec), spec.method, spec.rank, spec.dtype, spec.device)].add(
                replace(spec, micro_batch=0, probes=())
            )
    return [
        f"{_name(min(found, key=lambda spec: spec.id))} was tested with {len(found)} settings"
        for found in settings.values()
        if len(found) > 1
    ]


def _table(spec: RunSpec) -> tuple[object, ...]:
    return (spec.task, spec.task_version, spec.data, spec.scoring, spec.model, spec.model_revision, spec.test_examples)


def _name(spec: RunSpec) -> str:
    return f"{spec.task} {spec.model} {spec.name}"
