"""The weights of the lowest validation loss: measured without a trace in the training, chosen at its end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from harness.methods import full, lora
from harness.model.tokenize import Pair, encode_train
from harness.schedule import validation_steps
from harness.training import loop, selection
from harness.training.selection import Selector
from tests.support.tiny_models import toy_examples, toy_folder, toy_model, toy_spec, toy_task, toy_tokenizer
from tests.training.test_loop import slow_loss

STEPS, COUNT = 6, 3


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy_folder(tmp_path_factory.mktemp("toy"))


@pytest.fixture(scope="module")
def pairs() -> list[Pair]:
    return encode_train(toy_tokenizer(), toy_examples(24), toy_task(), 256, 0)


def spec_of(**changes: Any) -> Any:
    return toy_spec(**({"epochs": 2.0, "batch_size": 8, "micro_batch": 4, "validations": COUNT} | changes))


def trained(folder: Path, pairs: list[Pair], spec: Any, **options: Any) -> tuple[dict[str, torch.Tensor], Any]:
    method = lora if spec.rank else full
    model = method.METHOD.adapt(method.METHOD.load(str(folder), spec), spec)
    fit = loop.fit(model, toy_tokenizer(), pairs, spec, **options)
    return {name: weight.clone() for name, weight in selection.trained(model).items()}, fit


def test_the_steps_are_evenly_spaced_and_the_last_is_among_them() -> None:
    assert validation_steps(100, 10) == tuple(range(10, 101, 10))
    assert validation_steps(6, 3) == (2, 4, 6)
    assert validation_steps(2, 10) == (1, 2)
    assert validation_steps(1, 10) == (1,)


def test_the_loss_is_that_of_the_slow_obvious_way(pairs: list[Pair]) -> None:
    model = toy_model()
    nats = slow_loss(model, pairs).item()
    assert selection.loss(model, pairs, spec_of(), padding=7) == pytest.approx(nats, rel=1e-5)
    assert model.training


@pytest.mark.parametrize("dropout", [0.0, 0.2])
def test_the_model_ends_with_the_weights_of_the_lowest_loss_and_trains_as_without(
    folder: Path, pairs: list[Pair], monkeypatch: pytest.MonkeyPatch, dropout: float
) -> None:
    spec = spec_of(rank=4, alpha=32.0, method="lora", dropout=dropout)
    asked: list[int] = []

    def falls_and_rises(*_: Any) -> float:
        asked.append(1)
        return (3.0, 1.0, 2.0)[len(asked) - 1]

    _, plain = trained(folder, pairs, spec)
    until_four, _ = trained(folder, pairs, spec, steps=range(4))
    monkeypatch.setattr(selection, "loss", falls_and_rises)
    selector = Selector(pairs, spec)
    chosen, fit = trained(folder, pairs, spec, selector=selector)
    result = selector.result()
    assert (result.steps, result.losses, result.best, result.examples) == ((2, 4, 6), (3.0, 1.0, 2.0), 4, len(pairs))
    assert fit.losses == plain.losses
    assert all(torch.equal(weight, until_four[name]) for name, weight in chosen.items())


def test_measuring_takes_no_random_number_of_dropout(folder: Path, pairs: list[Pair]) -> None:
    spec = spec_of(rank=4, alpha=32.0, method="lora", dropout=0.2)
    _, plain = trained(folder, pairs, spec)
    selector = Selector(pairs[:5], spec)
    _, measured = trained(folder, pairs, spec, selector=selector)
    assert measured.losses == plain.losses
    assert measured.peak_bytes == plain.peak_bytes
    assert len(selector.losses) == COUNT


def test_of_equal_losses_the_first_is_chosen_and_a_loss_that_is_no_number_never(
    folder: Path, pairs: list[Pair], monkeypatch: pytest.MonkeyPatch
) -> None:
    for losses, best in (((2.0, 2.0, 2.0), 2), ((float("nan"), 3.0, 2.0), 6)):
        values = iter(losses)
        monkeypatch.setattr(selection, "loss", lambda *_, values=values: next(values))
        selector = Selector(pairs, spec_of())
        trained(folder, pairs, spec_of(), selector=selector)
        assert selector.result().best == best
