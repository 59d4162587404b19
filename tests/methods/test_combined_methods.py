"""Two adapters on one model, and full fine-tuning with an optimizer of its own: what the contract does not ask for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from harness.data import registry
from harness.errors import HarnessError
from harness.format import spoken
from harness.methods import full8
from harness.model import meter, tokenize
from harness.record import RunSpec
from harness.runs.forecast import peak_memory
from harness.schema import Method
from harness.training import loop
from tests.support.tiny_models import toy_examples, toy_folder, toy_model, toy_spec, toy_task, toy_tokenizer

PARTS = {"lora+prefix": ("lora_", "prompt_encoder."), "lora+bottleneck": ("lora_", ".bottleneck.")}
IDS = torch.arange(40).view(2, 20)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy_folder(tmp_path_factory.mktemp("toy"))


def rows() -> list[tokenize.Pair]:
    return tokenize.encode_train(toy_tokenizer(), toy_examples(16), toy_task(), 256, 0)


def fitted(method: Method, folder: Path, **changes: Any) -> tuple[Any, RunSpec, loop.FitResult]:
    rank = 4 if method.ranked else 0
    spec = toy_spec(method=method.name, rank=rank, alpha=32.0 * (rank > 0), learning_rate=3e-3, **changes)
    model = method.adapt(method.load(str(folder), spec), spec)
    make, factor = method.optimizer, method.rate_factor
    return model, spec, loop.fit(model, toy_tokenizer(), rows(), spec, rate_factor=factor, make=make)


# --- both parts


@pytest.fixture(scope="module", params=sorted(PARTS))
def pair(request: pytest.FixtureRequest, folder: Path) -> tuple[Method, Any, RunSpec]:
    method = registry.method(request.param)
    model, spec, _ = fitted(method, folder, epochs=2.0)
    return method, model, spec


def test_each_of_two_parts_gets_gradients(pair: tuple[Method, Any, RunSpec]) -> None:
    method, model, spec = pair
    optimizer = loop.make_optimizer(model, spec, method.rate_factor)
    found: dict[str, float] = {}
    optimizer.register_step_pre_hook(
        lambda *_: found.update({key: w.grad.norm().item() for key, w in model.named_parameters() if w.requires_grad})
    )
    loop.train_step(model, optimizer, rows()[:4], spec, 0.0, padding=0)
    for part in PARTS[method.name]:
        gradients = [norm for key, norm in found.items() if part in key]
        assert gradients, part
        assert all(norm > 0 for norm in gradients), part
    assert all(any(part in key for part in PARTS[method.name]) for key in found)


def test_each_of_two_parts_is_read_when_the_model_answers(pair: tuple[Method, Any, RunSpec]) -> None:
    method, model, _ = pair
    with torch.no_grad():
        whole = model(IDS).logits
        for part in PARTS[method.name]:
            kept = {key: w.detach().clone() for key, w in model.named_parameters() if part in key}
            for key in kept:
                model.get_parameter(key).zero_()
            assert not torch.allclose(model(IDS).logits, whole, atol=1e-4), part
            for key, values in kept.items():
                model.get_parameter(key).copy_(values)
        assert torch.equal(model(IDS).logits, whole)


def test_each_part_starts_as_it_does_alone(folder: Path) -> None:
    for name, parts in PARTS.items():
        spec = toy_spec(method=name, rank=4, alpha=32.0)
        both = registry.method(name).adapt(toy_model(), spec)
        for single, part in zip(name.split("+"), parts, strict=True):
            alone = registry.method(single).adapt(toy_model(), spec)
            mine = [w for key, w in both.named_parameters() if part in key]
            its = [w for key, w in alone.named_parameters() if w.requires_grad]
            assert len(mine) == len(its) > 0
            assert all(torch.equal(a, b) for a, b in zip(mine, its, strict=True)), (name, single)


def test_an_adapter_of_two_parts_is_refused_by_another_model(pair: tuple[Method, Any, RunSpec], tmp_path: Path) -> None:
    method, model, spec = pair
    assert method.save is not None
    assert method.restore is not None
    method.save(model, tmp_path, spec)
    with pytest.raises(HarnessError, match="belongs to another model"):
        method.restore(toy_model(num_hidden_layers=1), tmp_path)
    (tmp_path / "adapter_config.json").write_text("{")
    with pytest.raises(HarnessError, match="cannot be read"):
        method.restore(toy_model(), tmp_path)


@pytest.mark.parametrize("name", ["prefix", "lora+prefix"])
def test_a_prefix_is_refused_where_checkpointing_would_drop_it(name: str) -> None:
    spec = toy_spec(method=name, rank=4, alpha=32.0, checkpointing=True)
    with pytest.raises(HarnessError, match="drops a prefix"):
        registry.method(name).adapt(toy_model(), spec)


# --- 8-bit Adam


def test_the_first_step_with_8_bit_moments_is_adams_own() -> None:
    moved = []
    for name in ("full", "full8"):
        model, spec = toy_model(), toy_spec(weight_decay=0.1)
        optimizer = loop.make_optimizer(model, spec, make=registry.method(name).optimizer)
        loop.train_step(model, optimizer, rows()[:4], spec, 1e-3, padding=0)
        moved.append(torch.cat([weight.detach().flatten() for weight in model.parameters()]))
    torch.testing.assert_close(moved[0], moved[1], rtol=1e-4, atol=1e-6)


def test_8_bit_moments_learn_as_32_bit_ones_do_and_take_a_quarter_of_the_memory(tmp_path: Path) -> None:
    folder = toy_folder(tmp_path, hidden_size=128, intermediate_size=128, num_key_value_heads=4)  # 4,096 and more each
    found = {name: fitted(registry.method(name), folder, epochs=4.0)[2] for name in ("full", "full8")}
    first, last = found["full"].losses[0], found["full"].losses[-1]
    assert last < 0.8 * first
    assert found["full8"].losses[-1] == pytest.approx(last, rel=0.05)
    assert found["full8"].losses != found["full"].losses
    parts, whole = found["full8"].parts, found["full"].parts
    assert parts is not None
    assert whole is not None
    assert parts.optimizer_state == pytest.approx((2 + 8 / 256) / 8 * whole.optimizer_state, rel=0.02)
    assert parts.trained_weights == whole.trained_weights
    assert found["full8"].peak_bytes < found["full"].peak_bytes


def test_the_plan_counts_8_bit_moments(tmp_path: Path) -> None:
    folder = toy_folder(tmp_path, hidden_size=128, intermediate_size=128, num_key_value_heads=4)
    peaks = {}
    for name in ("full", "full8"):
        method, spec = registry.method(name), toy_spec(method=name)
        peaks[name] = peak_memory.training_peak(folder, spec, method, rows()[:8])
    weights = meter.trained_weights(toy_model(hidden_size=128, intermediate_size=128, num_key_value_heads=4))
    assert peaks["full"] - peaks["full8"] == pytest.approx((8 - 2 - 8 / 256) * weights, rel=0.02)


def test_a_device_without_8_bit_steps_is_told_before_anything_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    assert full8.takes_steps("cpu")
    assert not full8.takes_steps("xla")
    monkeypatch.setattr(full8, "takes_steps", lambda device: False)
    with pytest.raises(HarnessError, match="no 8-bit Adam for cpu"):
        full8.METHOD.load("nowhere", toy_spec(method="full8"))


def test_a_long_name_is_not_glued_to_its_rank() -> None:
    assert spoken(toy_spec(method="lora+bottleneck", rank=8)) == "lora+bottleneck r8 s0"
    assert spoken(toy_spec(method="rslora", rank=8)) == "rslora r8 s0"
