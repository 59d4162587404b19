"""The training loop: one order and one loss for every method, and shortcuts that change nothing but cost."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import HarnessError
from harness.methods import full, lora, qlora
from harness.model import batch as model_batch
from harness.model import meter as memory
from harness.model.cpu_attention import fast_backward
from harness.model.logits import logits_at
from harness.model.tokenize import Pair, encode_train
from harness.training import loop
from tests.support.tiny_models import toy_examples, toy_folder, toy_model, toy_spec, toy_task, toy_tokenizer


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return toy_tokenizer()


@pytest.fixture(scope="module")
def pairs(tokenizer: Any) -> list[Pair]:
    return encode_train(tokenizer, toy_examples(24), toy_task(), 256, 0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy_folder(tmp_path_factory.mktemp("toy"))


def slow_loss(model: Any, rows: list[Pair]) -> torch.Tensor:
    """Mean nats per target token, one row at a time, logits everywhere, nothing clever."""
    nats = []
    for pair in rows:
        ids = torch.tensor([[*pair.prompt, *pair.target]])
        scores = torch.log_softmax(model(ids).logits[0], dim=-1)
        first = len(pair.prompt)
        nats += [-scores[first + i - 1, token] for i, token in enumerate(pair.target)]
    return torch.stack(nats).mean()


def step_gradients(rows: list[Pair], **changes: Any) -> tuple[float, list[torch.Tensor]]:
    """Loss and weights after one plain optimizer step."""
    model, spec = toy_model(), toy_spec(**changes)
    optimizer = loop.make_optimizer(model, spec)
    loss = loop.train_step(model, optimizer, rows, spec, 1e-3, padding=7)
    return loss.item(), [weight.detach() for weight in model.parameters()]


def test_the_loss_is_that_of_the_slow_obvious_way(pairs: list[Pair]) -> None:
    expected = slow_loss(toy_model(), pairs[:8]).item()
    assert step_gradients(pairs[:8])[0] == pytest.approx(expected, rel=1e-5)


def test_the_gradient_is_that_of_the_slow_obvious_way(pairs: list[Pair]) -> None:
    model, spec = toy_model(), toy_spec()
    slow_loss(model, pairs[:8]).backward()  # type: ignore[no-untyped-call]
    optimizer = loop.make_optimizer(model, spec)
    torch.nn.utils.clip_grad_norm_(model.parameters(), loop.CLIP_NORM)
    for group in optimizer.param_groups:
        group["lr"] = 1e-3
    optimizer.step()
    for ours, slow in zip(step_gradients(pairs[:8])[1], model.parameters(), strict=True):
        torch.testing.assert_close(ours, slow.detach(), rtol=1e-4, atol=2e-5)


def test_micro_batches_alter_memory_and_not_the_step(pairs: list[Pair]) -> None:
    whole, weights = step_gradients(pairs[:16], micro_batch=16)
    parts, same = step_gradients(pairs[:16], micro_batch=4)
    assert parts == pytest.approx(whole, rel=1e-5)
    for a, b in zip(weights, same, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=2e-5)


def test_padding_on_the_right_needs_no_mask(pairs: list[Pair]) -> None:
    ids, positions, _ = model_batch.collate(pairs[:6], 7, "cpu")
    widths = torch.tensor([len(pair) - 1 for pair in pairs[:6]])
    mask = (torch.arange(ids.shape[1])[None] < widths[:, None]).long()
    assert (mask == 0).any(), "rows of one length would show nothing"
    model = toy_model()
    with torch.no_grad():
        bare = logits_at(model, positions, input_ids=ids)
        masked = logits_at(model, positions, input_ids=ids, attention_mask=mask)
    torch.testing.assert_close(bare, masked, rtol=1e-4, atol=1e-4)


def test_logits_at_positions_are_those_of_the_whole_output(pairs: list[Pair]) -> None:
    ids, positions, labels = model_batch.collate(pairs[:4], 7, "cpu")
    model = toy_model()
    with torch.no_grad():
        everywhere = model(ids).logits.flatten(0, 1)
        torch.testing.assert_close(logits_at(model, positions, input_ids=ids), everywhere[positions])
    assert len(positions) == len(labels) == sum(len(pair.target) for pair in pairs[:4])
    assert not model.lm_head._forward_pre_hooks, "the model is left as it was"


def test_the_last_position_of_a_prompt_predicts_the_first_target_token() -> None:
    ids, positions, labels = model_batch.collate([Pair((5, 6), (8, 0)), Pair((5,), (9, 9, 0))], 7, "cpu")
    assert ids.tolist() == [[5, 6, 8], [5, 9, 9]]
    assert positions.tolist() == [1, 2, 3, 4, 5]
    assert labels.tolist() == [8, 0, 9, 9, 0]


@pytest.mark.parametrize("grouped", [1, 2])
def test_attention_with_an_fp32_backward_pass_gives_the_gradient_of_bf16(pairs: list[Pair], grouped: int) -> None:
    found = []
    for fast in (False, True):
        model = toy_model(num_key_value_heads=4 // grouped).train()
        ids, positions, labels = model_batch.collate(pairs[:4], 7, "cpu")
        with (
            fast_backward(model, dtype="bf16" if fast else "fp32", device="cpu"),
            torch.autocast("cpu", dtype=torch.bfloat16),
        ):
            logits = logits_at(model, positions, input_ids=ids)
        torch.nn.functional.cross_entropy(logits.float(), labels).backward()  # type: ignore[no-untyped-call]
        assert model.config._attn_implementation == "sdpa"
        found.append(model.model.layers[0].self_attn.q_proj.weight.grad)
    plain, ours = found
    assert (plain - ours).norm() < 0.05 * plain.norm()
    assert (plain != ours).any(), "the other path was not taken"


@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
@pytest.mark.parametrize("method", [full.METHOD, lora.METHOD, qlora.METHOD], ids=lambda method: str(method.name))
def test_training_lowers_the_loss_and_twice_the_same_gives_the_same_weights(
    folder: Path, tokenizer: Any, pairs: list[Pair], method: Any, dtype: str
) -> None:
    rate = 3e-3 if method.name == "full" else 1e-2
    rank = 4 if method.ranked else 0
    spec = toy_spec(method=method.name, rank=rank, alpha=32.0, dtype=dtype, epochs=4.0, learning_rate=rate)
    runs = []
    for _ in range(2):
        model = method.adapt(method.load(str(folder), spec), spec)
        before = [weight.clone() for weight in model.parameters() if not weight.requires_grad]
        result = loop.fit(model, tokenizer, pairs, spec)
        after = [weight for weight in model.parameters() if not weight.requires_grad]
        assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True)), "a frozen weight changed"
        runs.append((result.losses, [weight for weight in model.parameters() if weight.requires_grad]))
    (losses, weights), (again, same) = runs
    assert losses == again
    assert all(torch.equal(a, b) for a, b in zip(weights, same, strict=True))
    assert sum(losses[-3:]) < 0.75 * sum(losses[:3])


@given(lengths=st.lists(st.integers(2, 99), min_size=1, max_size=300), size=st.integers(1, 20), seed=st.integers(0, 9))
@settings(max_examples=50, deadline=None)
def test_every_epoch_takes_each_example_once_in_full_batches(lengths: list[int], size: int, seed: int) -> None:
    spec = toy_spec(batch_size=size, epochs=2.0, seed=seed)
    batches = loop.plan_batches(lengths, spec)
    half = len(batches) // 2
    for epoch in (batches[:half], batches[half:]):
        assert sorted(i for batch in epoch for i in batch) == list(range(len(lengths)))
        assert sorted(map(len, epoch), reverse=True)[: len(lengths) // size] == [size] * (len(lengths) // size)


def test_the_order_depends_on_the_seed_and_the_epoch_and_on_nothing_else() -> None:
    lengths = [10 + i % 37 for i in range(200)]
    plan = loop.plan_batches(lengths, toy_spec(epochs=2.0))
    other_method = toy_spec(epochs=2.0, method="lora", rank=8, alpha=32.0, learning_rate=1.0, dtype="bf16")
    assert plan == loop.plan_batches(lengths, other_method)
    assert plan != loop.plan_batches(lengths, toy_spec(epochs=2.0, seed=1))
    assert plan[: len(plan) // 2] != plan[len(plan) // 2 :]


def test_batches_hold_examples_of_like_length() -> None:
    lengths = [(i * 7919) % 200 + 20 for i in range(512)]
    batches = loop.plan_batches(lengths, toy_spec(batch_size=8))
    padded = sum(len(batch) * max(lengths[i] for i in batch) for batch in batches)
    assert padded < 1.1 * sum(lengths)


def test_a_share_of_an_epoch_is_a_share_of_its_steps() -> None:
    assert len(loop.plan_batches([9] * 80, toy_spec(epochs=0.5, batch_size=8))) == 5
    assert len(loop.plan_batches([9] * 3, toy_spec(epochs=0.1, batch_size=8))) == 1


def test_the_rate_warms_up_and_then_falls_towards_zero() -> None:
    rates = [loop.rate_at(1.0, 0.1, step, 100) for step in range(100)]
    assert rates[:10] == pytest.approx([0.1 * i for i in range(1, 11)])
    assert all(a > b for a, b in itertools.pairwise(rates[9:]))
    assert 0 < rates[-1] < 0.01
    assert loop.rate_at(1.0, 0.0, 0, 1) > 0


def test_decay_falls_on_matrices_only() -> None:
    decays = {
        weight.ndim: group["weight_decay"]
        for group in loop.make_optimizer(toy_model(), toy_spec(weight_decay=0.1)).param_groups
        for weight in group["params"]
    }
    assert decays == {2: 0.1, 1: 0.0}


def test_steps_are_told_and_add_up(tokenizer: Any, pairs: list[Pair]) -> None:
    told: list[loop.Step] = []
    result = loop.fit(toy_model(), tokenizer, pairs, toy_spec(epochs=2.0), on_step=told.append)
    assert [step.step for step in told] == [1, 2, 3, 4, 5, 6]
    assert {step.steps for step in told} == {6}
    assert tuple(step.loss for step in told) == result.losses
    assert sum(step.tokens for step in told) == result.tokens == 2 * sum(map(len, pairs))
    assert not result.stopped


def test_a_stop_is_heard_after_the_step(tokenizer: Any, pairs: list[Pair]) -> None:
    calls = iter([False, True])
    result = loop.fit(toy_model(), tokenizer, pairs, toy_spec(epochs=2.0), should_stop=lambda: next(calls))
    assert len(result.losses) == 2
    assert result.stopped


def test_the_measured_step_is_the_longest_from_the_second_on(tokenizer: Any, pairs: list[Pair]) -> None:
    spec = toy_spec(epochs=3.0)
    batches = loop.plan_batches([len(pair) for pair in pairs], spec)
    counted = loop.counted_step(pairs, batches, spec)
    sizes = [loop.padded_tokens([pairs[i] for i in batch], 8) for batch in batches]
    assert counted >= 1
    assert sizes[counted] == max(sizes[1:])


def test_the_parts_of_the_peak_add_up_to_it(tokenizer: Any, pairs: list[Pair]) -> None:
    model = toy_model()
    with memory.phase("cpu") as meter:
        result = loop.fit(model, tokenizer, pairs, toy_spec(), meter=meter)
    assert result.parts is not None
    assert meter.result is not None
    whole = sum(vars(result.parts).values())
    assert whole == result.peak_bytes == meter.result.peak_bytes
    weights = 4 * sum(weight.numel() for weight in model.parameters())
    assert result.parts.trained_weights == weights
    assert result.parts.optimizer_state == pytest.approx(2 * weights, rel=0.01)
    assert result.parts.frozen_weights < 100, "two vectors of rotary frequencies"
    assert result.parts.activations_and_rest > 0
    assert meter.result.tokens == result.tokens


def test_training_of_a_single_step_took_the_time_that_it_took(tokenizer: Any, pairs: list[Pair]) -> None:
    told: list[loop.Step] = []
    model = toy_model()
    with memory.phase("cpu") as meter:
        result = loop.fit(model, tokenizer, pairs[:8], toy_spec(), on_step=told.append, meter=meter)
    (step,) = told
    assert meter.result is not None
    assert meter.excluded_seconds == pytest.approx(0.0, abs=1e-9)
    assert result.seconds == pytest.approx(step.seconds)
    assert result.tokens_per_second == pytest.approx(result.tokens / step.seconds)
    assert meter.result.seconds >= step.seconds > 0


def test_training_of_several_steps_leaves_out_what_counting_cost(tokenizer: Any, pairs: list[Pair]) -> None:
    told: list[loop.Step] = []
    with memory.phase("cpu") as meter:
        result = loop.fit(toy_model(), tokenizer, pairs, toy_spec(epochs=2.0), on_step=told.append, meter=meter)
    batches = loop.plan_batches([len(pair) for pair in pairs], toy_spec(epochs=2.0))
    counted = 1 + loop.counted_step(pairs, batches, toy_spec())
    plain = [step for step in told if step.step != counted]
    assert len(plain) == len(told) - 1
    assert result.tokens_per_second == pytest.approx(sum(s.tokens for s in plain) / sum(s.seconds for s in plain))
    assert result.seconds == pytest.approx(result.tokens / result.tokens_per_second)
    assert meter.result is not None
    assert meter.result.seconds > 0.9 * sum(step.seconds for step in plain)


def test_a_loss_that_is_not_a_number_ends_training_with_its_step(tokenizer: Any, pairs: list[Pair]) -> None:
    model = toy_model()
    with torch.no_grad():
        model.model.norm.weight.fill_(math.nan)
    with pytest.raises(loop.TrainingFailed, match="loss is nan at step 1 of 3") as caught:
        loop.fit(model, tokenizer, pairs, toy_spec())
    assert "learning rate" in caught.value.fix


def test_nothing_to_train_on_is_refused(tokenizer: Any) -> None:
    with pytest.raises(HarnessError, match="no training examples"):
        loop.fit(toy_model(), tokenizer, [], toy_spec())
