"""The methods: what trains, in which precision, and that our shortcuts compute what the libraries compute."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
import torch

from harness.data import registry
from harness.methods import base, dora, full, lora, qlora, rslora
from harness.model import loading, meter
from harness.record import RunSpec
from harness.schema import Method
from tests.support.tiny_models import toy_folder, toy_model, toy_spec

METHODS = (base.METHOD, lora.METHOD, qlora.METHOD, dora.METHOD, full.METHOD)
ADAPTERS = (lora.METHOD, qlora.METHOD, dora.METHOD)


def named(method: Method) -> str:
    return method.name


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy_folder(tmp_path_factory.mktemp("toy"))


def adapted(method: Method, folder: Path, **changes: Any) -> tuple[Any, RunSpec]:
    spec = toy_spec(method=method.name, rank=4 if method.ranked else 0, alpha=32.0, **changes)
    return method.adapt(method.load(str(folder), spec), spec), spec


def logits(model: Any, spec: RunSpec) -> torch.Tensor:
    with torch.no_grad(), loading.precision(spec):
        found: torch.Tensor = model.eval()(torch.arange(40).view(2, 20)).logits
    return found.float()


@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
@pytest.mark.parametrize("method", METHODS, ids=named)
def test_what_trains_is_fp32_and_what_is_frozen_follows_the_spec(method: Method, folder: Path, dtype: str) -> None:
    model, spec = adapted(method, folder, dtype=dtype)
    trained = {weight.dtype for weight in model.parameters() if weight.requires_grad}
    frozen = {weight.dtype for weight in model.parameters() if not weight.requires_grad}
    stored = torch.bfloat16 if dtype == "bf16" else torch.float32
    assert trained == ({torch.float32} if method.trains else set())
    assert frozen == {"base": {stored}, "full": set(), "qlora": {stored, torch.uint8}}.get(method.name, {stored})
    with loading.precision(spec):
        assert model(torch.arange(5)[None]).logits.dtype == stored


@pytest.mark.parametrize("method", ADAPTERS, ids=named)
def test_adapters_sit_on_every_linear_layer_but_the_output(method: Method, folder: Path) -> None:
    model, _ = adapted(method, folder)
    trained = [name for name, weight in model.named_parameters() if weight.requires_grad]
    assert sum("lora_A" in name for name in trained) == 14
    assert all("lora_" in name for name in trained)
    assert not any("lm_head" in name or "embed" in name for name in trained)


def test_full_fine_tuning_trains_every_weight(folder: Path) -> None:
    model, _ = adapted(full.METHOD, folder)
    assert meter.trained_weights(model) == loading.shape(str(folder)).weights


def test_the_base_row_trains_nothing(folder: Path) -> None:
    model, _ = adapted(base.METHOD, folder)
    assert meter.trained_weights(model) == 0


@pytest.mark.parametrize("method", [lora.METHOD, dora.METHOD], ids=named)
def test_an_untrained_adapter_changes_no_output(method: Method, folder: Path) -> None:
    torch.testing.assert_close(
        logits(*adapted(method, folder)), logits(*adapted(base.METHOD, folder)), rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
@pytest.mark.parametrize("width", [32, 64, 80, 160])
def test_a_layer_in_four_bits_is_off_by_no_more_than_nf4_is(tmp_path: Path, width: int, dtype: str) -> None:
    # 9 % of a normal weight is what 16 levels in blocks of 64 cost; widths that are no whole number of blocks too.
    folder, spec = toy_folder(tmp_path, hidden_size=width, num_hidden_layers=1), toy_spec(dtype=dtype)
    plain, packed = base.METHOD.load(str(folder), spec), qlora.METHOD.load(str(folder), spec)
    inputs = torch.eye(width, dtype=plain.dtype)
    for name in ("gate_proj", "up_proj"):
        exact = getattr(plain.model.layers[0].mlp, name)(inputs).float()
        rounded = getattr(packed.model.layers[0].mlp, name)(inputs).float()
        assert 0.08 < (exact - rounded).norm() / exact.norm() < 0.105
    assert torch.equal(plain.lm_head.weight, packed.lm_head.weight), "the output layer is not packed"


def test_the_gradient_through_a_four_bit_layer_is_that_of_its_unpacked_weight(tmp_path: Path) -> None:
    layer = qlora.METHOD.load(str(toy_folder(tmp_path)), toy_spec()).model.layers[0].mlp.down_proj
    inputs, gradient = torch.randn(3, 5, 64, requires_grad=True), torch.randn(3, 5, 32)
    output = layer(inputs)
    output.backward(gradient)
    torch.testing.assert_close(output, inputs @ qlora.unpack(layer).t())
    torch.testing.assert_close(inputs.grad, gradient @ qlora.unpack(layer))


@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
@pytest.mark.parametrize("method", [lora.METHOD, qlora.METHOD], ids=named)
def test_the_adapted_layer_computes_what_pefts_own_does(method: Method, folder: Path, dtype: str) -> None:
    found = []
    for own in (True, False):
        model, spec = adapted(method, folder, dtype=dtype)
        generator = torch.Generator().manual_seed(1)
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                weight.data = torch.randn(weight.shape, generator=generator) * 0.02
        layers = [layer for layer in model.modules() if "forward" in vars(layer) and hasattr(layer, "lora_A")]
        assert len(layers) == 14
        if not own:
            for layer in layers:
                del layer.forward
        ids = torch.arange(40).view(2, 20)
        with loading.precision(spec):
            output = model(ids).logits.float()
        output.square().mean().backward()
        found.append((output.detach(), [w.grad for w in model.parameters() if w.requires_grad]))
    (ours, gradients), (pefts, theirs) = found
    tolerance = 1e-4 if dtype == "fp32" else 0.05
    assert (ours - pefts).norm() <= tolerance * pefts.norm()
    for a, b in zip(gradients, theirs, strict=True):
        assert (a - b).norm() <= tolerance * b.norm() + 1e-6


def test_no_fp32_copy_of_an_input_is_kept_for_the_backward_pass(folder: Path) -> None:
    model, spec = adapted(lora.METHOD, folder, dtype="bf16")
    kept: list[torch.Tensor] = []

    def note(tensor: torch.Tensor) -> torch.Tensor:
        kept.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor), loading.precision(spec):
        model.model.model.layers[1].mlp(torch.randn(2, 20, 32, dtype=torch.bfloat16, requires_grad=True))
    assert kept
    assert not [tensor for tensor in kept if tensor.dtype == torch.float32 and tensor.numel() >= 2 * 20 * 32]


def test_the_adapters_start_depends_on_the_seed_alone(folder: Path) -> None:
    def start(**changes: Any) -> torch.Tensor:
        torch.rand(7)  # what the process drew before must not matter
        model, _ = adapted(lora.METHOD, folder, **changes)
        found: torch.Tensor = next(weight for name, weight in model.named_parameters() if "lora_A" in name)
        return found

    assert torch.equal(start(seed=0), start(seed=0, learning_rate=1.0))
    torch.testing.assert_close(start(seed=0), start(seed=0, dtype="bf16"), rtol=2**-8, atol=0)
    assert not torch.equal(start(seed=0), start(seed=1))


def test_an_adapter_saved_and_loaded_by_peft_gives_the_same_model(folder: Path, tmp_path: Path) -> None:
    from peft import PeftModel

    model, spec = adapted(lora.METHOD, folder)
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            weight.data.normal_(0, 0.05)
    model.save_pretrained(tmp_path / "adapter", save_embedding_layers=False)
    again = PeftModel.from_pretrained(base.METHOD.load(str(folder), spec), tmp_path / "adapter")
    torch.testing.assert_close(logits(again, spec), logits(model, spec), rtol=1e-4, atol=1e-4)


def test_four_bit_layers_compute_the_same_in_training_and_in_testing(folder: Path) -> None:
    model, spec = adapted(qlora.METHOD, folder, dtype="bf16")
    with loading.precision(spec):
        trained = model.train()(torch.arange(40).view(2, 20)).logits.float()
    assert torch.equal(trained.detach(), logits(model, spec))


def test_learning_rates_fall_with_width_from_what_suits_tiny_to_what_is_usual_at_8_b() -> None:
    for method, narrow, wide in ((full.METHOD, 1.3e-3, 2e-5), (lora.METHOD, 1e-3, 2e-4)):
        rates = [method.learning_rate(hidden) for hidden in (224, 768, 2048, 4096)]
        assert method.learning_rate(64) == method.learning_rate(224)
        assert rates == sorted(rates, reverse=True)
        assert rates[0] == pytest.approx(narrow)
        assert rates[-1] == pytest.approx(wide)
    assert qlora.METHOD.learning_rate is lora.METHOD.learning_rate


@pytest.mark.parametrize("hidden", [512, 576, 960, 2048, 4096, 8192, 16384])
def test_full_fine_tuning_has_a_tenth_of_loras_rate_in_usual_models(hidden: int) -> None:
    assert full.METHOD.learning_rate(hidden) == pytest.approx(lora.METHOD.learning_rate(hidden) / 10)


@pytest.mark.parametrize("method", [lora.METHOD, rslora.METHOD, full.METHOD], ids=named)
@pytest.mark.parametrize("rank", [1, 2, 8, 32, 256])
def test_neither_rate_nor_alpha_times_rate_jumps_between_neighbouring_widths(method: Method, rank: int) -> None:
    rates = [method.learning_rate(hidden) for hidden in range(64, 16385)]
    strengths = [
        rate * (method.alpha(rank, hidden) if method.alpha else 1.0) for hidden, rate in enumerate(rates, start=64)
    ]
    for values in (rates, strengths):
        assert max(max(a / b, b / a) for a, b in itertools.pairwise(values)) < 1.05


@pytest.mark.parametrize("hidden", [64, 224, 256, 257, 384, 512, 4096])
def test_alpha_does_not_jump_between_neighbouring_ranks(hidden: int) -> None:
    alphas = [lora.alpha(rank, hidden) for rank in range(1, 257)]
    assert all(1 <= b / a <= 1.5 for a, b in itertools.pairwise(alphas))


def test_alpha_is_the_same_for_every_rank_and_in_models_as_narrow_as_tiny_grows_with_its_root() -> None:
    for method in map(registry.method, registry.methods()):
        if method.ranked:
            assert {method.alpha(rank, 2048) if method.alpha else base.ALPHA for rank in (2, 8, 32)} == {32.0}, (
                method.name
            )
    assert [lora.alpha(rank, 224) for rank in (2, 8, 32)] == [64.0, 127.0, 255.0]
    # rsLoRA's scale is alpha / sqrt(rank): at rank 8 and its rate it starts as LoRA does, and falls like LoRA's here.
    for rank in (2, 8, 32):
        steps = [
            one.alpha(rank, 224) / root * one.learning_rate(224) for one, root in ((lora, rank), (rslora, rank**0.5))
        ]
        assert steps[0] == pytest.approx(steps[1], rel=0.01)


def test_bits_per_weight_are_those_of_nf4_with_double_quantisation() -> None:
    assert pytest.approx(4.127, abs=1e-3) == qlora.METHOD.frozen_bits


def test_gpt2s_transposed_layers_are_adapted_too() -> None:
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(vocab_size=300, n_positions=64, n_embd=32, n_layer=2, n_head=4)
    shape = loading.config_shape(config)
    model = lora.METHOD.adapt(GPT2LMHeadModel(config), toy_spec(method="lora", rank=2, alpha=32.0))
    assert meter.trained_weights(model) == loading.adapter_weights(shape, 2)


def test_the_toy_model_is_as_small_as_it_says() -> None:
    assert sum(weight.numel() for weight in toy_model().parameters()) < 30_000
