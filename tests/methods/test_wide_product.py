"""The product by oneDNN against PyTorch's own: the same numbers but for rounding, and the same live bytes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from harness import environment
from harness.data import registry
from harness.methods.parts import wide_product
from harness.model import tokenize
from harness.model.byte_counter import ByteCounter
from harness.runs.forecast import peak_memory
from harness.training import loop
from tests.support.tiny_models import toy_examples, toy_folder, toy_spec, toy_task, toy_tokenizer


@pytest.fixture(params=[True, False], ids=["oneDNN", "MKL"])
def library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    wide: bool = request.param
    if wide and not wide_product.has_onednn():
        pytest.skip("PyTorch was built without oneDNN")
    monkeypatch.setattr(wide_product, "helps", lambda: wide)
    return wide


def test_the_product_is_the_same_but_for_rounding_and_takes_the_same_bytes(library: bool) -> None:
    generator = torch.Generator().manual_seed(1)
    inputs, weight = torch.randn((60, 24), generator=generator), torch.randn((40, 24), generator=generator)
    for one, other in ((inputs, weight), (inputs, torch.randn((24, 40), generator=generator).t())):
        with ByteCounter() as counter:
            result = wide_product.product(one, other)
        with ByteCounter() as plain:
            expected = one @ other.t()
        torch.testing.assert_close(result, expected)
        assert counter.peak == plain.peak


def test_fake_tensors_and_strided_inputs_go_through_pytorch_s_own_product(library: bool) -> None:
    inputs, weight = torch.randn(24, 60).t(), torch.randn(40, 24)
    torch.testing.assert_close(wide_product.product(inputs, weight), inputs @ weight.t())
    with FakeTensorMode():
        assert wide_product.product(torch.empty(60, 24), torch.empty(40, 24)).shape == (60, 40)


def test_the_plan_predicts_the_peak_whichever_library_multiplies(library: bool, tmp_path: Path) -> None:
    folder, tokenizer = toy_folder(tmp_path, hidden_size=64), toy_tokenizer()
    spec = toy_spec(method="lora", rank=4, alpha=8.0, batch_size=8, micro_batch=4)
    method = registry.method("lora")
    pairs = tokenize.encode_train(tokenizer, toy_examples(24), toy_task(), 256, 0)
    model = method.adapt(method.load(str(folder), spec), spec)
    peak = loop.fit(model, tokenizer, pairs, spec).peak_bytes
    batches = loop.plan_batches(list(map(len, pairs)), spec)
    longest = [pairs[i] for i in batches[loop.counted_step(pairs, batches, spec)]]
    assert peak == peak_memory.training_peak(folder, spec, method, longest)


@pytest.mark.parametrize("name", ["lora", "qlora", "full"])
def test_losses_and_logits_are_the_same_but_for_rounding(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, tokenizer = toy_folder(tmp_path, hidden_size=64), toy_tokenizer()
    spec = toy_spec(method=name, rank=4 if name != "full" else 0, alpha=8.0, epochs=2.0)
    method = registry.method(name)
    pairs = tokenize.encode_train(tokenizer, toy_examples(24), toy_task(), 256, 0)
    ids = torch.arange(30)[None]
    results = []
    for wide in (True, False):
        monkeypatch.setattr(wide_product, "helps", lambda wide=wide: wide)
        model = method.adapt(method.load(str(folder), spec), spec)
        losses = loop.fit(model, tokenizer, pairs, spec).losses
        with torch.inference_mode():
            results.append((torch.tensor(losses), model(input_ids=ids).logits))
    torch.testing.assert_close(results[0][0], results[1][0], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(results[0][1], results[1][1], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("cpuinfo", "half"),
    [
        ("vendor_id : AuthenticAMD\nflags : avx2 avx512f", True),
        ("vendor_id : AuthenticAMD\nflags : avx2", False),
        ("vendor_id : GenuineIntel\nflags : avx2 avx512f", False),
    ],
)
def test_only_amd_s_processors_with_wide_vectors_are_taken_for_them(
    cpuinfo: str, half: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "_cpuinfo", lambda: cpuinfo)
    assert environment.half_width_mkl() is half
