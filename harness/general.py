"""Probes: tasks that a run's model is asked as well, and not trained on, to see what training made it forget.

`--probe NAME` names a task; `general` stands for a suite: for the embedded model its own held-out skills, for any other
model five public tasks. What is asked is the test split, at most `MOST` questions of it whatever the other flags say, so
that a probe is the same in every run and can be found again from its fingerprint. A sequence of tasks has a limit of its
own, since there each task's test questions are asked after every stage, those of the task just trained among them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from harness import data, registry
from harness.checkpoint import TINY, Checkpoint
from harness.data import Splits
from harness.errors import HarnessError, did_you_mean
from harness.jobs import MOST_ASKED
from harness.partition import sample
from harness.schema import Example, Probe, Record, RunSpec, Task
from harness.score import require

GENERAL = "general"
SUITE = ("arc", "openbookqa", "mmlu", "gsm8k", "wikitext")
MOST = MOST_ASKED
SLACK = 16  # a limit cuts between groups, so what it left may be smaller than the limit itself


@dataclass(frozen=True)
class Asked:
    """A probe ready to be asked: how its task is found, the task, and the questions."""

    reference: str
    task: Task
    examples: tuple[Example, ...]

    @cached_property
    def data(self) -> str:
        """The fingerprint of what is asked."""
        return data.fingerprint(self.task, Splits((), (), self.examples))

    @property
    def key(self) -> str:
        """What the spec of a run holds."""
        return f"{self.task.name}@{self.data}"

    def spec(self, spec: RunSpec) -> RunSpec:
        """The run's spec as it is while the probe is answered."""
        asked = replace(spec, task=self.task.name, task_version=self.task.version, data=self.data, probes=())
        count, scoring, room = len(self.examples), self.task.scoring, self.task.max_new_tokens
        return replace(asked, scoring=scoring, max_new_tokens=room, test_examples=count, split="test")


def references(names: Iterable[str], model: Checkpoint) -> tuple[str, ...]:
    """Return the tasks that the names of `--probe` stand for with this model, each once."""
    from harness.tiny.questions import NAME

    general = (NAME,) if model.folder == TINY.resolve() else SUITE
    return tuple(dict.fromkeys(one for name in names for one in (general if name == GENERAL else (name,))))


def read(reference: str, tasks_dirs: Iterable[Path], data_dir: Path | None, limit: int = MOST) -> Asked:
    """Return a probe with its questions.

    Raises:
        HarnessError: no such task, its data is missing or unfit, or a metric cannot be computed here.
    """
    dirs = tuple(tasks_dirs)
    if reference not in registry.tasks(dirs) and (near := did_you_mean(reference, [GENERAL])):
        raise HarnessError(f"no task named {reference!r} to probe with", where=f"--probe {reference}", fix=near)
    task = registry.task(reference, dirs)
    require(task.metrics)
    splits = data.load_splits(task, data_dir=data.nearest(task.source, data_dir))
    return Asked(reference, task, questions(splits, limit))


def questions(splits: Splits, limit: int = MOST) -> tuple[Example, ...]:
    """Return the examples that a probe asks, the same everywhere; a limit of 0 is all."""
    return sample(splits.test, limit)


def limit_of(record: Record, known: Mapping[str, tuple[Task, Splits | None]]) -> int:
    """Return the limit under which the probes here have the fingerprints of a record, `MOST` where none has."""
    counts = [score.n for probe in record.probes.values() for score in list(probe.scores.values())[:1]]
    whole = [(task, splits, record.spec.probes) for task, splits in known.values() if splits]
    least = max(counts, default=0)
    limits: list[int] = [MOST, 0, *range(least, least + SLACK)]
    for limit in limits:
        asked = (Asked("", task, questions(splits, limit)).key in keys for task, splits, keys in whole)
        if all(asked):
            return limit
    return MOST


def read_all(
    names: Iterable[str],
    task: Task,
    model: Checkpoint,
    dirs: Iterable[Path],
    data_dir: Path | None,
    limit: int = MOST,
) -> tuple[Asked, ...]:
    """Return the probes of runs on a task, in order.

    Raises:
        HarnessError: as `read`; and where a probe asks what is trained, or two have one name.
    """
    dirs = tuple(dirs)
    found = tuple(read(reference, dirs, data_dir, limit) for reference in references(names, model))
    taken = [task.name]
    for probe in found:
        if probe.task.name in taken:
            problem = "the probe is the task itself" if probe.task.name == task.name else "two probes have one name"
            where = f"--probe {probe.reference}, task {task.name}"
            raise HarnessError(problem, where=where, fix="probe with tasks that are not trained on, each once")
        taken.append(probe.task.name)
    return found


def names(spec: RunSpec) -> list[str]:
    """Return the tasks of a spec's probes."""
    return [key.rpartition("@")[0] for key in spec.probes]


def as_run(record: Record, name: str) -> Record:
    """Return what a run's model did on a probe as the record of a run on that task: what reads records reads it too."""
    probe: Probe = record.probes[name]
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
