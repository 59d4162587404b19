"""Toy models adapted and trained by a method, and what they answer: for the tests of methods."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from harness.data import registry
from harness.model import answer as evaluate
from harness.model import tokenize
from harness.record import Answer, RunSpec, Scoring
from harness.schema import Method
from harness.training import loop
from tests.support.tiny_models import toy_examples, toy_spec, toy_task, toy_tokenizer

RANK = 4


@dataclass(frozen=True)
class Run:
    """A toy model after three steps, with its weights before them."""

    method: Method
    spec: RunSpec
    model: Any
    before: dict[str, torch.Tensor]
    rows: list[tokenize.Pair]
    result: loop.FitResult


def adapted(method: Method, folder: Path, **changes: Any) -> tuple[Any, RunSpec]:
    rank = RANK if method.ranked else 0
    spec = toy_spec(method=method.name, rank=rank, alpha=32.0 if rank else 0.0, **changes)
    return method.adapt(method.load(str(folder), spec), spec), spec


def values(model: Any) -> dict[str, torch.Tensor]:
    return {name: weight.detach().clone() for name, weight in model.named_parameters()}


def trained(method: Method, folder: Path, **changes: Any) -> Run:
    model, spec = adapted(method, folder, learning_rate=method.learning_rate(32), **changes)
    before = values(model)
    rows = tokenize.encode_train(toy_tokenizer(), toy_examples(24), toy_task(), spec.max_tokens, 0)
    result = loop.fit(model, toy_tokenizer(), rows, spec, rate_factor=method.rate_factor, make=method.optimizer)
    return Run(method, spec, model, before, rows, result)


def answers(model: Any, spec: RunSpec, scoring: Scoring, count: int = 6) -> list[Answer]:
    spec = replace(spec, scoring=scoring, max_new_tokens=4)
    return evaluate.answer(model, toy_tokenizer(), toy_examples(count), toy_task(scoring), spec)


def assert_alike(first: list[Answer], second: list[Answer], tolerance: float = 2e-3) -> None:
    assert [answer.text for answer in first] == [answer.text for answer in second]
    for a, b in zip(first, second, strict=True):
        assert a.loglik == pytest.approx(b.loglik, abs=tolerance)


def config_file(folder: Path, **settings: Any) -> Path:
    path = folder / "adapter_config.json"
    path.write_text(json.dumps(settings))
    return path


def hollow(folder: Path, where: Path) -> Path:
    """Write the model of a folder with a quarter of the rows of every linear layer all zero, and return where."""
    model: Any = registry.method("full").load(str(folder), toy_spec())
    for layer in model.model.layers.modules():
        if isinstance(layer, torch.nn.Linear):
            layer.weight.data[: layer.out_features // 4] = 0
    model.save_pretrained(where)
    toy_tokenizer().save_pretrained(where)
    return where
