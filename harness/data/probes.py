"""Probes: tasks that a run's model is asked although it was not trained on them, to see the effects of training elsewhere.

`--probe NAME` names a task. `general` stands for a suite, to see what the model forgot: for the embedded model its own
held-out skills, for any other model five public tasks. Two more show whether the learning carries over: `shifted` stands
for `<task>_shifted`, the same task in another wording, and `reordered` for the run's own test questions with their
options in another order.

Every probe except `reordered` asks at most `MAX_QUESTIONS` of its task's test split. The limit ignores `--test-examples`,
so a probe is the same in every run. A sequence of tasks sets its own limit, because it asks each task's test questions
after every stage. Records keep the limit, so that the same questions can be read again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from harness.data import loading as data
from harness.data import registry
from harness.data.loading import Splits
from harness.data.source import TaskSource
from harness.data.split import sample
from harness.errors import HarnessError, did_you_mean
from harness.metrics.scoring import require
from harness.record import ProbeResult, Record, RunSpec
from harness.schema import Example, Metric, Task

GENERAL = "general"
SHIFTED = "shifted"
REORDERED = "reordered"
NAMES = (GENERAL, SHIFTED, REORDERED)
SUITE = ("arc_challenge", "openbookqa", "mmlu", "gsm8k_number", "wikitext")
MAX_QUESTIONS = 500  # of a probe, whole groups if possible
SLACK = 16  # a limit cuts between groups, so the number of questions may be smaller than the limit


@dataclass(frozen=True)
class Probe:
    """A probe ready to be asked: the name or file of its task, the task, the questions, and `limit` as in `ProbeResult`."""

    reference: str
    task: Task
    examples: tuple[Example, ...]
    limit: int | None = None

    @cached_property
    def data(self) -> str:
        """The fingerprint of the questions."""
        return data.fingerprint(self.task, Splits((), (), self.examples))

    @property
    def key(self) -> str:
        """The task's name and the fingerprint of the questions, as the spec of a run holds them."""
        return f"{self.task.name}@{self.data}"

    def spec(self, spec: RunSpec) -> RunSpec:
        """Return the run's spec with the fields of the probe's task, under which the probe is answered."""
        spec = replace(spec, task=self.task.name, task_version=self.task.version, data=self.data, probes=())
        count, scoring, room = len(self.examples), self.task.scoring, self.task.max_new_tokens
        return replace(spec, scoring=scoring, max_new_tokens=room, test_examples=count, split="test")


def shifted(task: str) -> str:
    """Return the name of a task's twin in another wording."""
    return f"{task}_{SHIFTED}"


def references(names: Iterable[str], task: str, *, embedded: bool) -> tuple[str, ...]:
    """Return the tasks that `--probe` names, each once, with suites and twins resolved for this task and model."""
    from harness.tiny.questions import NAME

    tasks = {GENERAL: (NAME,) if embedded else SUITE, SHIFTED: (shifted(task),)}
    return tuple(dict.fromkeys(reference for name in names for reference in tasks.get(name, (name,))))


def find(reference: str, source: TaskSource, task: Task, test: Sequence[Example], limit: int = MAX_QUESTIONS) -> Probe:
    """Return a probe of runs that test these examples of a task; errors as `read` and `reordered_twin`.

    Args:
        reference: the probe's task, or `reordered`.
        source: of the runs' own task; a probe is read from the same folders.
        task: the runs' own.
        test: the examples that the runs are tested on.
        limit: at most so many questions; 0 is all.
    """
    if reference in (REORDERED, reordered(task.name)):
        return Probe(REORDERED, *reordered_twin(task, test))
    return read(source.sibling(reference), limit)


def read(source: TaskSource, limit: int = MAX_QUESTIONS) -> Probe:
    """Return a probe with its questions.

    Raises:
        HarnessError: no such task, its data is missing or unfit, or a metric cannot be computed here.
    """
    name = source.name
    if name not in registry.tasks(source.tasks_dirs) and (near := did_you_mean(name, NAMES)):
        raise HarnessError(f"no task named {name!r} to probe with", where=f"--probe {name}", fix=near)
    task = source.task()
    require(task.metrics)
    return Probe(name, task, questions(source.splits(task), limit), limit)


def questions(splits: Splits, limit: int = MAX_QUESTIONS) -> tuple[Example, ...]:
    """Return the examples of a probe, the same everywhere; a limit of 0 is all."""
    return sample(splits.test, limit)


def limit_of(record: Record, tasks: Mapping[str, tuple[Task, Splits | None]]) -> int:
    """Return the limit under which a record's probes were asked.

    Older records hold no limit. For them, it is the limit under which the probes here have the fingerprints of the
    record; `MAX_QUESTIONS` if no limit gives these.

    Args:
        record: with probes.
        tasks: the tasks of the probes with all their examples, None if the data is not here.
    """
    if recorded := [probe.limit for probe in record.probes.values() if probe.limit is not None]:
        return recorded[0]
    counts = [score.n for probe in record.probes.values() for score in list(probe.scores.values())[:1]]
    complete = [(task, splits) for task, splits in tasks.values() if splits]
    least = max(counts, default=0)
    limits: list[int] = [MAX_QUESTIONS, 0, *range(least, least + SLACK)]
    for limit in limits:
        keys = (Probe("", task, questions(splits, limit)).key for task, splits in complete)
        if all(key in record.spec.probes for key in keys):
            return limit
    return MAX_QUESTIONS


def read_all(
    names: Sequence[str],
    source: TaskSource,
    task: Task,
    test: Sequence[Example],
    limit: int = MAX_QUESTIONS,
    *,
    embedded: bool,
) -> tuple[Probe, ...]:
    """Return the probes of runs that test these examples of a task, in order.

    Args:
        names: those of `--probe`.
        source: of the runs' own task; probes are read from the same folders.
        task: the runs' own.
        test: the examples that the runs are tested on.
        limit: at most so many questions of each probe; 0 is all.
        embedded: whether the runs' model is the embedded one, which has a suite of its own.

    Raises:
        HarnessError: as `find`; `shifted` for a task without such a twin; a probe that is the task itself; or two
            probes of one name.
    """
    if SHIFTED in names and shifted(task.name) not in (tasks := registry.tasks(source.tasks_dirs)):
        twins = sorted(name for name in tasks if shifted(name) in tasks)
        fix = f"leave it out, or write a task named {shifted(task.name)}; tasks that have one: {', '.join(twins)}"
        raise HarnessError(f"{task.name} has no shifted twin", where=f"--probe {SHIFTED}, task {task.name}", fix=fix)
    probes = tuple(
        find(reference, source, task, test, limit) for reference in references(names, task.name, embedded=embedded)
    )
    used = [task.name]
    for probe in probes:
        if probe.task.name in used:
            problem = "the probe is the task itself" if probe.task.name == task.name else "two probes have one name"
            where = f"--probe {probe.reference}, task {task.name}"
            raise HarnessError(problem, where=where, fix="probe with tasks that are not trained on, each once")
        used.append(probe.task.name)
    return probes


def names(spec: RunSpec) -> list[str]:
    """Return the tasks of a spec's probes."""
    return [key.rpartition("@")[0] for key in spec.probes]


def as_run(record: Record, name: str) -> Record:
    """Return a run's result on a probe as the record of a run on that task, for all code that reads records."""
    probe: ProbeResult = record.probes[name]
    count = next((score.n for score in probe.scores.values()), 0)
    spec = replace(record.spec, task=name, task_version=0, data=probe.data, scoring=probe.scoring, probes=())
    return replace(
        record,
        spec=replace(spec, test_examples=count),
        scores=probe.scores,
        parse_rate=probe.parse_rate,
        chance=probe.chance,
        answers_sha256=probe.answers_sha256,
        cut_examples=probe.cut_examples,
        probes={},
    )


def reordered(task: str) -> str:
    """Return the name under which records of a task hold its questions in another order."""
    return f"{task}_{REORDERED}"


def reorder(example: Example) -> Example:
    """Return the example with its options rotated by a number that its id decides; without options, unchanged."""
    count = len(example.choices)
    if count < 2:
        return example
    digest = hashlib.sha256(example.id.encode("utf-8", "surrogatepass")).digest()
    by = 1 + int.from_bytes(digest[:8], "big") % (count - 1)
    return replace(example, choices=example.choices[by:] + example.choices[:by])


def reordered_twin(task: Task, examples: Sequence[Example]) -> tuple[Task, tuple[Example, ...]]:
    """Return the task under its other name, and these examples with their options in another order.

    Raises:
        HarnessError: there are no options, or the prompt does not list them.
    """
    twins = tuple(map(reorder, examples))
    if not any(example.choices for example in examples):
        problem, fix = "there are no options to put in another order", "leave it out for this task"
    elif all(task.prompt(first) == task.prompt(second) for first, second in zip(examples, twins, strict=True)):
        problem = (
            "the prompt does not list the options: each is scored by itself, and their order cannot change an answer"
        )
        fix = "leave it out for this task; `cfa_listed` is `cfa` with the options in the prompt"
    else:
        title = f"{task.title}, options in another order"
        return replace(task, name=reordered(task.name), title=title), twins
    raise HarnessError(problem, where=f"--probe {REORDERED}, task {task.name}", fix=fix)


def with_reordered(metrics: Mapping[str, Sequence[Metric]]) -> dict[str, Sequence[Metric]]:
    """Return metrics by task, and the same under the name of each task's reordered twin."""
    return {**{reordered(task): of_task for task, of_task in metrics.items()}, **metrics}
