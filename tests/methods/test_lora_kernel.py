"""The fused product of a frozen layer and its adapter against the same written out operation by operation."""

from __future__ import annotations

import itertools

import pytest
import torch

from harness.methods.parts import lora_kernel

SCALE = 3.5


def operands(dtype: torch.dtype) -> tuple[torch.Tensor, ...]:
    """Return inputs [2, 7, 24], weight [40, 24], bias [40], A [4, 24], B [40, 4] and a gradient [2, 7, 40]."""
    generator = torch.Generator().manual_seed(1)
    shapes = ((2, 7, 24), (40, 24), (40,), (4, 24), (40, 4), (2, 7, 40))
    made = [torch.randn(shape, generator=generator) for shape in shapes]
    return (*(one.to(dtype) for one in made[:3]), *made[3:5], made[5].to(dtype))


@pytest.mark.parametrize(("dtype", "most"), [(torch.float32, 1e-6), (torch.bfloat16, 2e-2)])
@pytest.mark.parametrize(("with_bias", "from_inputs"), itertools.product((True, False), repeat=2))
def test_output_and_gradients_are_those_of_the_sum_written_out(
    dtype: torch.dtype, most: float, with_bias: bool, from_inputs: bool
) -> None:
    inputs, weight, bias, low, high, gradient = operands(dtype)
    trained = [low.requires_grad_(), high.requires_grad_(), *([inputs.requires_grad_()] if from_inputs else [])]
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=dtype == torch.bfloat16):
        output = lora_kernel.product(inputs, lambda: weight, bias if with_bias else None, low, high, SCALE)
    assert output.dtype == dtype
    found = torch.autograd.grad(output, trained, gradient)
    wide = [tensor.double() for tensor in (inputs, weight, low, high)]
    plain = wide[0] @ wide[1].t() + SCALE * (wide[0] @ wide[2].t() @ wide[3].t()) + (bias.double() if with_bias else 0)
    expected = torch.autograd.grad(plain, trained, gradient.double())
    for one, other in zip((output, *found), (plain, *expected), strict=True):
        assert (one.double() - other).norm() < most * other.norm()
    assert [one.dtype for one in found] == [tensor.dtype for tensor in trained]


def test_an_adapter_half_of_which_is_frozen_gets_the_gradient_of_the_other_half() -> None:
    inputs, weight, _, low, high, gradient = operands(torch.float32)
    high.requires_grad_()
    output = lora_kernel.product(inputs, lambda: weight, None, low, high, SCALE)
    output.backward(gradient)  # type: ignore[no-untyped-call]
    assert low.grad is None
    assert high.grad is not None
    inner = (inputs @ low.t()).flatten(0, -2)
    torch.testing.assert_close(high.grad, SCALE * gradient.flatten(0, -2).t() @ inner)


def test_a_packed_weight_is_unpacked_once_for_each_pass_and_not_kept() -> None:
    inputs, weight, _, low, high, gradient = operands(torch.float32)
    asked: list[int] = []

    def unpacked() -> torch.Tensor:
        asked.append(1)
        return weight.clone()

    kept: list[torch.Tensor] = []

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept.append(tensor)
        return tensor

    trained = (inputs.requires_grad_(), low.requires_grad_(), high.requires_grad_())
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        output = lora_kernel.product(inputs, unpacked, None, low, high, SCALE)
    assert len(asked) == 1
    assert all(tensor.shape != weight.shape for tensor in kept)
    torch.autograd.grad(output, trained, gradient)
    assert len(asked) == 2
