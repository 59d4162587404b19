"""The closed formula of the training peak: within 5 % of the byte-counter on dense Llama shapes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from harness.methods import dora, full, lora, qlora
from harness.model import architectures, loading
from harness.model.tokenize import Pair
from harness.runs.forecast import closed_form, peak_memory
from tests.support.tiny_models import toy_spec

TOLERANCE = 0.05
SHAPE = {"hidden_size": 256, "intermediate_size": 896, "num_hidden_layers": 2, "num_attention_heads": 8}
SHAPE |= {"num_key_value_heads": 2, "vocab_size": 4000, "max_position_embeddings": 4096}


def both(config: Any, spec: Any, method: Any, *, width: int, targets: int) -> tuple[int, closed_form.Breakdown]:
    rows = [Pair((1,) * (width - targets), (2,) * targets)] * spec.micro_batch
    shape = closed_form.dims(config.to_dict())
    assert shape is not None
    tokens, labels = spec.micro_batch * (width - 1), spec.micro_batch * targets
    found = closed_form.peak(shape, spec, method, tokens=tokens, targets=labels)
    assert found is not None
    return peak_memory.config_peak(config, spec, method, rows), found


def gpu_spec(method: Any, rows: int, **changes: Any) -> Any:
    spec = toy_spec(method=method.name, rank=8 if method.ranked else 0, alpha=32.0, dtype="bf16", device="cuda")
    return replace(spec, **({"micro_batch": rows, "batch_size": rows, "max_tokens": 4096} | changes))


@pytest.mark.parametrize("method", [lora.METHOD, qlora.METHOD, full.METHOD], ids=lambda method: str(method.name))
@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize(
    ("tied", "rows", "width", "targets", "batches"),
    [(False, 2, 512, 4, 1), (True, 2, 512, 4, 2), (True, 1, 128, 64, 1)],
)
def test_the_formula_is_within_a_twentieth_of_the_counter(
    method: Any, checkpointing: bool, tied: bool, rows: int, width: int, targets: int, batches: int
) -> None:
    config = loading.config_from({"model_type": "llama", **SHAPE, "tie_word_embeddings": tied})
    spec = gpu_spec(method, rows, batch_size=rows * batches, checkpointing=checkpointing)
    counted, found = both(config, spec, method, width=width, targets=targets)
    assert found.total == pytest.approx(counted, rel=TOLERANCE)


@pytest.mark.parametrize("layers", [2, pytest.param(32, marks=pytest.mark.slow)])
def test_the_formula_holds_for_an_8b_shape_and_names_its_largest_part(layers: int) -> None:
    shape = architectures.catalog()["meta-llama/Llama-3.1-8B"].config
    config = loading.config_from({**shape, "num_hidden_layers": layers})
    spec = gpu_spec(lora.METHOD, 1, rank=16, batch_size=16)
    counted, found = both(config, spec, lora.METHOD, width=512, targets=8)
    assert found.total == pytest.approx(counted, rel=TOLERANCE)
    assert found.largest == "weights"
    weights = 8_030_261_248 - (32 - layers) * 218_112_000
    assert found.weights == pytest.approx(2 * weights + 4 * 16 * 81_920 * layers, rel=1e-6)


def test_checkpointing_takes_less_and_the_counter_sees_it() -> None:
    config = loading.config_from({"model_type": "llama", **SHAPE, "num_hidden_layers": 4})
    plain, checked = (
        both(config, gpu_spec(lora.METHOD, 2, checkpointing=on), lora.METHOD, width=256, targets=4)[0]
        for on in (False, True)
    )
    assert checked < 0.7 * plain


def test_attention_keeps_no_scores() -> None:
    """Twice the width in one row takes what two rows take: nothing grows with the square of the length."""
    config = loading.config_from({"model_type": "llama", **SHAPE})
    long, _ = both(config, gpu_spec(lora.METHOD, 1), lora.METHOD, width=1024, targets=8)
    short, _ = both(config, gpu_spec(lora.METHOD, 2), lora.METHOD, width=512, targets=4)
    assert long == pytest.approx(short, rel=0.01)


def test_the_formula_says_nothing_where_it_was_not_derived() -> None:
    shape = closed_form.dims({"model_type": "llama", **SHAPE})
    assert shape is not None
    assert closed_form.peak(shape, gpu_spec(dora.METHOD, 1), dora.METHOD, tokens=10, targets=1) is None
    assert closed_form.peak(shape, gpu_spec(lora.METHOD, 1, dtype="fp32"), lora.METHOD, tokens=10, targets=1) is None
    assert closed_form.dims({"model_type": "gemma2", **SHAPE}) is None
