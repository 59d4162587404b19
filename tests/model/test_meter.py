"""Counting bytes: against cases worked out by hand, against the garbage collector, and as a prediction."""

from __future__ import annotations

import gc
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from harness.methods import dora, full, lora, qlora
from harness.model import batch, byte_counter
from harness.model import meter as memory
from harness.model.byte_counter import ByteCounter
from harness.model.tokenize import Pair, encode_train
from harness.runs.forecast import peak_memory
from harness.training import loop
from tests.support.tiny_models import toy_examples, toy_folder, toy_model, toy_spec, toy_task, toy_tokenizer

KIB = 1024


def kib(count: int) -> torch.Tensor:
    return torch.zeros(count * KIB, dtype=torch.uint8)


def test_a_tensor_counts_from_its_making_to_its_freeing() -> None:
    with ByteCounter() as count:
        first = kib(3)
        second = kib(5)
        assert count.current == 8 * KIB
        del first
        assert count.current == 5 * KIB
        third = kib(1)
    assert count.peak == 8 * KIB
    del second, third
    assert count.current == 0


def test_views_and_work_in_place_count_once() -> None:
    with ByteCounter() as count:
        whole = kib(4)
        views = [whole[:KIB], whole.view(4, KIB), whole.view(4, KIB).t()]
        whole.add_(1)
        assert count.current == 4 * KIB
        del whole
        assert count.current == 4 * KIB, "the views still hold the memory"
        views.clear()
        assert count.current == 0


def test_a_slice_holds_the_whole_storage() -> None:
    with ByteCounter() as count:
        part = kib(8)[:10]
        assert count.current == 8 * KIB
        part = part.clone()
    assert count.current == 10


def test_a_storage_resized_in_place_counts_at_its_new_size() -> None:
    with ByteCounter() as count:
        tensor = kib(1)
        tensor.resize_(3 * KIB)
    assert (count.current, count.peak) == (3 * KIB, 3 * KIB)
    del tensor
    assert count.current == 0


def test_what_was_there_before_counts_when_an_operation_reads_it() -> None:
    before = kib(2)
    with ByteCounter() as count:
        after = before + 1
    assert count.peak == 4 * KIB
    del after
    assert count.current == 2 * KIB


def test_the_backward_pass_is_counted_and_activations_are_freed_by_it() -> None:
    weight = torch.zeros(KIB, requires_grad=True)  # 4 KiB
    with ByteCounter() as count:
        hidden = (weight * 2).exp()  # 4 KiB for the product, freed at once; 4 KiB for the result, kept for backward
        loss = hidden.sum()
        del hidden
        held = count.current
        loss.backward()  # type: ignore[no-untyped-call]
        del loss
    assert held == 8 * KIB + 4
    assert count.current == 8 * KIB, "the weight and its gradient"


def test_model_gradients_and_optimizer_state_are_there_from_the_start() -> None:
    model = torch.nn.Linear(16, 16, bias=False)
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)
    model(torch.zeros(1, 16)).sum().backward()
    optimizer.step()
    count = ByteCounter(model, optimizer)
    assert count.current == 4 * 1024 + 4, "weight, gradient, two moments of 1 KiB and a step count"
    assert count.optimizer_at_peak == 2 * 1024 + 4
    assert count.gradients_at_peak == 1024


def test_the_counter_agrees_with_the_garbage_collector_in_the_middle_of_training() -> None:
    model, spec = toy_model(), toy_spec()
    rows = encode_train(toy_tokenizer(), toy_examples(8), toy_task(), 256, 0)
    optimizer = loop.make_optimizer(model, spec)
    loop.train_step(model, optimizer, rows, spec, 1e-3, padding=0)
    ids, _, _ = batch.collate(rows, 0, "cpu")
    before = collected_bytes()
    with ByteCounter(model, optimizer) as count:
        start = count.current
        logits = model(input_ids=ids).logits
        hidden = torch.nn.functional.silu(logits) * 2
        # Under the counter every tensor that the graph has saved has its Python object, which the collector lists.
        assert count.current - start - ids.nbytes == pytest.approx(collected_bytes() - before, rel=1e-3)
        assert count.current - start > 2 * (logits.nbytes + hidden.nbytes)
        del logits, hidden
        gc.collect()
        assert count.current - start - ids.nbytes == 0, "a storage is counted that is gone"


def collected_bytes() -> int:
    """Bytes of all storages that Python's garbage collector can find a tensor of."""
    gc.collect()
    return byte_counter.storage_bytes(found for found in gc.get_objects() if issubclass(type(found), torch.Tensor))


def test_four_bit_weights_count_with_their_scales(tmp_path: Path) -> None:
    folder = toy_folder(tmp_path, hidden_size=64, intermediate_size=128)
    spec = toy_spec(method="qlora", rank=4, alpha=32.0, dtype="bf16")
    packed, plain = qlora.METHOD.load(str(folder), spec), lora.METHOD.load(str(folder), spec)
    weight = packed.model.layers[0].mlp.up_proj.weight
    assert weight.nbytes == 64 * 128 // 2
    scales = byte_counter.quantization_tensors(weight)
    assert any(tensor.dtype == torch.uint8 and tensor.numel() == 64 * 128 // 64 for tensor in scales)
    assert memory.weights_bytes(packed) < 0.75 * memory.weights_bytes(plain)
    linears = sum(weight.numel() for name, weight in plain.named_parameters() if "_proj" in name)
    saved = memory.weights_bytes(plain) - memory.weights_bytes(packed)
    books = 14 * 4 * (16 + 256 + 1 + 1)  # code books and offsets, the same whatever the layer's size
    assert saved == pytest.approx(linears * (16 - qlora.BITS_PER_WEIGHT) / 8 - books, rel=0.02)


@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
@pytest.mark.parametrize(
    "method", [full.METHOD, lora.METHOD, qlora.METHOD, dora.METHOD], ids=lambda method: str(method.name)
)
def test_the_prediction_from_the_config_is_within_a_hundredth_of_the_measurement(
    tmp_path: Path, method: Any, dtype: str
) -> None:
    """Here in micro-batches of 2; `tests/contract/test_every_method.py` does the same in one of 8, for every method."""
    folder, tokenizer = toy_folder(tmp_path), toy_tokenizer()
    rank = 4 if method.ranked else 0
    spec = toy_spec(method=method.name, rank=rank, alpha=32.0, dtype=dtype, micro_batch=2)
    pairs = encode_train(tokenizer, toy_examples(24), toy_task(), 256, 0)
    measured = loop.fit(method.adapt(method.load(str(folder), spec), spec), tokenizer, pairs, spec).peak_bytes
    batches = loop.plan_batches([len(pair) for pair in pairs], spec)
    longest = [pairs[i] for i in batches[loop.counted_step(pairs, batches, spec)]]
    (folder / "model.safetensors").unlink()  # a prediction reads no weights
    assert peak_memory.training_peak(folder, spec, method, longest) == pytest.approx(measured, rel=0.01)


def test_an_8b_model_is_predicted_without_its_memory() -> None:
    from tests.model.test_loading import LLAMA_8B

    spec = toy_spec(method="lora", rank=16, alpha=32.0, dtype="bf16", device="cuda", batch_size=4, micro_batch=4)
    spec = replace(spec, max_tokens=1024)
    rows = [Pair((1,) * 1000, (2,) * 24)] * 4
    before = memory.resident_peak()
    peak = peak_memory.config_peak(LLAMA_8B, spec, lora.METHOD, rows)
    # By hand: weights 16.06 GB, adapters with gradients and moments 16 x 2.62 M x 16 bytes, and saved activations of
    # 16h + 4kv + 8f bytes per token and layer; the rest is what the backward pass holds for a moment.
    saved = 4 * 1024 * 32 * (16 * 4096 + 4 * 1024 + 8 * 14336)
    by_hand = 2 * 8_030_261_248 + 16 * 2_621_440 * 16 + saved
    assert peak == pytest.approx(by_hand, rel=0.1)
    assert memory.resident_peak() - before < 2 * 2**30


def test_nothing_is_predicted_where_nothing_trains() -> None:
    from harness.methods import base

    assert peak_memory.training_peak(Path("nowhere"), toy_spec(), base.METHOD, [Pair((1,), (2,))]) == 0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that the program reads, which pass when a test says so."""
    now = [100.0]
    monkeypatch.setattr("time.perf_counter", lambda: now[0])
    return now


def test_a_phase_is_measured_from_its_own_reset(clock: list[float]) -> None:
    with memory.phase("cpu") as first:
        large = torch.ones(40 * 2**20)  # 160 MiB, touched
        del large
    with memory.phase("cpu") as second:
        clock[0] += 0.02
    assert first.result is not None
    assert second.result is not None
    assert second.result.seconds == pytest.approx(0.02)
    assert second.result.peak_bytes == 0
    if Path("/proc/self/clear_refs").exists():
        assert first.result.resident_bytes > second.result.resident_bytes, "a peak only falls where it is set back"


def test_counting_costs_a_phase_no_seconds_but_those_put_back(clock: list[float]) -> None:
    with memory.phase("cpu") as meter:
        with meter.counting(None):
            clock[0] += 0.1
            tensor = kib(6)
        meter.restore(0.01)
    assert meter.result is not None
    assert meter.result.seconds == pytest.approx(0.01)
    assert meter.result.peak_bytes == tensor.nbytes


def test_a_phase_that_fails_still_has_its_cost() -> None:
    with pytest.raises(ZeroDivisionError), memory.phase("cpu") as meter:
        raise ZeroDivisionError
    assert meter.result is not None
