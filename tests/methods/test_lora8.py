"""Weights frozen in eight bits: what they lose, what they take, and that gradients pass through them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from harness.methods import base, lora8
from harness.model import meter
from tests.support.tiny_models import toy_folder, toy_spec


@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
def test_a_weight_is_off_by_half_a_step_of_its_row_and_takes_a_byte(tmp_path: Path, dtype: str) -> None:
    folder, spec = str(toy_folder(tmp_path)), toy_spec(dtype=dtype)
    plain, packed = base.load(folder, spec), lora8.load(folder, spec)
    exact, layer = plain.model.layers[0].mlp.down_proj.weight.float(), packed.model.layers[0].mlp.down_proj
    step = exact.abs().amax(1, keepdim=True) / 127
    rounded = layer(torch.eye(64, dtype=plain.dtype)).t().float()
    # Packing goes by way of fp16, and bf16 rounds what is unpacked.
    allowed = 0.51 * step + exact.abs() * (2**-10 if dtype == "fp32" else 2**-7)
    assert ((exact - rounded).abs() <= allowed).all()
    assert not torch.equal(exact, rounded)
    assert torch.equal(plain.lm_head.weight, packed.lm_head.weight), "the output layer is not packed"
    linears = [weight for name, weight in plain.named_parameters() if "_proj" in name]
    scales = 4 * sum(len(weight) for weight in linears)
    saved = sum(weight.numel() for weight in linears) * (plain.dtype.itemsize - 1)
    assert meter.weights_bytes(plain) - meter.weights_bytes(packed) == saved - scales


def test_the_gradient_through_a_layer_is_that_of_its_unpacked_weight(tmp_path: Path) -> None:
    layer = lora8.load(str(toy_folder(tmp_path)), toy_spec()).model.layers[0].mlp.down_proj
    inputs, gradient = torch.randn(3, 5, 64, requires_grad=True), torch.randn(3, 5, 32)
    output = layer(inputs)
    output.backward(gradient)
    weight = lora8.unpack(layer, torch.float32)
    torch.testing.assert_close(output, inputs @ weight.t())
    torch.testing.assert_close(inputs.grad, gradient @ weight)
