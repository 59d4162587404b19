"""How long runs will take, from what runs like them took on this machine before. No record, no estimate."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness import environment
from harness.record import Record, RunSpec
from harness.store import records


def seconds(specs: Sequence[RunSpec], root: Path, *, threads: int) -> float | None:
    """Return how long the runs of one task will take together; None where too little is known.

    A run is likened to the nearest earlier one of the same task, model, device and method, scaled by examples.
    """
    if not specs:
        return 0.0
    machine = environment.describe(specs[0].device, threads=threads).machine
    earlier = [
        run.record
        for run in records.read_all(root, specs[0].task, skip_damaged=True)
        if run.record.status == "ok" and run.record.environment.machine == machine
    ]
    times = [_like(spec, earlier) for spec in specs]
    known = [time for time in times if time is not None]
    return None if not known else sum(known) / len(known) * len(times)


def _like(spec: RunSpec, earlier: Sequence[Record]) -> float | None:
    alike = [
        record
        for record in earlier
        if (record.spec.model, record.spec.method, record.spec.device) == (spec.model, spec.method, spec.device)
        and record.cost is not None
    ]
    if not alike:
        return None
    nearest = min(alike, key=lambda record: (abs(record.spec.rank - spec.rank), record.started))
    assert nearest.cost is not None
    phases = nearest.cost.phases
    fixed = phases["load"].seconds if "load" in phases else 0.0
    training = phases["train"].seconds if "train" in phases else 0.0
    testing = phases["evaluate"].seconds if "evaluate" in phases else 0.0
    fixed += phases["probe"].seconds if "probe" in phases and spec.probes else 0.0
    work = nearest.spec.train_examples * nearest.spec.epochs
    more_training = spec.train_examples * spec.epochs / work if work else 1.0
    more_testing = spec.test_examples / nearest.spec.test_examples if nearest.spec.test_examples else 1.0
    return fixed + training * more_training + testing * more_testing
