"""Training that does not start at the base model alone: from the weights of another run, or on several tasks together.

A run that goes on from another has the same method, rank and base model. It loads what that run saved, its adapter or
(full fine-tuning) its weights, and then trains as any run does: optimizer, schedule and data order begin anew.

A joint run mixes the training examples of further tasks into its own, each rendered by its own task's prompt. It is tested
on its own task, and on the others as probes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.data import loading
from harness.data.loading import Splits
from harness.data.source import TaskSource
from harness.errors import HarnessError
from harness.format import spoken
from harness.record import RunSpec
from harness.runs.job import Job
from harness.runs.options import Start
from harness.schema import Example, Method, Task
from harness.store import records

if TYPE_CHECKING:
    from harness.model.tokenize import Pair

SAME = ("method", "rank", "alpha", "model_revision")


@dataclass(frozen=True)
class Joined:
    """A task whose training examples are mixed in: how it is found, the task, and the examples."""

    reference: str
    task: Task
    examples: tuple[Example, ...]

    @cached_property
    def key(self) -> str:
        """What the spec of a run holds."""
        return f"{self.task.name}@{loading.fingerprint(self.task, Splits(self.examples, (), ()))}"


def join(references: Sequence[str], source: TaskSource) -> list[Joined]:
    """Return the tasks whose training examples are mixed in, read from the folders of a run's source and limited as it.

    Raises:
        HarnessError: no such task, or its data is missing or unfit.
    """
    joined = []
    for reference in references:
        sibling = source.sibling(reference, train_limit=source.train_limit)
        task = sibling.task()
        joined.append(Joined(reference, task, sibling.splits(task).train))
    return joined


def encode_joined(job: Job, tokenizer: Any) -> list[Pair]:
    """Return the training examples that a job mixes in, as token ids.

    Raises:
        HarnessError: they are others than were planned.
    """
    from harness.model import tokenize

    found = join(job.joined, job.source)
    if tuple(one.key for one in found) != job.spec.joined:
        problem = "the data or prompt of a task that is trained on changed since the run was planned"
        raise HarnessError(problem, where=", ".join(job.spec.joined), fix="run the same command again")
    pairs = []
    for one in found:
        room = tokenize.answer_room(one.task.scoring, one.task.max_new_tokens)
        pairs += tokenize.encode_train(tokenizer, one.examples, one.task, job.spec.max_tokens, room)
    return pairs


def check(start: Start | None, specs: Sequence[RunSpec]) -> None:
    """Refuse runs that cannot go on from another, among those that are to.

    Raises:
        HarnessError: method, rank, alpha or base model differ.
    """
    if start is None:
        return
    pairs = [(spec, name) for spec in specs if spec.start for name in SAME]
    unlike = next(((spec, name) for spec, name in pairs if getattr(spec, name) != getattr(start.spec, name)), None)
    if unlike:
        spec, other = unlike
        was, now = getattr(start.spec, other), getattr(spec, other)
        flag = {"model_revision": "model"}.get(other, other)
        problem = f"a run goes on only as it began: {other.replace('_', ' ')} was {was} and would be {now}"
        value = start.spec.model if other == "model_revision" else was
        raise HarnessError(problem, where=f"{spoken(start.spec)} ({start.spec.id})", fix=f"--{flag} {value}")


def require(start: Start) -> None:
    """Refuse a run whose weights are not here.

    Raises:
        HarnessError: it kept neither an adapter nor a model.
    """
    if not any((start.folder / name).is_dir() for name in (records.ADAPTER, records.MODEL)):
        problem = f"the weights of {spoken(start.spec)} are not here, so nothing can go on from them"
        fix = "name a run of an adapter, or one of `full` that was trained with --save-full"
        raise HarnessError(problem, where=str(start.folder), fix=fix)


def load(job: Job, method: Method) -> Any:
    """Return the model as its method loads it; where a run of full fine-tuning is gone on from, with its weights.

    Raises:
        HarnessError: the run that is gone on from kept no weights.
    """
    folder = job.model_folder
    if job.spec.start:
        if job.start is None:
            raise HarnessError("the run to start from is not named", where=job.spec.start, fix="run the command again")
        require(Start(job.spec, job.start))
        folder = folder if method.adapter else job.start / records.MODEL
    return method.load(str(folder), job.spec)


def adapt(model: Any, job: Job, method: Method) -> Any:
    """Return the model with what trains marked, holding the adapter of the run that is gone on from.

    Raises:
        HarnessError: that adapter has other weights than this method trains.
    """
    model = method.adapt(model, job.spec)
    if not job.start or not job.spec.start or not method.adapter:
        return model
    from harness.methods import own_adapter

    adapter = job.start / records.ADAPTER
    return own_adapter.fill(model, adapter) if method.save else _fill(model, adapter, job.spec.device)


def _fill(model: Any, adapter: Path, device: str) -> Any:
    from peft import get_peft_model_state_dict, load_peft_weights, set_peft_model_state_dict

    kept = load_peft_weights(str(adapter), device=device)
    shapes = {name: weight.shape for name, weight in get_peft_model_state_dict(model).items()}
    if shapes != {name: weight.shape for name, weight in kept.items()}:
        fix = "delete that run's folder and train it again"
        raise HarnessError("the adapter to start from has other weights than this run", where=str(adapter), fix=fix)
    set_peft_model_state_dict(model, kept)
    return model
