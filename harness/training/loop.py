"""One training loop for every method: the same conditions and the same measurements for all.

Equal for all are examples per optimizer step, their order, the loss (mean over the target tokens of the step), optimizer,
schedule and clipping. The method alone decides which weights train.
"""

from __future__ import annotations

import contextlib
import math
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import torch

from harness.errors import DIVERGED, HarnessError, one_line
from harness.model.batch import collate
from harness.model.cpu_attention import fast_backward
from harness.model.loading import precision
from harness.model.logits import logits_at
from harness.model.meter import Meter, PeakCount, parts
from harness.model.tokenize import Pair
from harness.record import Parts, RunSpec
from harness.schedule import planned_steps
from harness.schedule import rate_at as rate_at
from harness.training.selection import Selector
from harness.training.state import Keeper, Position, capture, restore

WINDOW = 8  # batches that are sorted by length together
CLIP_NORM = 1.0
BETAS = (0.9, 0.999)

if TYPE_CHECKING:
    from harness.training.shard import Shards

Penalty = Callable[[Any], torch.Tensor]
AfterStep = Callable[[Any, int, int], None]
MakeOptimizer = Callable[[Sequence[dict[str, Any]], float, tuple[float, float]], torch.optim.Optimizer]


class TrainingFailed(HarnessError):
    """An error for a loss that is not finite: the run ends as `failed`, other runs go on."""


@dataclass(frozen=True)
class Step:
    """One optimizer step, as passed to `on_step`. `step` counts from 1; `tokens` are the step's, without padding."""

    step: int
    steps: int
    loss: float
    tokens: int
    learning_rate: float
    seconds: float


@dataclass(frozen=True)
class FitResult:
    """The cost of training and the course of the loss.

    `losses` are nats per target token, one per step. `tokens` are prompt and target tokens without padding.
    `seconds` excludes the time for counting bytes, and `tokens_per_second` is over the other steps. If there is one step
    only, it is counted, and both include the time for counting.
    `peak_bytes` is that of the step with the longest batch (CUDA: of all steps), and `parts` add up to it. `parts` is None
    if training was stopped before that step. `stopped` is True if `should_stop` ended training early.
    """

    losses: tuple[float, ...]
    tokens: int
    seconds: float
    tokens_per_second: float
    peak_bytes: int
    parts: Parts | None
    stopped: bool = False


def fit(
    model: Any,
    tokenizer: Any,
    pairs: Sequence[Pair],
    spec: RunSpec,
    *,
    on_step: Callable[[Step], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
    meter: Meter | None = None,
    rate_factor: Callable[[str], float] | None = None,
    make: MakeOptimizer | None = None,
    steps: range | None = None,
    penalty: Penalty | None = None,
    after_step: AfterStep | None = None,
    keeper: Keeper | None = None,
    selector: Selector | None = None,
    shards: Shards | None = None,
) -> FitResult:
    """Return the result of training the weights with `requires_grad` for `spec.epochs` passes over the pairs.

    Args:
        model: the model from its method's `adapt`.
        tokenizer: gives the padding token; any token will do, since padding is never attended to.
        pairs: the encoded training examples.
        spec: gives batch, rate, schedule, seed and precision.
        on_step: called after each optimizer step.
        should_stop: called after each step; True ends training.
        meter: the meter of the enclosing phase; receives the peak, the tokens and the seconds to exclude.
        rate_factor: the method's factor, see `Method`.
        make: the method's own optimizer, see `Method`.
        steps: the planned steps to take, counted from 0, or None for all.
        penalty: the method's term of the loss, see `Method`; logged losses are without it, so that methods compare.
        after_step: the method's own work after each step, see `Method`.
        keeper: stores the state now and then; if it has that of an interrupted training, this one goes on from there, and
            `on_step` is called for the steps that are left.
        selector: measures the validation loss; the model ends with the weights of its lowest, unless training is stopped.
        shards: the processes over which the model is divided; each calls this with all pairs.

    Raises:
        HarnessError: there are no training examples.
        TrainingFailed: the loss is not finite.
    """
    if not pairs:
        raise HarnessError("no training examples", where=f"task {spec.task}", fix="check the data's train split")
    torch.manual_seed(spec.seed + (shards.rank if shards else 0))  # dropout
    batches = plan_batches([len(pair) for pair in pairs], spec)
    counted = counted_step(pairs, batches, spec)
    optimizer = make_optimizer(model, spec, rate_factor, make)
    meter = meter or Meter(spec.device)
    padding = padding_token(tokenizer, model)
    make_ready(model, spec)
    numbers = range(len(batches)) if steps is None else steps
    state = keeper.take() if keeper else None
    position = restore(state, model, optimizer, meter, Step, selector) if state else Position()
    del state  # its tensors are in memory a second time
    history, count = list(position.history), position.count
    with fast_backward(model, dtype=spec.dtype, device=spec.device):
        for number in numbers[len(history) :]:
            rows = [pairs[index] for index in batches[number]]
            rate = rate_at(spec.learning_rate, spec.warmup, number, len(batches))
            start = time.perf_counter()
            follow = partial(after_step, model, number + 1, len(batches)) if after_step else None
            with meter.counting(model, optimizer) if number == counted else contextlib.nullcontext() as now:
                loss = train_step(model, optimizer, rows, spec, rate, padding, penalty, follow, shards).item()
            if now:
                count = PeakCount(now.peak, now.gradients_at_peak, now.optimizer_at_peak)
            seconds = time.perf_counter() - start
            history.append(Step(number + 1, len(batches), loss, sum(map(len, rows)), rate, seconds))
            _refuse_divergence(history[-1], spec)
            if on_step:
                on_step(history[-1])
            stop = should_stop is not None and should_stop()
            with meter.pause():
                if selector:
                    selector.measure(model, history[-1].step, len(batches), padding)
                if keeper:
                    now_state = partial(capture, model, optimizer, history, count, meter, selector)
                    keeper.offer(now_state, urgent=stop, is_last=len(history) == len(numbers))
            if stop:
                break
    if selector and len(history) == len(numbers):
        selector.choose(model)
    model.eval()  # this ends checkpointing, too
    result = _summarise(model, optimizer, history, counted, count, meter)
    return replace(result, stopped=len(history) < len(numbers))


def make_ready(model: Any, spec: RunSpec) -> None:
    """Set a model to training mode, with activation checkpointing if the spec has it.

    Raises:
        HarnessError: the architecture cannot compute its layers again in the backward pass.
    """
    model.train()
    if not spec.checkpointing:
        return
    enable = getattr(model, "activation_checkpointing_enable", None) or model.gradient_checkpointing_enable
    try:  # without dropout there are no random numbers to repeat
        enable({"use_reentrant": False, "preserve_rng_state": spec.dropout > 0})
    except ValueError as error:
        problem = f"this architecture does not support activation checkpointing: {one_line(error)}"
        raise HarnessError(problem, where=spec.model, fix="run it without --checkpointing") from error


def _refuse_divergence(step: Step, spec: RunSpec) -> None:
    if not math.isfinite(step.loss):
        raise TrainingFailed(
            f"{DIVERGED} {step.loss} at step {step.step} of {step.steps}",
            where=f"{spec.name}, learning rate {spec.learning_rate:g}",
            fix="lower the learning rate (--learning-rate)",
        )


def _summarise(
    model: Any,
    optimizer: torch.optim.Optimizer,
    steps: Sequence[Step],
    counted: int,
    count: PeakCount | None,
    meter: Meter,
) -> FitResult:
    """Return the result of the steps, and add their tokens and seconds to the phase's meter."""
    plain = [step for step in steps if step.step != counted + 1]
    timed = plain or steps  # a single step is timed with the counter only
    tokens = sum(step.tokens for step in steps)
    rate = sum(step.tokens for step in timed) / sum(step.seconds for step in timed)
    allocated, *_ = meter.peaks()
    peak = allocated or (count.peak if count else 0)
    meter.tokens += tokens
    meter.restore((tokens - sum(step.tokens for step in plain)) / rate)
    return FitResult(
        losses=tuple(step.loss for step in steps),
        tokens=tokens,
        seconds=tokens / rate,
        tokens_per_second=rate,
        peak_bytes=peak,
        parts=parts(model, count, peak) if count else None,
    )


def train_step(
    model: Any,
    optimizer: torch.optim.Optimizer,
    rows: Sequence[Pair],
    spec: RunSpec,
    rate: float,
    padding: int,
    penalty: Penalty | None = None,
    follow: Callable[[], None] | None = None,
    shards: Shards | None = None,
) -> torch.Tensor:
    """Return the loss of one optimizer step over `rows`: mean nats per target token, a detached scalar.

    `penalty` is a term of the loss that is not returned; `follow` is called after the step, before gradients are freed.

    Each micro-batch adds its sum divided by the tokens of the step, so that the split into micro-batches changes memory but
    not the gradient.
    """
    targets = sum(len(pair.target) for pair in rows)
    total = torch.zeros((), device=spec.device)
    starts = range(0, len(rows), spec.micro_batch)
    chunks = [(rows[start : start + spec.micro_batch], targets) for start in starts]
    for chunk, divisor in shards.chunks(rows, spec.micro_batch, targets) if shards else chunks:
        ids, positions, labels = collate(chunk, padding, spec.device)
        with precision(spec):
            # Padding is on the right, so a causal model's real tokens never see it. Without an attention mask the fast
            # attention kernels can run.
            logits = logits_at(model, positions, input_ids=ids, use_cache=False)
        loss = torch.nn.functional.cross_entropy(logits.float(), labels, reduction="sum") / divisor
        del logits
        loss.backward()  # type: ignore[no-untyped-call]
        total += loss.detach()
    if penalty:
        penalty(model).backward()  # type: ignore[no-untyped-call]
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    (shards.clip if shards else torch.nn.utils.clip_grad_norm_)(weights, CLIP_NORM)
    for group in optimizer.param_groups:
        group["lr"] = rate * group["factor"]
    optimizer.step()
    if follow:
        follow()
    optimizer.zero_grad(set_to_none=True)
    return shards.total(total) if shards else total


def padding_token(tokenizer: Any, model: Any = None) -> int:
    """Return the token for padding rows, to which no real token attends: the tokenizer's padding token, else its end token.

    If the model has an embedding for neither, it is the first token of the vocabulary. A tokenizer may have a padding token
    that was added to it and not to the model.
    """
    tokens = [int(token) for token in (tokenizer.pad_token_id, tokenizer.eos_token_id) if token is not None]
    rows = math.inf if model is None else model.get_input_embeddings().weight.shape[0]
    return next((token for token in tokens if token < rows), 0)


def make_optimizer(
    model: Any,
    spec: RunSpec,
    rate_factor: Callable[[str], float] | None = None,
    make: MakeOptimizer | None = None,
) -> torch.optim.Optimizer:
    """Return AdamW over the trained weights, or the method's own optimizer.

    Weight decay applies to matrices only, and each group has the `factor` of its rate. The fused kernel updates every weight
    in one pass and needs no temporary copies, unlike the foreach kernel.
    """
    by_kind: dict[tuple[bool, float], list[Any]] = {}
    for name, weight in model.named_parameters():
        if weight.requires_grad:
            by_kind.setdefault((weight.ndim < 2, rate_factor(name) if rate_factor else 1.0), []).append(weight)
    groups = [
        {"params": by_kind[key], "weight_decay": 0.0 if key[0] else spec.weight_decay, "factor": key[1]}
        for key in sorted(by_kind)
    ]
    if make:
        return make(groups, spec.learning_rate, BETAS)
    return adamw(groups, spec.learning_rate, BETAS)


def adamw(groups: Sequence[dict[str, Any]], rate: float, betas: tuple[float, float]) -> torch.optim.Optimizer:
    """Return the optimizer of all methods without their own."""
    return torch.optim.AdamW(list(groups), lr=rate, betas=betas, fused=True)


def plan_batches(lengths: Sequence[int], spec: RunSpec) -> list[list[int]]:
    """Return the indices of each optimizer step's examples, over all epochs.

    They depend on the lengths, the batch size, the epochs and the seed, never on the method. Within windows of eight
    batches the examples are sorted by length to reduce padding; the batches are then shuffled.
    """
    per_epoch = math.ceil(len(lengths) / spec.batch_size)
    steps = planned_steps(len(lengths), spec)
    batches: list[list[int]] = []
    for epoch in range(math.ceil(steps / per_epoch)):
        batches += _epoch_batches(lengths, spec.batch_size, random.Random(f"{spec.seed} {epoch}"))
    return batches[:steps]


def _epoch_batches(lengths: Sequence[int], size: int, chance: random.Random) -> list[list[int]]:
    order = list(range(len(lengths)))
    chance.shuffle(order)
    batches = []
    for start in range(0, len(order), size * WINDOW):
        window = sorted(order[start : start + size * WINDOW], key=lambda index: (-lengths[index], index))
        batches += [window[cut : cut + size] for cut in range(0, len(window), size)]
    chance.shuffle(batches)
    return batches


def counted_step(pairs: Sequence[Pair], batches: Sequence[Sequence[int]], spec: RunSpec) -> int:
    """Return the index of the step whose bytes are counted: the longest from the second step on.

    The first step is excluded because the optimizer has no state yet.
    """
    candidates = range(min(1, len(batches) - 1), len(batches))
    return max(candidates, key=lambda number: padded_tokens([pairs[i] for i in batches[number]], spec.micro_batch))


def padded_tokens(rows: Sequence[Pair], micro_batch: int) -> int:
    """Return rows x width of the largest micro-batch of a step, which decides the step's memory."""
    chunks = [rows[start : start + micro_batch] for start in range(0, len(rows), micro_batch)]
    return max(len(chunk) * max(map(len, chunk)) for chunk in chunks)
