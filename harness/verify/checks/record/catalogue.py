"""The checks of records, each by itself and against those of other runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.record import Record
from harness.schema import Task
from harness.verify.check import Check
from harness.verify.checks.record import cost, identity, pace, peers, provenance, rows, seeds, settings, shape

CONCERNS: Mapping[str, Mapping[str, str]] = {
    "Identity": {
        identity.SPEC_ID: "a setting was changed in the record",
        identity.FOLDER_PATH: "a run was moved to another name",
        identity.UNIQUE_RUNS: "a run was counted twice",
        identity.TASK_AVAILABLE: "results of a task that is not available cannot be checked",
        identity.TASK_VERSION: "the task has changed its version since the run",
        identity.STATUS: "a failed run passed off as finished, or the reverse",
        settings.SETTINGS: "settings that the method does not have, or lacks",
        settings.ROOM: "answers of another length than the task allows",
    },
    "Arithmetic": {
        rows.CUTS: "truncated inputs that differ from those of other rows",
        settings.GUESS: "guessing described as another strategy",
    },
    "Data": {
        rows.COUNTS: "numbers of examples that differ from those of other rows",
        provenance.DATA: "the data cannot be identified",
    },
    "Code and model": {
        provenance.COMPLETE: "an interrupted run is published as a result",
        provenance.COMMITTED: "the code of a run was never committed",
        provenance.COMMIT: "the code of a run is not in the repository",
        provenance.MODEL: "the weights cannot be identified",
        settings.EMBEDDED: "another model under the embedded one's name",
        pace.STARTED: "a run before its code was written, or in the future",
        peers.CODE: "a commit whose code writes other records",
        peers.STARTS: "one start written into many runs",
        provenance.HISTORY: "a published run was changed or removed",
    },
    "Machine and cost": {
        cost.ENVIRONMENT: "the machine or software of a run is unknown",
        cost.PARTS_SUM: "a part of the memory was changed",
        cost.PLAUSIBLE: "the recorded memory is smaller than the weights",
        shape.SHAPE: "counts of weights, bytes or an adapter that contradict each other or the method",
        pace.TOKENS: "a speed that contradicts tokens and seconds",
        pace.TIMES: "times, phases or peaks that contradict the run or the machine",
        rows.TOKENS: "numbers of tokens that differ from those of other rows",
        rows.WEIGHTS: "weights or adapters that differ from those of other rows",
        rows.SIZES: "one seed's sizes or peaks were changed",
        rows.PREDICTED: "a prediction was changed, or on CUDA set to the measurement",
        peers.MEMORY: "a peak that other rows contradict",
        peers.SPEED: "a test that took far less time than in other rows",
        peers.LENGTHS: "tokens of the test or of the validation were changed",
        peers.PACKAGES: "packages of one run were changed",
    },
    "Seeds and selection": {
        seeds.SEED_COUNT: "one lucky seed",
        seeds.NO_GAPS: "an unlucky seed was left out",
        seeds.DISTINCT_SEEDS: "one run is published as several",
        seeds.ONE_SETTING: "settings were selected by test score",
        rows.BASE: "the base row was left out",
        rows.RANKS: "a rank was left out",
        rows.VALIDATION: "validation answers of one untrained row were removed",
    },
}

FORMER_NAMES: Mapping[str, str] = {
    "the spec hashes to the id in the folder's name": identity.SPEC_ID,
    "the folder's words say what the spec says": identity.FOLDER_PATH,
    "no run is there twice": identity.UNIQUE_RUNS,
    "the task is known here": identity.TASK_AVAILABLE,
    "the task is the one that ran": identity.TASK_VERSION,
    "the task's data is pinned": provenance.DATA,
    "every run came to an end": provenance.COMPLETE,
    "the code was committed when it ran": provenance.COMMITTED,
    "the commit is in the history of this repository": provenance.COMMIT,
    "the model's weights are pinned": provenance.MODEL,
    "no published run was changed later": provenance.HISTORY,
    "the environment is described": cost.ENVIRONMENT,
    "memory by part adds up to the peak": cost.PARTS_SUM,
    "peaks hold what must be in memory": cost.PLAUSIBLE,
    "each row that trained has three seeds or more": seeds.SEED_COUNT,
    "every trained row has at least 3 seeds": seeds.SEED_COUNT,
    "no seed is left out": seeds.NO_GAPS,
    "seeds learned different things": seeds.DISTINCT_SEEDS,
    "settings were not chosen by test scores": seeds.ONE_SETTING,
}


def run_checks(folder: Path, record: Record, task: Task) -> list[Check]:
    """Return the checks of one record against its folder, its task and itself."""
    return [
        *identity.run_checks(folder, record, task),
        *settings.run_checks(record, task),
        *cost.run_checks(record),
        *shape.run_checks(record),
        *pace.run_checks(record),
    ]


def publication_checks(records: Sequence[Record]) -> list[Check]:
    """Return the checks of all records of a publication against each other."""
    return [
        *settings.publication_checks(records),
        *seeds.publication_checks(records),
        *rows.publication_checks(records),
        *peers.publication_checks(records),
    ]
