"""The token that pads a batch: no real token sees it, and the model must have an embedding for it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.data import registry
from harness.model import loading, tokenize
from harness.training import loop
from tests.support.shared_cases import case
from tests.support.tiny_models import toy_examples, toy_folder, toy_spec, toy_task, toy_tokenizer


def losses(folder: Path, tokenizer: Any, name: str = "lora") -> tuple[float, ...]:
    method = registry.method(name)
    spec = toy_spec(method=name, rank=4 if method.ranked else 0, alpha=32.0 if method.ranked else 0.0)
    model = method.adapt(method.load(str(folder), spec), spec)
    rows = tokenize.encode_train(tokenizer, toy_examples(8), toy_task(), 256, 0)
    assert len(set(map(len, rows))) > 1, "rows of different length"
    return loop.fit(model, tokenizer, rows, spec).losses


@pytest.mark.parametrize("name", ["lora", "full", "prompt", "prefix"])
def test_a_padding_token_that_the_model_has_no_row_for_is_replaced(name: str, tmp_path: Path) -> None:
    folder, tokenizer = toy_folder(tmp_path), toy_tokenizer()
    plain = losses(folder, tokenizer, name)
    tokenizer.add_special_tokens({"pad_token": "<|pad|>"})
    assert tokenizer.pad_token_id >= 300
    assert losses(folder, tokenizer, name) == pytest.approx(plain, rel=1e-5)


def test_the_case_of_a_padding_token_beyond_the_vocabulary(tmp_path: Path) -> None:
    folder = toy_folder(tmp_path / "model")
    plain = losses(folder, loading.load_tokenizer(folder))
    script = shutil.copy(case("padding-token-beyond-the-vocabulary") / "pad.py", tmp_path)
    subprocess.run([sys.executable, script, str(folder)], check=True, capture_output=True)
    assert losses(folder, loading.load_tokenizer(folder)) == pytest.approx(plain, rel=1e-5)


def test_a_model_without_a_row_for_the_end_token_either_is_padded_with_the_first_token() -> None:
    tokenizer = toy_tokenizer()
    assert loop.padding_token(tokenizer) == tokenizer.eos_token_id
    tokenizer.add_special_tokens({"eos_token": "<|end|>", "pad_token": "<|pad|>"})

    class Narrow:
        def get_input_embeddings(self) -> Any:
            import torch

            return torch.nn.Embedding(300, 4)

    assert loop.padding_token(tokenizer, Narrow()) == 0
