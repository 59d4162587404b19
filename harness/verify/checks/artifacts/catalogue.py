"""The checks of what training left: logged steps and adapters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.record import Record
from harness.store.records import Run
from harness.verify.check import Check
from harness.verify.checks.artifacts import adapters, batches, motion, training

CONCERNS: Mapping[str, Mapping[str, str]] = {
    "Training": {
        training.WEIGHTS: "an adapter was exchanged",
        training.STEPS: "the logged steps were changed, cut or removed",
        training.SCHEDULE: "the run had another rate, warm-up, number of epochs or batch size than it states",
        training.TOTALS: "tokens, speed or final loss were changed",
        training.LOSS: "a loss that no training has",
        training.CHOICE: "weights of another step than the validation losses choose",
        batches.BATCHES: "a run under another seed",
        batches.LOSSES: "losses of another run",
        batches.STARTS: "a start or joined tasks that training does not show",
        adapters.CONFIG: "alpha, dropout, rank or variant that the adapter does not have",
        adapters.TENSORS: "an adapter that is broken, empty or of another shape",
        motion.MOTION: "another rate than the weights of an adapter show",
        adapters.COPIES: "one adapter of several runs, also with noise or other signs",
    },
}


def run_checks(folder: Path, record: Record) -> list[Check]:
    """Return the checks of one run's logged steps and adapter."""
    return [*training.run_checks(folder, record), *adapters.run_checks(folder, record)]


def publication_checks(runs: Sequence[Run]) -> list[Check]:
    """Return the checks of the steps and adapters of all runs against each other; challengers have neither."""
    models = [run for run in runs if not run.record.spec.challenger]
    return [
        *training.publication_checks(runs),
        *adapters.publication_checks(models),
        *batches.publication_checks(models),
        *motion.publication_checks(models),
    ]
