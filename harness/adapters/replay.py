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

from harness.adapters import replay_training
from harness.data import registry
from harness.errors import HarnessError, one_line
from harness.record import Answer, RunSpec
from harness.runs import continuation, inputs, worker, worker_challenger
from harness.runs.inputs import Inputs
from harness.runs.job import Job
from harness.schema import Method
from harness.store import training_files

RETRAIN = "train it again with verify --rerun"


@dataclass(frozen=True)
class Again:
    """The part that stored weights computed again: answers, and the loss of the last step's examples; a reason for none."""

    answers: tuple[Answer, ...] = ()
    last_loss: float | None = None
    reason: str = ""


def ask(job: Job, run: Path, positions: Sequence[int]) -> Again:
    """Return the answers of a run's stored weights to some of its questions; none, with the reason, if they are not stored.

    Questions of the same batches are answered, too. A challenger stores nothing: it is fitted again.

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
        fresh, *_ = worker_challenger.answer(job, prepare(job))
        return Again(tuple(fresh[position] for position in positions))
    if job.spec.engine:
        return Again(reason=f"its answers are those of {job.spec.engine}, which is not started again")
    method = registry.method(job.spec.method)
    if reason := missing(run, job.spec, method):
        return Again(reason=reason)
    data = prepare(job)
    model, tokenizer = _model(job, run, method), loading.tokenizer_of(job.model_folder, job.spec)
    answers = answer.answer(
        model,
        tokenizer,
        dict(data.splits.items())[job.spec.split],
        data.task,
        job.spec,
        shots=tokenize.choose_shots(data.splits.train, method.shots, job.spec.seed),
        calibration=method.calibration,
        only=frozenset(positions),
    )
    return Again(tuple(answers), replay_training.last_loss(model, tokenizer, data, job.spec, method))


def test_tokens(job: Job, stored: Sequence[Answer]) -> int | None:
    """Return the tokens that a run read and wrote in its test; None if they cannot be counted.

    Written texts are counted by their own tokens and the token that ended them.
    """
    from harness.model import loading, tokenize
    from harness.model.likelihood import question_length

    spec = job.spec
    method = None if spec.challenger else registry.method(spec.method)
    if method is None or method.calibration or spec.scoring not in ("choices", "generate"):
        return None
    data, tokenizer = prepare(job), loading.tokenizer_of(job.model_folder, spec)
    examples = dict(data.splits.items())[spec.split]
    shots = tokenize.choose_shots(data.splits.train, method.shots, spec.seed)
    room = tokenize.answer_room(spec.scoring, spec.max_new_tokens)
    questions = tokenize.encode_test(tokenizer, examples, data.task, spec.max_tokens, room, shots)
    if spec.scoring == "choices":
        return sum(map(question_length, questions))
    texts = tokenizer([answer.text for answer in stored], add_special_tokens=False)["input_ids"]
    written = sum(min(len(text) + 1, spec.max_new_tokens) for text in texts)
    return sum(len(question.prompt) for question in questions) + written


def missing(run: Path, spec: RunSpec, method: Method) -> str:
    """Return why a run cannot be asked again: its weights are not stored; empty if it can be."""
    if not method.trains or training_files.weight_files(run):
        return ""
    return (
        "its adapter is not stored"
        if method.adapter
        else f"its weights are not stored; {spec.name} stores them with --save-full"
    )


def prepare(job: Job) -> Inputs:
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
