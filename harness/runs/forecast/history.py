"""How long runs will take, from what runs like them took on this machine before. No record, no estimate."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True)
class PredictionError:
    """Runs of one model, method and device: predicted over measured peak less 1, as mean and where it is furthest from 0."""

    model: str
    method: str
    device: str
    runs: int
    predicted: float
    measured: float
    mean: float
    worst: float


def prediction_errors(records: Iterable[Record]) -> list[PredictionError]:
    """Return one `Error` for each model, method and device with finished runs that were predicted, in that order.

    `predicted` and `measured` are means in bytes. Runs without a prediction, and those that do not train, say nothing.
    """
    peaks: defaultdict[tuple[str, str, str], list[tuple[int, int]]] = defaultdict(list)
    for record in records:
        cost, spec = record.cost, record.spec
        if record.status != "ok" or cost is None or not cost.predicted_peak_bytes or "train" not in cost.phases:
            continue
        if measured := cost.phases["train"].peak_bytes:
            peaks[spec.model, spec.method, spec.device].append((cost.predicted_peak_bytes, measured))
    found = []
    for (model, method, device), pairs in sorted(peaks.items()):
        shares = [predicted / measured - 1 for predicted, measured in pairs]
        found.append(
            PredictionError(
                model=model,
                method=method,
                device=device,
                runs=len(pairs),
                predicted=statistics.fmean(predicted for predicted, _ in pairs),
                measured=statistics.fmean(measured for _, measured in pairs),
                mean=statistics.fmean(shares),
                worst=max(shares, key=abs),
            )
        )
    return found
