"""Everything that a run reads, obtained in one way by the plan and by the worker: examples, probes and joined tasks.

A joint run mixes the training examples of further tasks into its own, each rendered by the prompt of its own task. It is
tested on its own task, and on the others as probes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from harness.challengers import BUILT_IN
from harness.challengers.parts import answers as challenging
from harness.data import loading, probes, registry
from harness.data.loading import Splits
from harness.data.probes import Probe
from harness.data.source import TaskSource
from harness.errors import HarnessError
from harness.record import RunSpec
from harness.runs.options import Options
from harness.schema import Challenger, Example, Task

if TYPE_CHECKING:
    from harness.model.tokenize import Pair
    from harness.runs.job import Job


@dataclass(frozen=True)
class JoinedTask:
    """A task whose training examples are mixed into those of a run."""

    task: Task
    examples: tuple[Example, ...]

    @cached_property
    def key(self) -> str:
        """The task's name and the fingerprint of the examples, as the spec of a run holds them."""
        return f"{self.task.name}@{loading.fingerprint(self.task, Splits(self.examples, (), ()))}"


@dataclass(frozen=True)
class Inputs:
    """A task with its examples, the probes of the trained model, and the tasks that are mixed in."""

    task: Task
    splits: Splits
    probes: tuple[Probe, ...] = ()
    joined: tuple[JoinedTask, ...] = ()

    @cached_property
    def data(self) -> str:
        """The fingerprint of the task's examples."""
        return loading.fingerprint(self.task, self.splits)

    @property
    def probe_keys(self) -> tuple[str, ...]:
        """The keys of the probes, as the spec of a run holds them."""
        return tuple(probe.key for probe in self.probes)

    @property
    def train_examples(self) -> int:
        """The number of training examples, those of the joined tasks included."""
        return len(self.splits.train) + sum(len(joined.examples) for joined in self.joined)

    @property
    def joined_keys(self) -> tuple[str, ...]:
        """The keys of the joined tasks, as the spec of a run holds them."""
        return tuple(joined.key for joined in self.joined)


def read(source: TaskSource, task: Task, options: Options, *, embedded: bool) -> Inputs:
    """Return the inputs of a task's runs.

    Args:
        source: how the task's examples are obtained; probes and joined tasks are read from the same folders.
        task: the task of `source`.
        options: give the names of probes and joined tasks.
        embedded: whether the model is the embedded one, which has a probe of its own.

    Raises:
        HarnessError: data that is missing or unfit, or a probe that makes no sense for this task.
    """
    splits = source.splits(task)
    inputs = Inputs(task, splits)
    if options.probes:
        limit = options.probe_limit
        probe_tasks = probes.read_all(options.probes, source, task, splits.test, limit, embedded=embedded)
        inputs = replace(inputs, probes=probe_tasks)
    return replace(inputs, joined=read_joined(options.joined, source))


def read_joined(names: Sequence[str], source: TaskSource) -> tuple[JoinedTask, ...]:
    """Return the tasks that are mixed into a run, read from the folders of the run's source and limited like it.

    Raises:
        HarnessError: no such task, or its data is missing or unfit.
    """
    sources = [source.sibling(name, train_limit=source.train_limit) for name in names]
    tasks = [(sibling, sibling.task()) for sibling in sources]
    return tuple(JoinedTask(task, sibling.splits(task).train) for sibling, task in tasks)


def read_again(job: Job) -> Inputs:
    """Return the inputs of a job, read by its worker and compared with what was planned.

    Raises:
        HarnessError: the examples of the task, a probe or a joined task changed since the run was planned.
    """
    spec, source = job.spec, job.source
    task = replace(source.task(), scoring=spec.scoring)
    splits = source.splits(task)
    _refuse_change("the task's data or prompt", loading.fingerprint(task, splits), spec.data, f"task {task.name}")
    names = job.probes or probes.names(spec)
    probe_tasks = tuple(probes.find(name, source, task, splits.test, job.probe_limit) for name in names)
    inputs = Inputs(task, splits, probe_tasks, read_joined(job.joined, source))
    _refuse_change("a probe's data or prompt", inputs.probe_keys, spec.probes, f"--probe {','.join(names)}")
    joined = "the data or prompt of a task that is trained on"
    _refuse_change(joined, inputs.joined_keys, spec.joined, ", ".join(spec.joined))
    return inputs


def _refuse_change(subject: str, now: object, planned: object, where: str) -> None:
    if now != planned:
        problem = f"{subject} changed since the run was planned"
        raise HarnessError(problem, where=where, fix="run the same command again")


def encode_train(inputs: Inputs, spec: RunSpec, tokenizer: Any) -> list[Pair]:
    """Return the training examples of a run as token ids: its own, then those of the joined tasks."""
    from harness.model import tokenize

    pairs = encode(inputs, inputs.splits.train, spec, tokenizer)
    for joined in inputs.joined:
        room = tokenize.answer_room(joined.task.scoring, joined.task.max_new_tokens)
        pairs += tokenize.encode_train(tokenizer, joined.examples, joined.task, spec.max_tokens, room)
    return pairs


def encode(inputs: Inputs, examples: Sequence[Example], spec: RunSpec, tokenizer: Any) -> list[Pair]:
    """Return examples of a run's own task as token ids, prompt and answer, as they are trained on."""
    from harness.model import tokenize

    room = tokenize.answer_room(spec.scoring, spec.max_new_tokens)
    return tokenize.encode_train(tokenizer, examples, inputs.task, spec.max_tokens, room)


def challengers(data: Inputs, options: Options) -> tuple[Challenger, ...]:
    """Return the challengers of a task's runs: the default ones that apply, or all that are named.

    A run that continues another, or learns several tasks, stands in no table with them.

    Raises:
        HarnessError: a challenger that is named and does not apply.
    """
    if options.start or options.joined:
        return ()
    chosen = []
    for challenger in map(registry.challenger, options.challengers):
        reason = challenging.obstacle(challenger, data.task, data.splits.train)
        if reason and not (challenger.name in BUILT_IN and set(BUILT_IN) <= set(options.challengers)):
            raise challenging.does_not_apply(challenger, data.task, reason)
        chosen += [challenger] * (not reason)
    return tuple(chosen)
