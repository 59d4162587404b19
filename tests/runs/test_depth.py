"""The peak of a deep model by the line through two depths equals the count of all its layers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.data import registry
from harness.model import loading
from harness.model.tokenize import Pair
from harness.runs.forecast import peak_memory
from tests.support.tiny_models import toy_spec

CONFIG = {"model_type": "llama", "hidden_size": 128, "intermediate_size": 384, "num_hidden_layers": 16}
CONFIG |= {"num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 2000, "max_position_embeddings": 512}
ROWS = [Pair((0,) * 90, (0,) * 3) for _ in range(4)]


@pytest.mark.parametrize(
    ("method", "rank", "checkpointing", "device", "layers"),
    [
        pytest.param("lora", 8, False, "cpu", 16, marks=pytest.mark.slow),
        ("lora", 8, True, "cuda", 16),
        *(
            pytest.param(*kind, checkpointing, device, 24, marks=pytest.mark.slow)
            for kind in (("lora", 8), ("dora", 4))
            for checkpointing in (False, True)
            for device in ("cpu", "cuda")
        ),
    ],
)
def test_the_line_through_two_depths_meets_the_count_of_all_layers(
    method: str, rank: int, checkpointing: bool, device: str, layers: int
) -> None:
    spec = toy_spec(method=method, rank=rank, alpha=16.0, dtype="bf16", device=device, batch_size=8, micro_batch=4)
    spec = replace(spec, max_tokens=512, checkpointing=checkpointing)
    config = loading.config_from(CONFIG | {"num_hidden_layers": layers})
    by_line = peak_memory.config_peak(config, spec, registry.method(method), ROWS)
    counted = peak_memory.config_counter(config, spec, registry.method(method), ROWS).peak
    assert by_line == pytest.approx(counted, rel=0.005)


def test_a_wide_vocabulary_moves_the_peak_of_full_fine_tuning_to_the_end_of_a_deep_models_backward_pass() -> None:
    """Four layers meet their peak at the output layer, thirty at the embedding: no line joins the two."""
    spec = toy_spec(method="full", rank=0, dtype="bf16", device="cpu", batch_size=16, micro_batch=6)
    shape = {"hidden_size": 576, "intermediate_size": 1536, "num_hidden_layers": 30, "tie_word_embeddings": True}
    config = loading.config_from(CONFIG | shape | {"vocab_size": 49_152})
    rows = [Pair((0,) * 94, (0,) * 2) for _ in range(16)]
    predicted = peak_memory.config_peak(config, spec, registry.method("full"), rows)
    assert predicted == peak_memory.config_counter(config, spec, registry.method("full"), rows).peak


def test_few_layers_and_layers_of_several_kinds_are_all_counted() -> None:
    assert peak_memory.with_layers(loading.config_from(CONFIG | {"num_hidden_layers": 12}), 6) is None
    gemma = loading.config_from(CONFIG | {"model_type": "gemma2", "head_dim": 32})
    assert peak_memory.with_layers(gemma, 6) is None
    part = peak_memory.with_layers(loading.config_from(CONFIG), 6)
    assert part is not None
    assert part.num_hidden_layers == 6
