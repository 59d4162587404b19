"""A training over two processes takes the steps of one, with about half the memory in each."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import peft  # noqa: F401  # for the forks, which would each import it
import pytest

from harness.data import registry
from harness.model.tokenize import Pair, encode_train
from harness.record import RunSpec
from harness.runs.forecast import peak_memory
from harness.training import loop
from harness.training.shard import Shards
from tests.support import shards
from tests.support.tiny_models import toy_examples, toy_folder, toy_spec, toy_task, toy_tokenizer

METHODS = ("full", "lora", "qlora", "dora")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy_folder(tmp_path_factory.mktemp("toy"), num_hidden_layers=4)


def spec_of(method: str, **changes: Any) -> RunSpec:
    ranked = {"rank": 4, "alpha": 8.0} if method != "full" else {}
    # 29 examples in batches of 8: one has five, of which one process gets one more
    common = {"method": method, "train_examples": 29, "batch_size": 8, "epochs": 1.0, "max_tokens": 256}
    return toy_spec(**(common | ranked | {"micro_batch": 4} | changes))


@functools.cache
def divided(folder: Path, method: str) -> list[shards.Course]:
    """Return the course in each of two processes, which several tests compare with something else."""
    return shards.train(folder, spec_of(method, shards=2), 2)


@pytest.mark.parametrize("method", METHODS)
def test_losses_are_those_of_one_process_and_memory_is_at_most_three_fifths(folder: Path, method: str) -> None:
    pytest.importorskip("bitsandbytes") if method == "qlora" else None
    one, two = shards.train(folder, spec_of(method), 1), divided(folder, method)
    assert shards.difference(one, two) < 1e-5
    assert shards.share(one, two) < 0.6


def test_checkpointing_and_untied_embeddings_change_nothing(tmp_path: Path) -> None:
    folder = toy_folder(tmp_path, tie_word_embeddings=False)
    spec = spec_of("lora", checkpointing=True)
    one, two = (shards.train(folder, spec, count) for count in (1, 2))
    assert shards.difference(one, two) < 1e-5


def test_more_processes_than_examples_of_a_step_take_the_same_step(folder: Path) -> None:
    spec = spec_of("full", batch_size=2, micro_batch=1)
    one, three = (shards.train(folder, spec, count) for count in (1, 3))
    assert shards.difference(one, three) < 1e-5


@pytest.mark.parametrize(("rows", "micro", "count"), [(16, 16, 2), (5, 4, 2), (1, 8, 3), (7, 2, 4)])
def test_each_row_of_a_step_is_dealt_to_one_process_in_equally_many_passes(rows: int, micro: int, count: int) -> None:
    pairs = [Pair((number,), (0,)) for number in range(rows)]
    dealt = [Shards(rank, count, "cpu").chunks(pairs, micro, 10.0) for rank in range(count)]
    counted = [row for chunks in dealt for chunk, divisor in chunks if divisor == 10.0 for row in chunk]
    assert sorted(counted, key=lambda pair: pair.prompt) == pairs
    assert len({len(chunks) for chunks in dealt}) == 1
    assert max(len(chunk) for chunks in dealt for chunk, _ in chunks) <= -(-micro // count)


@pytest.mark.parametrize("method", ["full", "lora", "qlora"])
def test_the_forecast_is_the_peak_of_the_first_process(folder: Path, method: str) -> None:
    pytest.importorskip("bitsandbytes") if method == "qlora" else None
    spec = spec_of(method, shards=2)
    pairs = encode_train(toy_tokenizer(), toy_examples(spec.train_examples), toy_task(), spec.max_tokens, 0)
    batches = loop.plan_batches([len(pair) for pair in pairs], spec)
    rows = [pairs[index] for index in batches[loop.counted_step(pairs, batches, spec)]]
    predicted = peak_memory.training_peak(folder, spec, registry.method(method), rows)
    assert predicted == divided(folder, method)[0].peak_bytes
