"""How near predictions of memory came: predicted against measured training peaks of past runs."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from harness.record import Record


@dataclass(frozen=True)
class Error:
    """Runs of one model, method and device: predicted over measured peak less 1, as mean and where it is furthest from 0."""

    model: str
    method: str
    device: str
    runs: int
    predicted: float
    measured: float
    mean: float
    worst: float


def errors(records: Iterable[Record]) -> list[Error]:
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
            Error(
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
