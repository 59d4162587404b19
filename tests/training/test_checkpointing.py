"""Activation checkpointing: the same training in less memory, as predicted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.errors import HarnessError
from harness.methods import dora, full, lora, qlora
from harness.model.tokenize import encode_train
from harness.runs.forecast import peak_memory
from harness.training import loop
from tests.support.tiny_models import toy_examples, toy_folder, toy_model, toy_spec, toy_task, toy_tokenizer


@pytest.mark.parametrize(
    "method", [full.METHOD, lora.METHOD, qlora.METHOD, dora.METHOD], ids=lambda method: str(method.name)
)
def test_checkpointing_changes_memory_and_not_the_training(tmp_path: Path, method: Any) -> None:
    folder, tokenizer = toy_folder(tmp_path, num_hidden_layers=4), toy_tokenizer()
    pairs = encode_train(tokenizer, toy_examples(16), toy_task(), 256, 0)
    found = {}
    for checkpointing in (False, True):
        rank = 4 if method.ranked else 0
        spec = toy_spec(
            method=method.name, rank=rank, alpha=32.0, dtype="bf16", epochs=1.0, checkpointing=checkpointing
        )
        model = method.adapt(method.load(str(folder), spec), spec)
        fitted = found[checkpointing] = loop.fit(model, tokenizer, pairs, spec)
        batches = loop.plan_batches([len(pair) for pair in pairs], spec)
        longest = [pairs[i] for i in batches[loop.counted_step(pairs, batches, spec)]]
        predicted = peak_memory.training_peak(folder, spec, method, longest)
        assert predicted == pytest.approx(fitted.peak_bytes, rel=0.1)
    assert found[True].losses == pytest.approx(found[False].losses, rel=1e-3)
    assert found[True].peak_bytes < 0.9 * found[False].peak_bytes


def test_an_architecture_that_cannot_is_refused() -> None:
    model = toy_model()
    model.activation_checkpointing_enable = _refuse
    with pytest.raises(HarnessError, match="does not support activation checkpointing"):
        loop.make_ready(model, toy_spec(checkpointing=True))


def _refuse(_: Any) -> None:
    raise ValueError("does not support it")
