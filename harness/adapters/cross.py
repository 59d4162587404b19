"""Adapters scored on tasks that they were not trained on: trained on i, scored on j, as a run would be tested."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness import environment
from harness.data import registry
from harness.data.loading import Splits
from harness.format import NONE, Table, interval, number, trained_on
from harness.metrics.scoring import parse_rate, score_answers
from harness.model import checkpoint
from harness.record import Answer, RunSpec, Score
from harness.schema import Task

BASE = "base"


@dataclass(frozen=True)
class Tuned:
    """An adapter to be scored: what it is called, its folder, the specs of the runs that it is made of, and whether it
    is one run's own (then loaded by that run's method) or merged of several."""

    name: str
    folder: Path
    specs: tuple[RunSpec, ...]
    own: bool

    @property
    def spec(self) -> RunSpec:
        """The first run's spec, which gives base model, window and precision."""
        return self.specs[0]


@dataclass(frozen=True)
class Scored:
    """One adapter on one task: its scores, the share of answers that could be read, and every answer."""

    adapter: str
    trained_on: tuple[str, ...]
    runs: tuple[str, ...]
    task: str
    task_version: int
    data: str
    scores: Mapping[str, Score]
    parse_rate: float
    answers: tuple[Answer, ...]


def base_folder(tuned: Sequence[Tuned], model: str | None, *, remote_code: bool = False) -> Path:
    """Return the folder of the base model of these adapters; errors as `checkpoint.of_runs`."""
    specs = [spec for one in tuned for spec in one.specs]
    here = checkpoint.base_of_runs(
        specs,
        model,
        remote_code=remote_code,
        describe=lambda spec: f"the adapter of {spec.id} was made for {spec.model_revision}",
    )
    return here.folder


def load(one: Tuned, folder: Path, device: Any) -> tuple[Any, RunSpec]:
    """Return the base model with the adapter on it, and the spec that it is tested by."""
    from peft import PeftModel

    from harness.adapters.library import method_of
    from harness.methods import lora

    spec = replace(one.spec, device=device)
    method = method_of(spec, one.folder) if one.own else registry.method("lora")  # what is merged is LoRA again
    model = method.load(str(folder), spec)
    if method.restore:
        return method.restore(model, one.folder), spec
    model = PeftModel.from_pretrained(model, str(one.folder), autocast_adapter_dtype=True)
    as_in_its_run = one.own and method.name in registry.methods()  # one given as a PEFT config runs as PEFT has it
    return (lora.fuse(model, spec) if as_in_its_run else model), spec


def score(one: Tuned, folder: Path, tasks: Sequence[tuple[Task, Splits, str]]) -> list[Scored]:
    """Answer the test split of every task with one adapter.

    Args:
        one: the adapter.
        folder: of its base model.
        tasks: each with its examples and their fingerprint.
    """
    from harness.model import answer, loading

    model, spec = load(one, folder, "cuda" if environment.cuda_present() else "cpu")
    tokenizer = loading.load_tokenizer(folder, remote_code=spec.remote_code)
    found = []
    for task, splits, data in tasks:
        asked = replace(spec, task=task.name, scoring=task.scoring, max_new_tokens=task.max_new_tokens)
        answers = tuple(answer.answer(model, tokenizer, splits.test, task, asked))
        found.append(_scored(one.name, one.specs, task, data, answers))
    return found


def score_base(one: Tuned, folder: Path, tasks: Sequence[tuple[Task, Splits, str]]) -> list[Scored]:
    """Answer the same questions with the base model, as the adapters' precision and window have it."""
    from harness.model import answer, loading

    spec = replace(one.spec, method=BASE, device="cuda" if environment.cuda_present() else "cpu")
    model = registry.method(BASE).load(str(folder), spec)
    tokenizer = loading.load_tokenizer(folder, remote_code=spec.remote_code)
    found = []
    for task, splits, data in tasks:
        asked = replace(spec, task=task.name, scoring=task.scoring, max_new_tokens=task.max_new_tokens)
        answers = tuple(answer.answer(model, tokenizer, splits.test, task, asked))
        found.append(_scored(BASE, (), task, data, answers))
    return found


def _scored(name: str, specs: Sequence[RunSpec], task: Task, data: str, answers: tuple[Answer, ...]) -> Scored:
    return Scored(
        adapter=name,
        trained_on=tuple(map(trained_on, specs)),
        runs=tuple(spec.id for spec in specs),
        task=task.name,
        task_version=task.version,
        data=data,
        scores=score_answers(answers, task.metrics),
        parse_rate=parse_rate(answers),
        answers=answers,
    )


def matrix(found: Sequence[Scored]) -> Table:
    """Return the table of adapters by tasks, each with its headline score and interval."""
    tasks = list(dict.fromkeys(one.task for one in found))
    cells = {(one.adapter, one.task): next(iter(one.scores.values()), None) for one in found}
    trained = {one.adapter: ", ".join(one.trained_on) for one in found}
    rows = [(name, trained[name] or NONE, *(_cell(cells.get((name, task))) for task in tasks)) for name in trained]
    return Table("trained on the row's task, scored on the column's", ("adapter", "trained on", *tasks), tuple(rows))


def _cell(one: Score | None) -> str:
    return f"{number(one.value, one.unit)} {interval(one.low, one.high, one.unit)}".strip() if one else NONE
