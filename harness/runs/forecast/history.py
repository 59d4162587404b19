"""The time that runs will take, estimated from similar runs on this machine. No record, no estimate."""

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
    """Return the time that the runs of one task will take together; None if too little is known.

    Each run is compared with the nearest earlier one of the same task, model, device and method, scaled by examples.
    """
    if not specs:
        return 0.0
    machine = environment.describe(specs[0].device, threads=threads).machine
    earlier = [
        run.record
        for run in records.read_all(root, specs[0].task, skip_damaged=True)
        if run.record.status == "ok" and run.record.environment.machine == machine
    ]
    estimates = [estimate for spec in specs if (estimate := _estimate(spec, earlier)) is not None]
    return None if not estimates else sum(estimates) / len(estimates) * len(specs)


def _estimate(spec: RunSpec, earlier: Sequence[Record]) -> float | None:
    similar = [
        record
        for record in earlier
        if (record.spec.model, record.spec.method, record.spec.device) == (spec.model, spec.method, spec.device)
        and record.cost is not None
    ]
    if not similar:
        return None
    nearest = min(similar, key=lambda record: (abs(record.spec.rank - spec.rank), record.started))
    assert nearest.cost is not None
    phases = nearest.cost.phases
    fixed = phases["load"].seconds if "load" in phases else 0.0
    fixed += phases["fit"].seconds if "fit" in phases else 0.0
    training = phases["train"].seconds if "train" in phases else 0.0
    testing = phases["evaluate"].seconds if "evaluate" in phases else 0.0
    fixed += phases["probe"].seconds if "probe" in phases and spec.probes else 0.0
    work = nearest.spec.train_examples * nearest.spec.epochs
    more_training = spec.train_examples * spec.epochs / work if work else 1.0
    more_testing = spec.test_examples / nearest.spec.test_examples if nearest.spec.test_examples else 1.0
    return fixed + training * more_training + testing * more_testing


@dataclass(frozen=True)
class PredictionError:
    """Predicted over measured peak less 1, for the runs of one model, method and device: the mean, and the worst run's.

    `predicted` and `measured` are means in bytes.
    """

    model: str
    method: str
    device: str
    runs: int
    predicted: float
    measured: float
    mean: float
    worst: float


def prediction_errors(records: Iterable[Record]) -> list[PredictionError]:
    """Return the errors by model, method and device, in that order. Only finished trainings with a prediction count."""
    peaks: defaultdict[tuple[str, str, str], list[tuple[int, int]]] = defaultdict(list)
    for record in records:
        cost, spec = record.cost, record.spec
        if record.status != "ok" or cost is None or not cost.predicted_peak_bytes or "train" not in cost.phases:
            continue
        if measured := cost.phases["train"].peak_bytes:
            peaks[spec.model, spec.method, spec.device].append((cost.predicted_peak_bytes, measured))
    errors = []
    for (model, method, device), pairs in sorted(peaks.items()):
        shares = [predicted / measured - 1 for predicted, measured in pairs]
        errors.append(
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
    return errors
