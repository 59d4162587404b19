"""The default micro-batch: little memory, hardly any time, the same for all methods of a plan."""

from __future__ import annotations

import math
import shutil
from dataclasses import replace
from typing import Any

import pytest

from harness.data import registry
from harness.data.loading import Splits
from harness.model import checkpoint, loading, token_counts
from harness.model.checkpoint import Checkpoint
from harness.model.tokenize import Pair
from harness.record import RunSpec
from harness.runs import defaults, specs
from harness.runs.forecast import micro_batch, peak_memory
from harness.runs.forecast.micro_batch import Load
from harness.runs.inputs import Inputs
from harness.runs.options import Options
from harness.schema import Task
from tests.support.tiny_models import toy_spec

SMOLLM2: dict[str, Any] = {"model_type": "llama", "hidden_size": 576, "intermediate_size": 1536, "vocab_size": 49152}
SMOLLM2 |= {"num_hidden_layers": 30, "num_attention_heads": 9, "num_key_value_heads": 3, "tie_word_embeddings": True}
SMOLLM2 |= {"max_position_embeddings": 8192}
LLAMA_8B: dict[str, Any] = {
    "model_type": "llama",
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "vocab_size": 128256,
}
LLAMA_8B |= {"num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8}
GIB = 2**30
LORA, FULL = registry.method("lora"), registry.method("full")


@pytest.fixture(scope="module")
def smollm2(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    """A folder with a tokenizer and no weights, whose model has the shape of SmolLM2-135M."""
    folder = tmp_path_factory.mktemp("smollm2")
    shutil.copy(checkpoint.TINY / "tokenizer.json", folder)
    return Checkpoint(folder, "smollm2", "none", hidden=576, window=8192, weights_bytes=269_000_000, config=SMOLLM2)


@pytest.fixture(scope="module")
def claims() -> tuple[Task, Splits]:
    from harness.data.source import TaskSource

    source = TaskSource("claims")
    task = source.task()
    return task, source.splits(task)


def spec_of(dtype: str = "bf16", device: str = "cpu") -> RunSpec:
    return toy_spec(method="lora", rank=8, alpha=32.0, dtype=dtype, device=device, batch_size=16, max_tokens=4096)


def choice(claims: tuple[Task, Splits], model: Checkpoint, spec: RunSpec, method: Any = LORA) -> int:
    return defaults.micro_batch(*claims, method, model, spec)


def test_passes_and_examples_of_a_step_are_the_tasks_unless_flags_say_otherwise(claims: tuple[Task, Splits]) -> None:
    task, splits = claims
    inputs = Inputs(replace(task, epochs=2.0, batch_size=4), splits)

    def of(options: Options) -> tuple[float, int]:
        (spec,) = specs.make(inputs, (LORA,), checkpoint.read("tiny"), options)
        return spec.epochs, spec.batch_size

    assert of(Options(("claims",), ranks=(8,), device="cpu")) == (2.0, 4)
    assert of(Options(("claims",), ranks=(8,), device="cpu", epochs=1.0, batch_size=32)) == (1.0, 32)


@pytest.mark.parametrize(
    ("layers", "dtype"),
    [(4, "bf16"), (4, "fp32"), *(pytest.param(30, dtype, marks=pytest.mark.slow) for dtype in ("bf16", "fp32"))],
)
def test_the_default_takes_at_most_twice_the_memory_of_one_example_at_once(
    smollm2: Checkpoint, claims: tuple[Task, Splits], layers: int, dtype: str
) -> None:
    spec, shape = spec_of(dtype), SMOLLM2 | {"num_hidden_layers": layers}
    model = replace(smollm2, config=shape)
    texts = [(claims[0].prompt(example), example.target) for example in claims[1].train]
    count = token_counts.counter(smollm2.folder, SMOLLM2)
    rows = [Pair((1,) * math.ceil(count(prompt)), (2,) * math.ceil(count(target) + 1)) for prompt, target in texts]
    rows = sorted(rows, key=len, reverse=True)[:32]
    config = loading.config_from(shape)

    def peak(size: int) -> int:
        return peak_memory.config_peak(config, replace(spec, micro_batch=size), LORA, rows)

    size = choice(claims, model, spec)
    assert size * len(rows[0]) >= micro_batch.CPU_TOKENS[dtype] / 2  # enough to pay for a pass
    assert peak(size) <= min(2 * peak(1), 1.6 * GIB)


def test_all_methods_on_a_processor_have_one_micro_batch(smollm2: Checkpoint, claims: tuple[Task, Splits]) -> None:
    assert choice(claims, smollm2, spec_of(), FULL) == choice(claims, smollm2, spec_of(), LORA)


def test_a_pass_has_tokens_enough_to_pay_for_its_own_cost(claims: tuple[Task, Splits]) -> None:
    tiny = checkpoint.read("tiny")
    rows = [(90, 6)] * 16
    assert micro_batch.on_cpu(Load(rows, tiny.config, "bf16"), 16) * 96 >= 500
    assert micro_batch.on_cpu(Load([(20, 4)] * 16, tiny.config, "bf16"), 16) == 16


def test_a_small_model_takes_as_many_tokens_at_once_in_fp32_and_a_larger_one_fewer() -> None:
    tiny, rows = checkpoint.read("tiny"), [(150, 12)] * 16
    assert [micro_batch.on_cpu(Load(rows, tiny.config, dtype), 16) for dtype in ("bf16", "fp32")] == [8, 8]
    assert micro_batch.on_cpu(Load(rows, tiny.config, "fp32"), 4) == 4
    assert micro_batch.on_cpu(Load(rows, SMOLLM2, "fp32"), 16) * 162 <= micro_batch.CPU_TOKENS["fp32"]


def test_shares_of_a_step_are_equal_and_rows_longer_than_the_budget_go_alone() -> None:
    assert micro_batch.on_cpu(Load([(230, 10)] * 16, {}, "bf16"), 16) == 4  # not 5, 5, 5 and 1
    assert micro_batch.on_cpu(Load([(3000, 10)] * 16, {}, "bf16"), 16) == 1


def test_a_card_is_used_as_far_as_its_memory_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    load = Load([(300, 10)] * 16, LLAMA_8B, "bf16")
    large, small = (micro_batch.on_cuda(load, 16, LORA, gib * GIB) for gib in (140, 24))
    assert large == micro_batch.on_cuda(load, 16, LORA, 0) == 16
    assert 1 <= small < 16
    assert micro_batch.on_cuda(load, 16, registry.method("qlora"), 24 * GIB) > small
    assert micro_batch.on_cuda(load, 16, FULL, 24 * GIB) == 1  # it does not fit in any way: the plan says so


@pytest.mark.parametrize(("dtype", "tokens"), [("fp32", 400), ("bf16", 400), ("fp32", 1200), ("bf16", 1200)])
@pytest.mark.parametrize("layers", [4, pytest.param(30, marks=pytest.mark.slow)])
def test_the_memory_behind_the_choice_is_within_a_tenth_of_the_counted(layers: int, dtype: str, tokens: int) -> None:
    shape = SMOLLM2 | {"num_hidden_layers": layers}
    rows = [Pair((1,) * (tokens - 4), (2,) * 4)] * 4
    load = Load([(tokens - 4, 4)] * 4, shape, dtype)
    spec = replace(spec_of(dtype), batch_size=4, micro_batch=2)
    estimate = load.bytes(2, weight_bytes=2 if dtype == "bf16" else 4, adapter=True)
    assert estimate == pytest.approx(peak_memory.config_peak(loading.config_from(shape), spec, LORA, rows), rel=0.1)
