"""Scores adapters on other tasks than their own: trained on i, scored on j, by the procedure of a run's test."""

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
class TrainedAdapter:
    """An adapter to be scored: its name, its folder and the specs of the runs that it comes from.

    `single` tells whether it comes from one run; then that run's method loads it. A merged adapter comes from several.
    """

    name: str
    folder: Path
    specs: tuple[RunSpec, ...]
    single: bool

    @property
    def spec(self) -> RunSpec:
        """The first run's spec; it gives base model, window and precision."""
        return self.specs[0]


@dataclass(frozen=True)
class AdapterScores:
    """One adapter on one task: its scores, the share of readable answers, and every answer."""

    adapter: str
    trained_on: tuple[str, ...]
    runs: tuple[str, ...]
    task: str
    task_version: int
    data: str
    scores: Mapping[str, Score]
    parse_rate: float
    answers: tuple[Answer, ...]


def base_folder(adapters: Sequence[TrainedAdapter], model: str | None, *, remote_code: bool = False) -> Path:
    """Return the folder of the base model of these adapters; errors as `checkpoint.base_of_runs`."""
    specs = [spec for adapter in adapters for spec in adapter.specs]
    base = checkpoint.base_of_runs(
        specs,
        model,
        remote_code=remote_code,
        describe=lambda spec: f"the adapter of {spec.id} was made for {spec.model_revision}",
    )
    return base.folder


def load(adapter: TrainedAdapter, folder: Path, device: Any) -> tuple[Any, RunSpec]:
    """Return the base model with the adapter on it, and the spec of its test."""
    from peft import PeftModel

    from harness.adapters.library import method_of
    from harness.methods import lora

    spec = replace(adapter.spec, device=device)
    method = method_of(spec, adapter.folder) if adapter.single else registry.method("lora")  # a merged one is LoRA
    model = method.load(str(folder), spec)
    if method.restore:
        return method.restore(model, adapter.folder), spec
    model = PeftModel.from_pretrained(model, str(adapter.folder), autocast_adapter_dtype=True)
    is_fused = (
        adapter.single and method.name in registry.methods()
    )  # a PEFT config without a method runs in PEFT's code
    return (lora.fuse(model, spec) if is_fused else model), spec


def score(adapter: TrainedAdapter, folder: Path, tasks: Sequence[tuple[Task, Splits, str]]) -> list[AdapterScores]:
    """Return the scores of one adapter on the test split of every task.

    Args:
        adapter: the adapter.
        folder: the folder of its base model.
        tasks: each with its examples and their fingerprint.
    """
    from harness.model import answer, loading

    model, spec = load(adapter, folder, "cuda" if environment.cuda_present() else "cpu")
    tokenizer = loading.tokenizer_of(folder, spec)
    rows = []
    for task, splits, data in tasks:
        test_spec = replace(spec, task=task.name, scoring=task.scoring, max_new_tokens=task.max_new_tokens)
        answers = tuple(answer.answer(model, tokenizer, splits.test, task, test_spec))
        rows.append(_adapter_scores(adapter.name, adapter.specs, task, data, answers))
    return rows


def score_base(adapter: TrainedAdapter, folder: Path, tasks: Sequence[tuple[Task, Splits, str]]) -> list[AdapterScores]:
    """Return the scores of the base model on the same questions, in the precision and window of an adapter."""
    from harness.model import answer, loading

    spec = replace(adapter.spec, method=BASE, device="cuda" if environment.cuda_present() else "cpu")
    model = registry.method(BASE).load(str(folder), spec)
    tokenizer = loading.tokenizer_of(folder, spec)
    rows = []
    for task, splits, data in tasks:
        test_spec = replace(spec, task=task.name, scoring=task.scoring, max_new_tokens=task.max_new_tokens)
        answers = tuple(answer.answer(model, tokenizer, splits.test, task, test_spec))
        rows.append(_adapter_scores(BASE, (), task, data, answers))
    return rows


def _adapter_scores(
    name: str, specs: Sequence[RunSpec], task: Task, data: str, answers: tuple[Answer, ...]
) -> AdapterScores:
    return AdapterScores(
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


def score_table(rows: Sequence[AdapterScores]) -> Table:
    """Return the table of adapters by tasks; a cell has the headline score and its interval."""
    tasks = list(dict.fromkeys(row.task for row in rows))
    cells = {(row.adapter, row.task): next(iter(row.scores.values()), None) for row in rows}
    trained = {row.adapter: ", ".join(row.trained_on) for row in rows}
    lines = [(name, trained[name] or NONE, *(_cell(cells.get((name, task))) for task in tasks)) for name in trained]
    return Table("trained on the row's task, scored on the column's", ("adapter", "trained on", *tasks), tuple(lines))


def _cell(score: Score | None) -> str:
    return f"{number(score.value, score.unit)} {interval(score.low, score.high, score.unit)}".strip() if score else NONE
