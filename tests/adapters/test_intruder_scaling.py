"""Intruder directions scaled: exactly they are changed, in a weight and in the model that holds it; the control's too."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.adapters.intruders import scaling, spectrum, weights
from harness.adapters.intruders.spectrum import BaseVectors
from harness.adapters.intruders.weights import Change
from harness.data import registry
from tests.adapters.test_intruder_spectrum import base_weight, rank_one
from tests.support.tiny_models import toy_folder, toy_model, toy_spec


def planted(size: float = 10.0, seed: int = 1) -> tuple[torch.Tensor, Change]:
    """A direction that the base weight has neither on its left nor on its right, and the change that brought it."""
    left, values, right = torch.linalg.svd(base_weight(), full_matrices=True)  # 48 outputs, 32 inputs
    values[24:] *= 1e-9  # not 0, where its vectors would be arbitrary
    chance = torch.Generator().manual_seed(seed)
    out = left[:, 32:] @ torch.randn(16, generator=chance, dtype=torch.float64)
    into = torch.randn(8, generator=chance, dtype=torch.float64) @ right[24:]
    new, base = torch.outer(out / out.norm(), into / into.norm()), (left[:, :32] * values) @ right
    return new, Change("model.layers.0.self_attn.q_proj", base, base + size * new)


# --- which directions


@given(seed=st.integers(0, 500), size=st.floats(2.5, 30.0), factor=st.floats(0.0, 2.0))
@settings(max_examples=25, deadline=None)
def test_the_planted_direction_is_what_is_scaled_and_nothing_else(seed: int, size: float, factor: float) -> None:
    new, change = planted(size, seed)
    own, other = scaling.intruders_and_control(change, BaseVectors(keep=False))
    assert own.count == other.count == 1
    torch.testing.assert_close(
        change.after + own.change(factor), change.before + factor * size * new, rtol=0, atol=1e-7
    )
    torch.testing.assert_close(
        change.after + own.change(factor), spectrum.scaled(change, BaseVectors(keep=False), factor), rtol=0, atol=1e-8
    )
    assert float(other.values[0]) == pytest.approx(2.0), "the largest of the base"


def test_a_factor_of_0_takes_the_planted_direction_out_and_gives_the_base_back() -> None:
    _, change = planted()
    own, _ = scaling.intruders_and_control(change, BaseVectors(keep=False))
    left = change.after + own.change(0.0)
    torch.testing.assert_close(left, change.before, rtol=0, atol=1e-7)
    assert spectrum.weight_spectrum(replace(change, after=left), BaseVectors(keep=False)).intruders(0.5) == 0


def test_the_control_are_the_largest_directions_that_are_no_intruders() -> None:
    base = base_weight()
    news = sum((9.0 + part) * rank_one(seed=10 + part) for part in range(3))
    change = Change("q", base, base + news)
    own, other = scaling.intruders_and_control(change, BaseVectors(keep=False), top=3)
    values = torch.linalg.svdvals(change.after)
    torch.testing.assert_close(own.values, values[:3])
    torch.testing.assert_close(other.values, values[3:6], msg="beyond the top 3, where all are intruders")
    assert 0 < scaling.norm_share([other]) < scaling.norm_share([own]) < 1


def test_the_control_is_short_where_nothing_but_intruders_is_left() -> None:
    base = base_weight(6, 6)
    own, other = scaling.intruders_and_control(Change("q", base, base), BaseVectors(keep=False), epsilon=1.1, top=4)
    assert (own.count, other.count) == (4, 0)


# --- in a model


def test_a_layer_answers_as_if_its_weight_were_scaled_for_as_long_as_it_is() -> None:
    model = toy_model()
    name = "model.layers.1.mlp.up_proj"
    layer = model.get_submodule(name)
    before = layer.weight.detach().double()
    change = Change(name, before, before + 8 * rank_one(*before.shape))
    with torch.no_grad():
        layer.weight.copy_(change.after)
    own, _ = scaling.intruders_and_control(change, BaseVectors(keep=False))
    assert own.count == 1
    unit = torch.eye(before.shape[1])
    whole = layer(unit)
    for factor in (0.0, 0.5, 2.0):
        with scaling.scaled(model, [own], factor), torch.no_grad():
            torch.testing.assert_close(layer(unit).T.double(), change.after + own.change(factor), atol=1e-5, rtol=1e-5)
    with scaling.scaled(model, [own], 1.0):
        assert torch.equal(layer(unit), whole), "not even rounding"
    assert torch.equal(layer(unit), whole)


@pytest.mark.parametrize("name", ["lora", "qlora", "dora"])
def test_adapters_are_scaled_with_their_base_weight(name: str, tmp_path: Path) -> None:
    folder, method = toy_folder(tmp_path / "toy"), registry.method(name)
    spec = toy_spec(method=name, rank=4, alpha=32.0)
    model = method.adapt(method.load(str(folder), spec), spec)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.requires_grad:
                weight.add_(0.3 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(0)))
    model.save_pretrained(tmp_path / "adapter", save_embedding_layers=False)
    change = next(iter(weights.adapter_changes(folder, spec, tmp_path / "adapter")))
    own, _ = scaling.intruders_and_control(change, BaseVectors(keep=False), epsilon=0.95)
    assert own.count
    layer = model.get_base_model().get_submodule(change.name)
    with scaling.scaled(model, [own], 0.0), torch.no_grad():
        answers = layer(torch.eye(change.before.shape[1])).T.double()
    torch.testing.assert_close(answers, change.after + own.change(0.0), atol=1e-4, rtol=1e-3)
