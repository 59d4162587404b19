"""Cards and times: figures worked out by hand, and what must grow when something else does."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch._subclasses.fake_tensor import FakeTensorMode

from harness.errors import HarnessError
from harness.methods import full, lora, qlora
from harness.model import batch, loading
from harness.model.logits import logits_at
from harness.model.tokenize import Pair
from harness.runs.forecast import fit, gpu, peak_memory
from harness.runs.forecast.gpu import Card, Price, Size
from harness.training import loop
from tests.support.flops import flop_counter
from tests.support.records import make_spec

# Llama-3.1-8B: seven linear layers in each of 32.
LINEAR = 32 * (2 * 4096 * 4096 + 2 * 4096 * 1024 + 3 * 4096 * 14336)
LLAMA_8B = Size(weights=8_030_261_248, linear=LINEAR, output=4096 * 128256, sides=2_621_440, layers=32, width=4096)
H100 = gpu.card("H100")


def spec(method: Any, **changes: Any) -> Any:
    rank = 8 if method.ranked else 0
    return make_spec(method=method.name, rank=rank, batch_size=16, micro_batch=16, epochs=1.0, **changes)


@pytest.mark.parametrize(
    ("method", "checkpointing", "billions"),
    [(lora, False, 27.9), (lora, True, 41.9), (full, False, 41.9), (full, True, 55.8)],
)
def test_flops_per_token_are_those_worked_out_by_hand(method: Any, checkpointing: bool, billions: float) -> None:
    lengths = [(100, 0)] * 4  # short: attention and adapters add little
    found = gpu.train_flops(LLAMA_8B, spec(method.METHOD, checkpointing=checkpointing), method.METHOD, lengths)
    assert found / 400 == pytest.approx(billions * 1e9, rel=0.02)


def test_reading_takes_a_forward_pass() -> None:
    assert gpu.reading_flops(LLAMA_8B, [(100, 0)]) / 100 == pytest.approx(14.0e9, rel=0.01)


# A small Llama: widths of queries and keys differ, inner and outer widths too.
SMALL = {"model_type": "llama", "hidden_size": 64, "intermediate_size": 160, "num_hidden_layers": 3, "vocab_size": 500}
SMALL |= {"num_attention_heads": 4, "num_key_value_heads": 2, "tie_word_embeddings": False}
ROWS = [Pair((1,) * 97, (2,) * 4)] * 2  # 100 tokens each are read: the last one is only predicted
READ = [(96, 4)] * 2


def torch_flops(method: Any, run: Any) -> tuple[int, Size]:
    """torch's count of the FLOPs of a step on fake tensors, scores of attention materialised; and the model's size."""
    config = loading.config_from(SMALL)
    model = loading.skeleton(config, dtype=torch.float32, attn_implementation="eager")
    with torch.device("meta"):
        model = method.adapt(model, run)
    loop.make_ready(model, run)
    with FakeTensorMode():
        peak_memory._make_fake(model)
        optimizer = loop.make_optimizer(model, run)
        with flop_counter() as counter:
            loop.train_step(model, optimizer, ROWS, run, 0.0, padding=0)
    return counter.get_total_flops(), fit.size_of(loading.config_shape(config))


@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("method", [full.METHOD, lora.METHOD], ids=lambda method: str(method.name))
def test_flops_of_training_are_those_that_torch_counts(method: Any, checkpointing: bool) -> None:
    run = replace(spec(method, checkpointing=checkpointing), dtype="fp32")
    flops, size = torch_flops(method, run)
    passes = 3 + checkpointing
    attention = (
        2 * 2 * 100**2 * size.width * size.layers * passes
    )  # the formula's half of the square; torch counts all of it
    left_out = {
        # No gradient has to reach the embeddings: of the first layer q, k and v, and their A's, pass none on.
        ("lora", False): 64 * (64 + 2 * 32) + 3 * 8 * 64,
        # A layer is computed again up to what its backward pass reads, which is all but the last product.
        ("full", True): 3 * 160 * 64,
    }.get((method.name, checkpointing), 0)
    assert flops == gpu.train_flops(size, run, method, READ) + attention - 2 * 200 * left_out


def test_flops_of_reading_are_those_that_torch_counts() -> None:
    config = loading.config_from(SMALL)
    model = loading.skeleton(config, dtype=torch.float32, attn_implementation="eager").eval()
    size = fit.size_of(loading.config_shape(config))
    with FakeTensorMode(), torch.no_grad():
        peak_memory._make_fake(model)
        ids, positions, _ = batch.collate(ROWS, 0, "cpu")
        with flop_counter() as counter:
            logits_at(model, positions, input_ids=ids, use_cache=False)
    attention = 2 * 2 * 100**2 * size.width * size.layers
    assert counter.get_total_flops() == gpu.reading_flops(size, READ) + attention


def test_lora_of_an_8b_model_takes_an_h100_as_long_as_measured_elsewhere() -> None:
    """13.7k tokens/s at 8,192 tokens a step (LoRAFusion's timings), which is 39 % of the peak."""
    lengths = [(512, 0)] * 16
    seconds = gpu.train_seconds(LLAMA_8B, spec(lora.METHOD), lora.METHOD, lengths, H100, 0.39)
    assert 16 * 512 / seconds == pytest.approx(13_700, rel=0.06)


def test_a_few_tokens_at_once_take_as_long_as_reading_the_weights() -> None:
    lengths = [(9, 1)] * 16
    one = gpu.train_seconds(LLAMA_8B, replace(spec(lora.METHOD), micro_batch=1), lora.METHOD, lengths, H100, 0.4)
    assert one == pytest.approx(16 * 2 * 2 * LINEAR / H100.bandwidth, rel=0.02)
    assert one > 5 * gpu.train_seconds(LLAMA_8B, spec(lora.METHOD), lora.METHOD, lengths, H100, 0.4)


def test_unpacking_makes_qlora_slower_and_checkpointing_makes_all_slower() -> None:
    lengths = [(400, 5)] * 32
    times = {
        (one.name, on): gpu.train_seconds(LLAMA_8B, spec(one, checkpointing=on), one, lengths, H100, 0.4)
        for one in (lora.METHOD, qlora.METHOD, full.METHOD)
        for on in (False, True)
    }
    assert times["lora", False] < times["qlora", False] < times["full", False]
    assert all(times[name, False] < times[name, True] for name in ("lora", "qlora", "full"))


@pytest.mark.parametrize("name", ["h100", "H100", "a100-80gb", "RTX-4090"])
def test_a_card_is_known_by_name(name: str) -> None:
    found = gpu.card(name)
    assert found.flops > 0
    assert not found.assumed
    assert found.usable < found.memory


@given(st.floats(1, 10_000).map(lambda size: f"{size:.3f}"))
def test_any_size_is_read(size: str) -> None:
    found = gpu.card(f"{size}GiB")
    assert found.memory == pytest.approx(float(size) * 2**30)
    assert (found.flops > 0) == bool(found.assumed)


def test_a_size_gets_the_speed_of_the_slowest_card_of_about_that_size_and_says_so() -> None:
    assert gpu.card("24GiB").assumed == "RTX-3090"
    assert gpu.card("80 GB").memory == 80e9
    assert gpu.card("24").memory == gpu.card("24GiB").memory
    assert gpu.card("500GiB") == Card("500GiB", 500 * 2**30, 0, 0)


@pytest.mark.parametrize("text", ["H1000", "0GiB", "-4GiB", "nanGiB", "lots", "24TiB"])
def test_what_is_neither_card_nor_size_is_refused(text: str) -> None:
    with pytest.raises(HarnessError, match="neither a size nor a known card"):
        gpu.card(text)


@pytest.mark.parametrize(
    ("text", "price"),
    [("2.50", Price(2.5)), ("2.50USD", Price(2.5, "USD")), ("$2", Price(2, "$")), ("3 eur", Price(3, "EUR"))],
)
def test_a_price_has_a_currency_if_one_is_named(text: str, price: Price) -> None:
    assert gpu.price(text, "--price", "2.50USD") == price
    assert price.title == f"cost {price.currency}".strip()


@pytest.mark.parametrize("text", ["free", "0", "-1", "$2EUR", ""])
def test_a_price_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(HarnessError, match="not a number above 0"):
        gpu.price(text, "--price", "2.50USD")
