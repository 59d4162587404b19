"""A finished run's weights, loaded to answer some of its questions again, and its first training steps, taken again.

The model is built from the run's spec by its method, and only the numbers are read from the stored files. A config that
somebody else stored decides nothing, and another rank or alpha than the spec states shows in the answers.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.data import registry
from harness.errors import HarnessError, one_line
from harness.record import Answer, RunSpec
from harness.runs import continuation, inputs, worker, worker_challenger
from harness.runs.inputs import Inputs
from harness.runs.job import Job
from harness.schema import Method
from harness.store import training_files

FIRST_STEPS = 3  # from the second on, the loss depends on the learning rate
RETRAIN = "train it again with verify --rerun"


@dataclass(frozen=True)
class Again:
    """The part that was computed again: the answers to the drawn questions, the losses of the first steps, the tokens of all."""

    answers: tuple[Answer, ...] = ()
    losses: tuple[float, ...] = ()
    tokens: tuple[int, ...] = ()
    reason: str = ""


def first_steps(job: Job) -> Again:
    """Return the losses of the first training steps and the tokens of every step.

    Both are empty for a run without training, with clients, with further tasks, or from another run's weights.
    """
    from harness.model import loading
    from harness.training import loop

    if job.spec.challenger:
        return Again()
    spec, method = job.spec, registry.method(job.spec.method)
    if not method.trains or spec.rounds or spec.joined or spec.start:
        return Again()
    data = _start(job)
    tokenizer = loading.tokenizer_of(job.model_folder, spec)
    pairs = inputs.encode_train(data, spec, tokenizer)
    batches = loop.plan_batches([len(pair) for pair in pairs], spec)
    fit = loop.fit(
        method.adapt(method.load(str(job.model_folder), spec), spec),
        tokenizer,
        pairs,
        spec,
        rate_factor=method.rate_factor,
        make=method.optimizer,
        steps=range(min(FIRST_STEPS, len(batches))),
    )
    return Again(losses=fit.losses, tokens=tuple(sum(len(pairs[i]) for i in batch) for batch in batches))


def ask(job: Job, run: Path, positions: Sequence[int]) -> Again:
    """Return the answers of a run's stored weights to some of its questions; none, with the reason, if they are not stored.

    A challenger stores none: it is fitted again.

    Args:
        job: the job of doing the run again.
        run: the run's folder, with its weights.
        positions: the indices of the questions among those of the run.

    Raises:
        HarnessError: the stored weights do not fit the run.
    """
    from harness.model import answer, loading, tokenize

    if job.spec.challenger:
        if job.spec.server:
            return Again(reason="its answers are those of a server, which is not asked again")
        fresh, *_ = worker_challenger.answer(job, _start(job))
        return Again(tuple(fresh[position] for position in positions))
    method = registry.method(job.spec.method)
    if reason := missing(run, job.spec, method):
        return Again(reason=reason)
    data = _start(job)
    examples = dict(data.splits.items())[job.spec.split]
    answers = answer.answer(
        _model(job, run, method),
        loading.tokenizer_of(job.model_folder, job.spec),
        examples,
        data.task,
        job.spec,
        shots=tokenize.choose_shots(data.splits.train, method.shots, job.spec.seed),
        calibration=method.calibration,
        only=frozenset(positions),
    )
    ids = {examples[position].id for position in positions}
    return Again(tuple(answer for answer in answers if answer.id in ids))


def missing(run: Path, spec: RunSpec, method: Method) -> str:
    """Return why a run cannot be asked again: its weights are not stored; empty if it can be."""
    if not method.trains or training_files.weight_files(run):
        return ""
    return (
        "its adapter is not stored"
        if method.adapter
        else f"its weights are not stored; {spec.name} stores them with --save-full"
    )


def _start(job: Job) -> Inputs:
    """Return the inputs of a run, the process set up as its worker sets it up."""
    import torch

    torch.set_num_threads(job.threads)
    torch.manual_seed(job.spec.seed)
    worker.repeatable(job.spec.device)
    return inputs.read_again(replace(job, spec=replace(job.spec, probes=()), probes=()))


def _model(job: Job, run: Path, method: Method) -> Any:
    spec, folder = job.spec, str(job.model_folder)
    try:
        if not method.trains:
            return method.adapt(method.load(folder, spec), spec)
        if method.adapter:
            model = method.adapt(method.load(folder, spec), spec)
            return continuation.fill(model, method, run / training_files.ADAPTER, spec.device)
        with tempfile.TemporaryDirectory() as joined:
            _join(job.model_folder, run / training_files.MODEL, Path(joined))
            return method.load(joined, spec)
    except (KeyError, ValueError, RuntimeError, OSError) as error:
        problem = f"the stored weights cannot be loaded: {one_line(error)}"
        raise HarnessError(problem, where=str(run), fix=RETRAIN) from error


def _join(base: Path, weights: Path, folder: Path) -> None:
    """Fill a folder with links to the base model's files except its weights, and to the stored weights."""
    for path in base.iterdir():
        if path.suffix != ".safetensors" and not path.name.endswith(".index.json"):
            (folder / path.name).symlink_to(path.resolve())
    for path in weights.glob(training_files.WEIGHTS):
        (folder / path.name).symlink_to(path.resolve())
