"""LoRA's dropout: it acts in training and not in evaluation, as PEFT's own layers do, and repeats under checkpointing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from harness.cli import app, next_command
from harness.data import registry
from harness.errors import HarnessError
from harness.methods import lora
from harness.record import RunSpec
from harness.runs import plan
from harness.training import loop
from tests.support.records import make_spec
from tests.support.sample_inputs import toy_options
from tests.support.tiny_models import toy_model, toy_spec

RATE = 0.4
LORA_LIKE = ("lora", "qlora", "lora8", "dora", "pissa", "rslora", "lora-fa", "lora+", "fedlora")
INPUTS = torch.arange(1, 41).reshape(2, 20)


def spec_of(method: str = "lora", **changes: Any) -> RunSpec:
    settings = {"method": method, "rank": 4, "alpha": 8.0, "dropout": RATE}
    return toy_spec(**(settings | changes))


def adapted(spec: RunSpec) -> Any:
    """The toy model with adapters that change it: B is not zero."""
    model = registry.method(spec.method).adapt(toy_model(), spec)
    generator = torch.Generator().manual_seed(3)
    for name, weight in model.named_parameters():
        if ".lora_B." in name:
            weight.data = 0.1 * torch.randn(weight.shape, generator=generator)
    return model


def loss(model: Any, seed: int = 0) -> torch.Tensor:
    torch.manual_seed(seed)
    result: torch.Tensor = model(INPUTS, labels=INPUTS).loss
    return result


def layers(model: Any) -> Iterator[tuple[str, Any]]:
    from peft.tuners.lora import LoraLayer

    yield from ((name, layer) for name, layer in model.named_modules() if isinstance(layer, LoraLayer))


def test_the_flag_reaches_the_specs_of_methods_that_take_dropout_and_the_default_changes_no_id(tmp_path: Path) -> None:
    asked = replace(toy_options(tmp_path), methods=("base", "lora", "bottleneck", "full"), ranks=(4,))
    words = ("--task", "toy", "--lora-dropout", "0.25")
    (usual,), (dropped,) = (plan.make(replace(asked, dropout=p)) for p in (0.0, app.read("run", words).dropout))
    assert [spec.dropout for spec in dropped.specs] == [0.0, 0.25, 0.0, 0.0]
    changed = [old.method for old, new in zip(usual.specs, dropped.specs, strict=True) if old.id != new.id]
    assert changed == ["lora"]
    assert "--lora-dropout" not in next_command.rebuild(usual.specs[1])
    again = app.read("run", next_command.rebuild(dropped.specs[1]))
    assert again.dropout == 0.25
    assert make_spec().id == "0419a3c323"  # as before there was a flag
    assert make_spec(dropout=0.25).id != make_spec().id


@pytest.mark.parametrize("text", ["1", "-0.1", "a lot"])
def test_a_rate_that_is_no_share_below_one_is_refused(text: str) -> None:
    with pytest.raises(HarnessError, match=f"--lora-dropout {text} is not a number from 0 and below 1"):
        app.read("run", ["--task", "toy", f"--lora-dropout={text}"])


def test_dropout_changes_the_loss_in_training_and_not_in_evaluation() -> None:
    with_dropout, without = adapted(spec_of()), adapted(spec_of(dropout=0.0))
    assert not torch.equal(loss(with_dropout.train(), 1), loss(without.train(), 1))
    assert not torch.equal(loss(with_dropout.train(), 1), loss(with_dropout.train(), 2))
    assert torch.equal(loss(with_dropout.train(), 1), loss(with_dropout.train(), 1))
    assert torch.equal(loss(with_dropout.eval(), 1), loss(without.eval(), 2))


@pytest.mark.parametrize("mode", [True, False])
def test_each_layer_gives_what_pefts_own_gives_for_the_same_draws(mode: bool) -> None:
    model = adapted(spec_of()).train(mode)
    for name, layer in layers(model):
        inputs = torch.randn(3, 5, layer.in_features, generator=torch.Generator().manual_seed(5))
        torch.manual_seed(7)
        ours = layer(inputs)
        torch.manual_seed(7)
        torch.testing.assert_close(ours, type(layer).forward(layer, inputs), msg=name)


def test_the_mean_over_draws_is_the_layer_without_dropout_and_the_spread_is_pefts() -> None:
    _, layer = next(layers(adapted(spec_of()).train()))
    inputs = torch.randn(1, layer.in_features, generator=torch.Generator().manual_seed(5)).expand(20_000, -1)
    torch.manual_seed(1)
    ours = layer(inputs)
    torch.manual_seed(2)
    pefts = type(layer).forward(layer, inputs)
    layer.eval()
    change = ours.std(dim=0)
    assert (change > 0).all()
    torch.testing.assert_close(change, pefts.std(dim=0), rtol=0.05, atol=0.0)
    assert ((ours.mean(dim=0) - layer(inputs[:1])[0]).abs() < 5 * change / 20_000**0.5).all()


@pytest.mark.parametrize("name", LORA_LIKE)
def test_every_method_that_takes_dropout_puts_it_into_its_layers(name: str) -> None:
    method = registry.method(name)
    assert method.dropout
    if method.frozen_bits < 16:
        return  # its layers are LoRA's on packed weights
    rates = {module.p for _, layer in layers(adapted(spec_of(name))) for module in layer.lora_dropout.values()}
    assert rates == {RATE}


@pytest.mark.parametrize("name", ["base", "full", "ia3", "prompt", "prefix", "bottleneck"])
def test_other_methods_take_none(name: str) -> None:
    assert not registry.method(name).dropout


def test_activations_that_are_computed_twice_draw_the_same_dropout() -> None:
    gradients = []
    for checkpointing in (False, True):
        spec = spec_of(checkpointing=checkpointing)
        model = adapted(spec)
        loop.make_ready(model, spec)
        loss(model, 11).backward()  # type: ignore[no-untyped-call]
        gradients.append({name: weight.grad for name, weight in model.named_parameters() if weight.grad is not None})
    assert gradients[0].keys() == gradients[1].keys() != set()
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], gradient, msg=name)


def test_without_dropout_the_fused_product_computes_training_too(monkeypatch: pytest.MonkeyPatch) -> None:
    from harness.methods.parts import lora_kernel

    calls: list[object] = []
    product = lora_kernel.product

    def counted(*operands: Any) -> torch.Tensor:
        calls.append(operands)
        return product(*operands)

    monkeypatch.setattr(lora_kernel, "product", counted)
    for dropout, mode, fused in ((0.0, True, True), (RATE, True, False), (RATE, False, True)):
        calls.clear()
        loss(adapted(spec_of(dropout=dropout)).train(mode))
        assert bool(calls) == fused
    assert lora.METHOD.dropout
