"""The worker's part in runs whose answers another engine computes: trained weights go there, and answers come back.

The training is that of a run by any other engine. If such a run is in the results folder, by this machine and this code, its
weights, its losses and the cost of its training are taken over, so that two engines answer with one adapter.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from harness import environment
from harness.engines import catalog
from harness.errors import HarnessError
from harness.model import loading
from harness.model import meter as memory
from harness.model.engine_model import EngineModel
from harness.record import Cost, Environment, Phase
from harness.runs.job import Job
from harness.runs.run_state import RunState
from harness.schema import Method
from harness.store import files, records, training_files

TAKEN_OVER = ("load", "train")  # phases


def trained(job: Job, state: RunState) -> tuple[Any, Cost] | None:
    """Return the tokenizer and the cost of training of the same run by another engine, whose weights are taken over.

    None if there is no such run with its weights, or if all are of another machine, other code or other packages.
    """
    run = next(_twins(job), None)
    if run is None or run.record.cost is None:
        return None
    record, cost = run.record, run.record.cost
    _copy(run, job)
    state.final_loss, state.selection, state.load = record.final_loss, record.selection, record.load
    state.targets, state.adapter_sha256, state.steps_sha256 = record.targets, record.adapter_sha256, record.steps_sha256
    state.cut_examples = record.cut_examples - sum(answer.cut_tokens > 0 for answer in run.answers())
    state.device_name = record.environment.device_name if job.spec.device == "cuda" else ""
    phases = {name: phase for name, phase in cost.phases.items() if name in TAKEN_OVER}
    return loading.tokenizer_of(job.model_folder, job.spec), replace(cost, phases=phases)


@contextlib.contextmanager
def answering(job: Job, method: Method) -> Iterator[tuple[EngineModel, Phase]]:
    """Yield the model of a run in its engine, with the cost of the engine's start; it ends with the context."""
    adapter = job.folder / records.ADAPTER if method.adapter else None
    with memory.phase(job.spec.device) as meter:
        engine = catalog.start(job.model_folder, job.spec, adapter, job.threads)
    if meter.result is None:
        raise RuntimeError("the phase was read before it ended")
    try:
        yield EngineModel(engine, job.model_folder), meter.result
    finally:
        engine.close()


def _twins(job: Job) -> Iterator[records.Run]:
    """Yield the finished runs beside a job that differ from it in their engine only and have its weights, the plain one first."""
    plain = replace(job.spec, engine="")
    folders = sorted(job.folder.parent.glob(f"s{job.spec.seed}-*"), key=lambda path: not path.name.endswith(plain.id))
    for folder in folders:
        try:
            run = records.Run(folder, records.read_record(folder))
        except (HarnessError, OSError):
            continue
        record = run.record
        weights = bool(training_files.weight_files(folder)) or not record.spec.epochs
        is_whole = record.status == "ok" and record.cost is not None and weights
        if replace(record.spec, engine="") != plain or not is_whole or not _is_from_here(job, run):
            continue
        if record.adapter_sha256 == training_files.weights_sha256(folder):
            yield run


def _is_from_here(job: Job, run: records.Run) -> bool:
    """Return whether a run is by the machine, the code and the packages of this process."""
    before = run.record.environment
    name = before.device_name if job.spec.device == "cuda" else ""
    here = environment.describe(job.spec.device, threads=job.threads, device_name=name)
    return _origin(before) == _origin(here)


def _origin(described: Environment) -> tuple[object, ...]:
    packages = {name: described.packages.get(name) for name in environment.PACKAGES}
    return described.machine, described.commit, packages


def _copy(run: records.Run, job: Job) -> None:
    """Copy the trained weights and the logged steps of a run into the folder of a job."""
    source = run.folder / records.ADAPTER
    if source.is_dir():
        with files.new_folder(job.folder / records.ADAPTER) as folder:
            for path in source.iterdir():
                if path.is_file() and not path.is_symlink():
                    shutil.copyfile(path, folder / path.name)
    if steps := training_files.steps_bytes(run.folder):
        files.write(job.folder / training_files.STEPS, steps)
