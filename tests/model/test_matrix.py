"""Sixteen architectures and more: every built-in method trains on them, or says in one sentence why not, before a run.

The models are tiny and random, so that what is tested is code and not learning.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch

from harness.data import registry
from harness.errors import HarnessError
from harness.methods.parts import architecture
from harness.model import answer as evaluate
from harness.model import meter, reach, tokenize
from harness.record import Scoring
from harness.runs.forecast import peak_memory
from harness.training import loop
from tests.support import architectures
from tests.support.tiny_models import toy_examples, toy_spec, toy_task, toy_tokenizer

TRAINED = sorted(name for name, entry in registry.methods().items() if entry.value and entry.value.trains)
PACKED = {"qlora", "lora8"}
PREFIX = {"prefix", "lora+prefix"}
BLOCKS = {"bottleneck", "lora+bottleneck"}
# The methods that do not fit, by architecture; all others train.
REFUSED: dict[str, set[str]] = {
    "mixtral": {"dora", "pissa", "ia3"} | PACKED,
    "qwen3-moe": {"dora", "pissa", "ia3"} | PACKED,
    "falcon": PACKED,
    "opt": BLOCKS,
    "mamba": {"ia3"} | PREFIX | BLOCKS,
}
UNPREDICTED: dict[str, set[str]] = {}  # architectures whose step fake tensors cannot follow

every_architecture = pytest.mark.parametrize("name", architectures.SETTINGS)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {name: architectures.folder(name, tmp_path_factory.mktemp("model")) for name in architectures.SETTINGS}


@pytest.fixture(scope="module")
def rows() -> list[tokenize.Pair]:
    return tokenize.encode_train(toy_tokenizer(), toy_examples(4), toy_task(), 256, 0)


def outcome(name: str, folder: Path, rows: list[tokenize.Pair], dtype: str, micro_batch: int = 2) -> str:
    """Return "" if a method trains a step with a finite loss, else its sentence; the plan must say the same before."""
    method = registry.method(name)
    spec = toy_spec(
        method=name,
        rank=4 if method.ranked else 0,
        alpha=32.0 if method.ranked else 0.0,
        dtype=dtype,
        batch_size=4,
        micro_batch=micro_batch,
        epochs=1.0,
        learning_rate=1e-3,
    )
    planned = ""
    try:
        predicted = peak_memory.training_peak(folder, spec, method, rows)
    except HarnessError as error:
        planned = error.problem
    if planned:
        assert "\n" not in planned
        with pytest.raises(HarnessError) as refusal:
            method.adapt(method.load(str(folder), spec), spec)
        assert refusal.value.problem == planned
        return planned
    model = reach.freeze_idle(method.adapt(method.load(str(folder), spec), spec), spec)
    count = meter.trained_weights(model)
    result = loop.fit(model, toy_tokenizer(), rows, spec, rate_factor=method.rate_factor, make=method.optimizer)
    assert all(map(math.isfinite, result.losses))
    assert count == sum(weight.numel() for weight in model.parameters() if weight.requires_grad) > 0
    assert predicted == 0 or 0.7 < predicted / result.peak_bytes < 1.3
    assert bool(predicted) == (name not in UNPREDICTED.get(folder.name, set()))
    return ""


@every_architecture
def test_the_methods_that_are_compared_by_default_train_or_say_why_not(
    name: str, folders: dict[str, Path], rows: list[tokenize.Pair]
) -> None:
    at_once = len(rows)  # one micro-batch: two of them, as in the slow test, take twice as long
    refusals = {method for method in ("lora", "qlora", "full") if outcome(method, folders[name], rows, "bf16", at_once)}
    assert refusals == REFUSED.get(name, set()) & {"qlora"}


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
@every_architecture
def test_every_method_trains_or_says_why_not(
    name: str, dtype: str, folders: dict[str, Path], rows: list[tokenize.Pair]
) -> None:
    refusals = {method for method in TRAINED if outcome(method, folders[name], rows, dtype)}
    assert refusals == REFUSED.get(name, set())


@pytest.mark.parametrize("scoring", ["choices", "generate"])
@every_architecture
def test_the_untrained_model_answers(name: str, scoring: Scoring, folders: dict[str, Path]) -> None:
    spec: Any = toy_spec(method="base", scoring=scoring, max_new_tokens=3)
    model = registry.method("base").load(str(folders[name]), spec).eval()
    answers = evaluate.answer(model, toy_tokenizer(), toy_examples(3), toy_task(scoring), spec)
    assert all(math.isfinite(value) for answer in answers for value in answer.loglik)


def test_a_weight_that_no_text_reaches_is_frozen_and_an_idle_method_is_refused(folders: dict[str, Path]) -> None:
    spec = toy_spec()
    model = registry.method("base").load(str(folders["llama"]), spec).requires_grad_(True)
    model.extra = torch.nn.Linear(3, 3)
    reach.freeze_idle(model, spec)
    assert not any(weight.requires_grad for weight in model.extra.parameters())
    assert meter.trained_weights(model) == sum(w.numel() for w in model.parameters()) - 12
    model.requires_grad_(False)
    model.extra.requires_grad_(True)
    with pytest.raises(HarnessError, match="nothing that full trains is reached by text in LlamaForCausalLM"):
        reach.freeze_idle(model, spec)


def test_a_model_that_cannot_be_computed_is_an_error_with_method_and_architecture(folders: dict[str, Path]) -> None:
    spec = toy_spec()
    model = registry.method("base").load(str(folders["llama"]), spec).requires_grad_(True)
    model.model.layers[0].mlp.down_proj = torch.nn.Linear(3, 3)
    with pytest.raises(HarnessError, match="full cannot train LlamaForCausalLM: mat1 and mat2"):
        reach.freeze_idle(model, spec)
    assert architecture.label(model) == "LlamaForCausalLM"
