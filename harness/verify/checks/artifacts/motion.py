"""The check that an adapter moved as far as the rates of its training allow.

B starts at zero. A step of AdamW moves a weight by its rate times m / sqrt(v), and by Cauchy's inequality this quotient is
at most `quotient(step)`: 1 in the first step, 1.6 in the 50th, 5.8 after a thousand. Weight decay only shrinks B. So no
weight of B is larger than the sum of rates times quotients, and a stated rate below the true one is contradicted if some
weight moved steadily.

Rows with one plan of steps and one rate move alike: the size of B over the sum of its rates is 0.153 to 0.165 for `lora` and `qlora` of
ranks 2 and 8 (`tiny`, `cfa`, three seeds each). A row more than `FACTOR` away from the others had another rate.
"""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from harness.record import Record
from harness.schedule import planned_steps, rate_at
from harness.store import records
from harness.store.records import Run
from harness.verify.check import Check, check
from harness.verify.checks.artifacts.adapters import FILE, sampled
from harness.verify.checks.record.settings import MOST_EPOCHS

MOTION = "adapters moved as far as their rates allow"
METHODS = ("lora", "qlora", "lora8")  # B starts at zero, and has the rate of the schedule
BETAS = (0.9, 0.999)  # of AdamW
FACTOR = 1.6  # between rows that take the same steps
MOST_STEPS = 200_000
ROUNDING = 0.01  # of sums in fp32


@dataclass(frozen=True)
class Motion:
    """A run's adapter: the sum of its rates, the most that a weight may have moved, and the largest and usual motion."""

    record: Record
    rates: float
    room: float
    largest: float
    usual: float

    @property
    def name(self) -> str:
        """The run's name in a fault."""
        spec = self.record.spec
        return f"{spec.task} {spec.name} seed {spec.seed}"


def publication_checks(runs: Sequence[Run]) -> list[Check]:
    """Return the check of the published adapters of all runs."""
    motions = [motion for run in runs if run.record.status == "ok" and (motion := _motion(run))]
    return [check(MOTION, [*_bound_faults(motions), *_row_faults(motions)])]


def quotient(step: int) -> float:
    """Return the largest m / sqrt(v) of AdamW in a step, counted from 1, whatever the gradients."""
    first, second = BETAS
    shares = second * (1 - (first**2 / second) ** step) / (second - first**2)
    return (1 - first) / (1 - first**step) * math.sqrt((1 - second**step) / (1 - second) * shares)


def _motion(run: Run) -> Motion | None:
    spec = run.record.spec
    plain = spec.method in METHODS and not (spec.start or spec.rounds or spec.joined)
    if not plain or spec.batch_size < 1 or not 0 < spec.epochs <= MOST_EPOCHS:
        return None
    values, steps = sampled(run.folder / records.ADAPTER / FILE), planned_steps(spec.train_examples, spec)
    if values is None or steps > MOST_STEPS:
        return None
    tested = run.record.selection.best if run.record.selection else steps
    rates = [rate_at(spec.learning_rate, spec.warmup, step, steps) for step in range(min(tested, steps))]
    room = math.fsum(rate * quotient(number) for number, rate in enumerate(rates, start=1))
    size = float(np.sqrt(np.mean(values**2)))
    return Motion(run.record, math.fsum(rates), room, float(np.abs(values).max()), size)


def _bound_faults(motions: Iterable[Motion]) -> Iterable[str]:
    for motion in motions:
        if motion.largest > motion.room * (1 + ROUNDING):
            yield f"{motion.name}: a weight of B is {motion.largest:.4g}, the rates move it by {motion.room:.4g} at most"


def _row_faults(motions: Iterable[Motion]) -> Iterable[str]:
    """Yield a fault for each row that moved much further, or less far, for its rates than the others of its plan."""
    plans: defaultdict[Hashable, defaultdict[str, list[Motion]]] = defaultdict(lambda: defaultdict(list))
    for motion in motions:
        if motion.rates > 0:
            plans[_plan(motion.record)][motion.record.spec.name].append(motion)
    for rows in plans.values():
        sizes = {name: statistics.median(m.usual / m.rates for m in row) for name, row in rows.items()}
        usual = statistics.median(sizes.values())
        for name, size in sizes.items():
            if len(sizes) > 2 and not usual / FACTOR <= size <= usual * FACTOR:
                yield f"{rows[name][0].name}: B moved by {size:.3g} of its rates, in the other rows {usual:.3g}"


def _plan(record: Record) -> Hashable:
    """Return what decides the steps of a run except its method and its rank; larger rates move less for their sum."""
    spec, tested = record.spec, record.selection.best if record.selection else 0
    model = (spec.model, spec.model_revision, spec.max_tokens, spec.serving)
    rates = (spec.learning_rate, spec.warmup, spec.weight_decay)
    return (
        spec.task,
        spec.data,
        spec.scoring,
        spec.train_examples,
        spec.epochs,
        spec.batch_size,
        tested,
        *rates,
        *model,
    )
