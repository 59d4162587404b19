"""Full fine-tuning wholly in bf16: half the bytes of `full`, and the plain recipe with its loss of small updates."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from harness.cli.commands import plan
from harness.data import registry
from harness.training import loop
from tests.support.records import make_spec
from tests.support.tiny_models import toy_folder
from tests.support.trained_models import trained


def test_a_weight_takes_8_bytes_where_full_takes_16(tmp_path: Path) -> None:
    folder = toy_folder(tmp_path)
    half, whole = (trained(registry.method(name), folder, dtype="bf16").result.parts for name in ("full-bf16", "full"))
    assert half is not None
    assert whole is not None
    weights = whole.trained_weights // 4
    assert (half.trained_weights, half.frozen_weights) == (2 * weights, whole.frozen_weights)
    assert half.optimizer_state == pytest.approx(4 * weights, rel=0.01)  # and a count of steps for each tensor
    assert whole.optimizer_state == pytest.approx(8 * weights, rel=0.01)


def test_it_is_torchs_adamw_on_bf16_weights_and_an_update_below_half_a_step_is_lost() -> None:
    method = registry.method("full-bf16")
    weight = torch.nn.Parameter(torch.ones(8, dtype=torch.bfloat16))
    model = torch.nn.ParameterList([weight])
    optimizer = loop.make_optimizer(model, make_spec(weight_decay=0.0), make=method.optimizer)
    for rate, value in ((1e-3, 1.0), (1e-2, 0.98828125)):  # neighbours of 1 in bf16 are 1/256 below and 1/128 above
        weight.grad = torch.ones_like(weight)
        optimizer.param_groups[0]["lr"] = rate
        optimizer.step()
        assert weight[0].item() == value


def test_in_fp32_it_is_full(tmp_path: Path) -> None:
    folder = toy_folder(tmp_path)
    half, whole = (trained(registry.method(name), folder, dtype="fp32").result for name in ("full-bf16", "full"))
    assert (half.losses, half.peak_bytes) == (whole.losses, whole.peak_bytes)


def test_the_plan_for_a_card_shows_both_recipes_once() -> None:
    full, lora = make_spec(method="full", rank=0), make_spec()
    shown = plan.with_both_recipes((lora, full))
    assert [spec.method for spec in shown] == ["lora", "full", "full-bf16"]
    assert plan.with_both_recipes(shown) == shown
