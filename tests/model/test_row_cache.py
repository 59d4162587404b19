"""Rows that join and leave a cache: every text's next tokens are those of the text alone, whenever it came."""

from __future__ import annotations

import random
from typing import Any

import pytest
import torch

from harness.model import prefill
from harness.model.kv_cache import roomy_cache
from harness.model.row_cache import RowCache, joinable
from tests.support.tiny_models import toy_model


def windowed_model() -> Any:
    """Return a model whose layers see all tokens and the last 8 in turn, as Gemma's do."""
    from transformers import Gemma3ForCausalLM, Gemma3TextConfig

    torch.manual_seed(0)
    config = Gemma3TextConfig(
        vocab_size=300,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        sliding_window=8,
        layer_types=["sliding_attention", "full_attention"],
        max_position_embeddings=256,
        initializer_range=0.2,
    )
    return Gemma3ForCausalLM(config).eval()


def greedy(model: Any, prompt: list[int], count: int) -> list[int]:
    """Return the likeliest tokens after a prompt, each from the whole text before it."""
    text = list(prompt)
    for _ in range(count):
        text.append(int(model(torch.tensor([text]), use_cache=False).logits[0, -1].argmax()))
    return text[len(prompt) :]


@pytest.mark.parametrize("make", [toy_model, windowed_model])
@torch.inference_mode()
def test_rows_that_join_and_leave_at_any_time_are_continued_as_alone(make: Any) -> None:
    model, chance = make(), random.Random(0)
    cache: RowCache | None = None
    lines: list[int] = []  # the text of each row
    prompts = [[chance.randrange(1, 300) for _ in range(chance.choice([1, 3, 9, 20, 40]))] for _ in range(14)]
    counts = [chance.choice([1, 2, 5, 12]) for _ in prompts]
    found: list[list[int]] = [[] for _ in prompts]
    waiting = list(range(len(prompts)))
    while waiting or lines:
        if waiting and (not lines or chance.random() < 0.5):
            new, waiting = waiting[:2], waiting[2:]
            state = prefill.read(model, [prompts[i] for i in new])
            for i, token in zip(new, state.logits.argmax(-1).tolist(), strict=True):
                found[i].append(token)
            both = [*lines, *new]
            order = [line for line, i in enumerate(both) if len(found[i]) < counts[i] or i in new]
            chance.shuffle(order)
            if cache is None:
                cache, lines = RowCache.of(state), new
            else:
                cache.join(RowCache.of(state), order)
                lines = [both[line] for line in order]
        assert cache is not None
        if alive := [line for line, i in enumerate(lines) if len(found[i]) < counts[i]]:
            cache.select(alive)
            lines = [lines[line] for line in alive]
            logits = cache.append(model, torch.tensor([found[i][-1] for i in lines]))
            for i, token in zip(lines, logits.argmax(-1).tolist(), strict=True):
                found[i].append(token)
            assert cache.mask.shape[1] == int(cache.lengths.max())
        else:
            cache, lines = None, []
    assert found == [greedy(model, prompt, count) for prompt, count in zip(prompts, counts, strict=True)]


def test_rows_join_where_all_layers_are_keys_and_values() -> None:
    from transformers import FalconH1Config

    assert joinable(roomy_cache(toy_model().config))
    assert joinable(roomy_cache(windowed_model().config))
    assert not joinable(roomy_cache(FalconH1Config()))
