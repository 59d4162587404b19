"""Reading prompts: small batches and shared beginnings give what each prompt gives alone."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from harness.model import generate, kv_cache, logits, prefill, prefix_tree
from tests.support.tiny_models import Deaf, toy_model

SHARED = [list(range(10, 60)), list(range(100, 150))]
PROMPTS = [
    [7],
    *([*SHARED[0], *range(200, 200 + n)] for n in (1, 4, 9)),
    list(range(60, 90)),
    *([*SHARED[1], *range(250, 250 + n)] for n in (3, 2)),
    list(range(20, 24)),
]
tokens = st.lists(st.integers(0, 2), min_size=1, max_size=60)


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prefix_tree, "READ_TOKENS", 80)


@given(st.lists(tokens, min_size=1, max_size=12), tokens)
def test_each_prompt_is_in_one_family_and_begins_as_all_of_it_do(prompts: list[list[int]], start: list[int]) -> None:
    prompts = [*prompts, *(start + prompt for prompt in prompts)]
    found = prefix_tree.families(prompts)
    assert sorted(i for family in found for i in family.members) == list(range(len(prompts)))
    for family in found:
        members = [prompts[i] for i in family.members]
        assert len({tuple(member[: family.shared]) for member in members}) == 1
        assert all(len(member) > family.shared for member in members), "one has no token of its own"
        assert family.tokens == family.shared + sum(len(member) - family.shared for member in members)
        assert len(members) == 1 or (
            family.shared >= prefix_tree.SHARED_TOKENS and family.tokens <= prefix_tree.READ_TOKENS
        )
        assert len(members) > 1 or family.shared == 0


@pytest.mark.parametrize("share", [False, True])
@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_a_batch_is_read_as_when_it_is_padded_and_read_at_once(attention: str, share: bool) -> None:
    model = toy_model()
    model.config._attn_implementation = attention
    assert [len(family.members) for family in prefix_tree.families(PROMPTS) if family.shared] == [3, 2]
    with torch.no_grad():
        found = prefill.read(model, PROMPTS, share=share)
        slow = prefill._read_padded(model, PROMPTS, kv_cache.roomy_cache(model.config), None)
    assert found.logits == pytest.approx(slow.logits, abs=1e-4)
    assert torch.equal(found.mask, slow.mask)
    assert torch.equal(found.lengths, slow.lengths)
    seen = found.mask.bool()[:, None, :, None]
    for ours, theirs in zip(found.cache.layers, slow.cache.layers, strict=True):
        assert (ours.keys * seen) == pytest.approx(theirs.keys * seen, abs=1e-4)
        assert (ours.values * seen) == pytest.approx(theirs.values * seen, abs=1e-4)


def test_what_is_written_after_shared_beginnings_is_what_transformers_generate_writes() -> None:
    model, stop = toy_model(), {0, *range(20, 60)}
    with torch.no_grad():
        assert prefill.shares(model, PROMPTS)
        ours = generate.choose(model, PROMPTS)(model, PROMPTS, stop, 20)
        alone = [generate.by_generate(model, [prompt], stop, 20)[0] for prompt in PROMPTS]
    assert [one.tokens for one in ours] == [one.tokens for one in alone]
    assert [one.loglik for one in ours] == pytest.approx([one.loglik for one in alone], abs=1e-3)


def test_shared_tokens_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    logits_at = logits.logits_at

    def count(model: Any, positions: torch.Tensor, **inputs: Any) -> torch.Tensor:
        read.append(inputs["input_ids"].numel())
        return logits_at(model, positions, **inputs)

    monkeypatch.setattr(prefill, "logits_at", count)
    monkeypatch.setattr(prefix_tree, "READ_TOKENS", 1000)
    prompts = [[*SHARED[0], n] for n in range(60, 70)]
    with torch.no_grad():
        prefill.read(toy_model(), prompts, share=True)
    assert read == [50 + 10]


def test_a_model_that_ignores_the_mask_reads_each_prompt_alone() -> None:
    with torch.no_grad():
        assert not prefill.shares(Deaf(), PROMPTS)


def test_nothing_is_shared_where_prompts_have_little_in_common() -> None:
    with torch.no_grad():
        assert not prefill.shares(toy_model(), [[1, 2, 3], [1, 2, 4], [5]])


def test_a_cache_with_a_window_is_read_in_one_padded_batch_and_writes_the_same() -> None:
    from transformers import MistralConfig, MistralForCausalLM

    torch.manual_seed(0)
    config = MistralConfig(
        vocab_size=300,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        sliding_window=8,
        initializer_range=0.2,
    )
    model = MistralForCausalLM(config).eval()
    assert not kv_cache.roomy(kv_cache.roomy_cache(model.config))
    with torch.no_grad():
        ours = generate.greedy(model, PROMPTS, {0}, 6)
        alone = [generate.by_generate(model, [prompt], {0}, 6)[0] for prompt in PROMPTS]
    assert [one.tokens for one in ours] == [one.tokens for one in alone]


def test_the_rows_of_every_call_are_passed_on_in_the_order_of_the_prompts() -> None:
    calls: list[list[int]] = []
    with torch.no_grad():
        prefill.read(toy_model(), PROMPTS, on_rows=lambda rows: calls.append(list(rows)))
    assert sorted(row for rows in calls for row in rows) == list(range(len(PROMPTS)))
    assert len(calls) > 1
    assert all(rows == sorted(rows) for rows in calls)
