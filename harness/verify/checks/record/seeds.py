"""Checks for runs left out, repeated or selected, over all runs of a publication together.

The runs of a row differ in their seed only. Seeds count from 0, and all rows of a table have the same seeds, so a bad
seed cannot be left out, neither everywhere nor in one row. A table may have seed 0 alone in all of its rows: its intervals
are then about one trained model each, and `publish` asks for it by a flag. A method and rank has one setting in a table.
With several, the best would be selected by its test score; a search uses validation examples instead.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import fields, replace

from harness.record import Record, RunSpec
from harness.verify.check import Check, check

MAX_LISTED = 10
MIN_SEEDS = 3
SEED_COUNT = f"every trained row has at least {MIN_SEEDS} seeds, or all rows of its table seed 0 alone"
NO_GAPS = "no seed is missing"
DISTINCT_SEEDS = "seeds gave different answers"
ONE_SETTING = "settings were not selected by test score"


def publication_checks(records: Sequence[Record]) -> list[Check]:
    """Return the checks of all runs of a publication."""
    rows: defaultdict[RunSpec, list[Record]] = defaultdict(list)
    for record in records:
        if record.spec.train_examples:
            rows[replace(record.spec, seed=0)].append(record)
    finished = {spec: row for spec, row in rows.items() if any(record.status == "ok" for record in row)}
    return [
        check(SEED_COUNT, _count_faults(finished)),
        check(NO_GAPS, _gaps(finished)),
        check(DISTINCT_SEEDS, [fault for row in finished.values() for fault in _copies(row)]),
        check(ONE_SETTING, _setting_faults(rows)),
    ]


def _seeds(row: Sequence[Record]) -> list[int]:
    return sorted(record.spec.seed for record in row if record.status == "ok")


def single_seed_tables(records: Sequence[Record]) -> set[tuple[str, str]]:
    """Return task and model of the tables whose trained rows have seed 0 alone."""
    trained = [record for record in records if record.spec.train_examples]
    single = _single_seed(trained)
    return {(record.spec.task, record.spec.model) for record in trained if _table(record.spec) in single}


def _single_seed(trained: Iterable[Record]) -> set[tuple[object, ...]]:
    tables: defaultdict[tuple[object, ...], set[int]] = defaultdict(set)
    for record in trained:
        if record.status == "ok":
            tables[_table(record.spec)].add(record.spec.seed)
    return {table for table, present in tables.items() if present == {0}}


def _count_faults(rows: dict[RunSpec, list[Record]]) -> list[str]:
    single = _single_seed(record for row in rows.values() for record in row)
    counts = {spec: len(_seeds(row)) for spec, row in rows.items() if _table(spec) not in single}
    return [
        f"{_name(spec)} has {count} seed{'s' * (count != 1)}{_apart(spec, rows)}, at least {MIN_SEEDS} are needed"
        for spec, count in counts.items()
        if count < MIN_SEEDS
    ]


def _apart(spec: RunSpec, rows: Iterable[RunSpec]) -> str:
    """Return the settings in which a row differs from another of its method and rank, in words; empty if there is none."""
    key = (*_table(spec), spec.method, spec.rank)
    others = [other for other in rows if other != spec and (*_table(other), other.method, other.rank) == key]
    names = [f.name for f in fields(spec) if any(getattr(o, f.name) != getattr(spec, f.name) for o in others)]
    return f" with {', '.join(f'{name} {getattr(spec, name)}' for name in names)}, unlike the others" if names else ""


def _gaps(rows: dict[RunSpec, list[Record]]) -> list[str]:
    tables: defaultdict[tuple[object, ...], list[RunSpec]] = defaultdict(list)
    for spec in rows:
        tables[_table(spec)].append(spec)
    faults = []
    for specs in tables.values():
        count = max(max(_seeds(rows[spec])) for spec in specs) + 1
        last = [spec for spec in specs if count - 1 in _seeds(rows[spec])]
        if len(last) == 1 and len(specs) > 2:
            faults.append(f"{_name(last[0])} alone has seed {count - 1}")
        for spec in specs:
            if missing := _missing(set(_seeds(rows[spec])), count):
                present = ", ".join(map(str, _seeds(rows[spec])[:MAX_LISTED]))
                faults.append(f"{_name(spec)} has the seeds {present} and lacks seed {missing}")
    return faults


def _missing(present: set[int], count: int) -> str:
    """Return the missing seeds below `count` in words, the first of them by number; a seed may be as large as a record states."""
    first = [seed for seed in range(min(count, len(present) + MAX_LISTED)) if seed not in present][:MAX_LISTED]
    rest = count - sum(0 <= seed < count for seed in present) - len(first)
    return ", ".join(map(str, first)) + (f" and {rest:,} more" if rest else "")


def _copies(row: Sequence[Record]) -> list[str]:
    """Return a fault for seeds of a row with the same answers.

    Answers with equal log-likelihoods are a copy. Generated answers are a copy if the final loss is equal as well.
    """
    counts = Counter(
        (record.answers_sha256, None if record.spec.scoring == "choices" else record.final_loss)
        for record in row
        if record.status == "ok"
    )
    name = _name(row[0].spec)
    return [f"{count} seeds of {name} have the same answers" for _, count in counts.items() if count > 1]


def _setting_faults(specs: Iterable[RunSpec]) -> list[str]:
    settings: defaultdict[tuple[object, ...], set[RunSpec]] = defaultdict(set)
    for spec in specs:
        if spec.train_examples:
            # the size of micro-batches and the probes do not change scores, so they are no settings
            settings[(*_table(spec), spec.method, spec.rank, spec.dtype, spec.device)].add(
                replace(spec, micro_batch=0, probes=())
            )
    return [
        f"{_name(min(group, key=lambda spec: spec.id))} was tested with {len(group)} settings, 1 is allowed"
        for group in settings.values()
        if len(group) > 1
    ]


def _table(spec: RunSpec) -> tuple[object, ...]:
    model = (spec.model, spec.model_revision, spec.serving)
    return (spec.task, spec.task_version, spec.data, spec.scoring, *model, spec.test_examples)


def _name(spec: RunSpec) -> str:
    return f"{spec.task} {spec.model} {spec.name}"
