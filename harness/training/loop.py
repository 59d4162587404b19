"""One training loop for every method: what is held equal and what is measured stand here, in one place.

Held equal: examples per optimizer step, their order, the loss (mean over the target tokens of the step), optimizer,
schedule and clipping. The method has decided before what trains.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from harness.errors import DIVERGED, HarnessError, one_line
from harness.model import meter as memory
from harness.model.batch import collate
from harness.model.byte_counter import ByteCounter
from harness.model.cpu_attention import fast_backward
from harness.model.loading import precision
from harness.model.logits import logits_at
from harness.model.tokenize import Pair
from harness.record import Parts, RunSpec
from harness.training.clients import planned_steps

WINDOW = 8  # batches that are sorted by length together
CLIP_NORM = 1.0
BETAS = (0.9, 0.999)

MakeOptimizer = Callable[[Sequence[dict[str, Any]], float, tuple[float, float]], torch.optim.Optimizer]


class TrainingFailed(HarnessError):
    """The loss stopped being a number: the run ends as `failed`, the others go on."""


@dataclass(frozen=True)
class Step:
    """One optimizer step as `on_step` sees it. `step` counts from 1; `tokens` are the step's, without padding."""

    step: int
    steps: int
    loss: float
    tokens: int
    learning_rate: float
    seconds: float


@dataclass(frozen=True)
class FitResult:
    """What training cost and how the loss went.

    `losses` are nats per target token, one per step. `tokens` are prompt and target tokens without padding.
    `seconds` leaves out what counting bytes cost; `tokens_per_second` is over the steps that were not counted. Where
    there is one step only, it is counted, and both hold what counting cost.
    `peak_bytes` is that of the step with the longest batch (CUDA: of all steps), and `parts` add up to it; None
    where training was stopped before that step. `stopped` says that `should_stop` ended training early.
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
    meter: memory.Meter | None = None,
    rate_factor: Callable[[str], float] | None = None,
    make: MakeOptimizer | None = None,
    steps: range | None = None,
) -> FitResult:
    """Train what `requires_grad` marks, for `spec.epochs` passes over the pairs.

    Args:
        model: as its method's `adapt` returned it.
        tokenizer: names the padding token; any token does, since padding is never attended to.
        pairs: the encoded training examples.
        spec: gives batch, rate, schedule, seed and precision.
        on_step: called after each optimizer step.
        should_stop: asked after each step; True ends training there.
        meter: of the enclosing phase; told the peak, the tokens and what to leave out of its seconds.
        rate_factor: of the method, see `Method`.
        make: the method's own optimizer, see `Method`.
        steps: which of the planned steps to take, counted from 0; None is all.

    Raises:
        HarnessError: there is nothing to train on.
        TrainingFailed: the loss is not finite.
    """
    if not pairs:
        raise HarnessError("no training examples", where=f"task {spec.task}", fix="check the data's train split")
    torch.manual_seed(spec.seed)  # dropout
    batches = plan_batches([len(pair) for pair in pairs], spec)
    counted = counted_step(pairs, batches, spec)
    optimizer = make_optimizer(model, spec, rate_factor, make)
    meter = meter or memory.Meter(spec.device)
    padding = padding_token(tokenizer)
    make_ready(model, spec)
    asked = range(len(batches)) if steps is None else steps
    taken: list[Step] = []
    counter: ByteCounter | None = None
    with fast_backward(model, dtype=spec.dtype, device=spec.device):
        for number in asked:
            rows = [pairs[index] for index in batches[number]]
            rate = scheduled(spec.learning_rate, spec.warmup, number, len(batches))
            started = time.perf_counter()
            if number == counted:
                with meter.counting(model, optimizer) as counter:
                    loss = train_step(model, optimizer, rows, spec, rate, padding).item()
            else:
                loss = train_step(model, optimizer, rows, spec, rate, padding).item()
            seconds = time.perf_counter() - started
            taken.append(Step(number + 1, len(batches), loss, sum(map(len, rows)), rate, seconds))
            _refuse_divergence(taken[-1], spec)
            if on_step:
                on_step(taken[-1])
            if should_stop and should_stop():
                break
    model.eval()  # which checkpointing keeps out of, too
    result = _summarise(model, optimizer, taken, counted, counter, meter)
    return replace(result, stopped=len(taken) < len(asked))


def make_ready(model: Any, spec: RunSpec) -> None:
    """Put a model into training mode, with activation checkpointing where the spec asks for it.

    Raises:
        HarnessError: the architecture cannot compute its layers again in the backward pass.
    """
    model.train()
    if not spec.checkpointing:
        return
    enable = getattr(model, "activation_checkpointing_enable", None) or model.gradient_checkpointing_enable
    try:  # without dropout there is no chance to repeat
        enable({"use_reentrant": False, "preserve_rng_state": spec.dropout > 0})
    except ValueError as error:
        problem = f"this architecture knows no activation checkpointing: {one_line(error)}"
        raise HarnessError(problem, where=spec.model, fix="leave --checkpointing out") from error


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
    counter: ByteCounter | None,
    meter: memory.Meter,
) -> FitResult:
    """Turn the steps done into a `FitResult`, and tell the phase's meter."""
    plain = [step for step in steps if step.step != counted + 1]
    timed = plain or steps  # of a single step the time is known with the counter only
    tokens = sum(step.tokens for step in steps)
    rate = sum(step.tokens for step in timed) / sum(step.seconds for step in timed)
    allocated, _ = memory.cuda_peaks(meter.device)
    peak = allocated or (counter.peak if counter else 0)
    meter.tokens += tokens
    meter.restore((tokens - sum(step.tokens for step in plain)) / rate)
    return FitResult(
        losses=tuple(step.loss for step in steps),
        tokens=tokens,
        seconds=tokens / rate,
        tokens_per_second=rate,
        peak_bytes=peak,
        parts=memory.parts(model, counter, peak) if counter else None,
    )


def train_step(
    model: Any, optimizer: torch.optim.Optimizer, rows: Sequence[Pair], spec: RunSpec, rate: float, padding: int
) -> torch.Tensor:
    """Do one optimizer step over `rows` and return its loss: mean nats per target token, a scalar, detached.

    Each micro-batch adds its sum over the tokens of the whole step, so that the split into micro-batches alters
    memory and not the gradient.
    """
    targets = sum(len(pair.target) for pair in rows)
    total = torch.zeros((), device=spec.device)
    for start in range(0, len(rows), spec.micro_batch):
        ids, positions, labels = collate(rows[start : start + spec.micro_batch], padding, spec.device)
        with precision(spec):
            # Padding is on the right, so a causal model's real tokens never see it: no attention mask, which leaves
            # the fast attention kernels free to run.
            logits = logits_at(model, positions, input_ids=ids, use_cache=False)
        loss = torch.nn.functional.cross_entropy(logits.float(), labels, reduction="sum") / targets
        del logits
        loss.backward()  # type: ignore[no-untyped-call]
        total += loss.detach()
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    torch.nn.utils.clip_grad_norm_(weights, CLIP_NORM)
    for group in optimizer.param_groups:
        group["lr"] = rate * group["factor"]
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return total


def padding_token(tokenizer: Any) -> int:
    """Return a token to fill rows with: the tokenizer's own, else its end token. No real token attends to it."""
    own = tokenizer.pad_token_id
    return int(own if own is not None else tokenizer.eos_token_id)


def make_optimizer(
    model: Any,
    spec: RunSpec,
    rate_factor: Callable[[str], float] | None = None,
    make: MakeOptimizer | None = None,
) -> torch.optim.Optimizer:
    """Return AdamW over what trains, or what the method makes instead; weight decay on matrices only, each group with
    the `factor` of its rate.

    The fused kernel updates every weight in one pass and, unlike the foreach one, needs no temporary copies.
    """
    alike: dict[tuple[bool, float], list[Any]] = {}
    for name, weight in model.named_parameters():
        if weight.requires_grad:
            alike.setdefault((weight.ndim < 2, rate_factor(name) if rate_factor else 1.0), []).append(weight)
    groups = [
        {"params": alike[key], "weight_decay": 0.0 if key[0] else spec.weight_decay, "factor": key[1]}
        for key in sorted(alike)
    ]
    if make:
        return make(groups, spec.learning_rate, BETAS)
    return adamw(groups, spec.learning_rate, BETAS)


def adamw(groups: Sequence[dict[str, Any]], rate: float, betas: tuple[float, float]) -> torch.optim.Optimizer:
    """Return the optimizer of all methods that do not bring their own."""
    return torch.optim.AdamW(list(groups), lr=rate, betas=betas, fused=True)


def scheduled(peak: float, warmup: float, step: int, steps: int) -> float:
    """Return the learning rate of step `step` (from 0) of `steps`: linear warm-up over the share `warmup` of them,
    then a cosine that would reach zero one step after the last."""
    ramp = max(1, round(warmup * steps))
    if step < ramp:
        return peak * (step + 1) / ramp
    return peak * 0.5 * (1 + math.cos(math.pi * (step + 1 - ramp) / (steps + 1 - ramp)))


def plan_batches(lengths: Sequence[int], spec: RunSpec) -> list[list[int]]:
    """Return the indices of each optimizer step's examples, over all epochs.

    Depends on the lengths, the batch size, the epochs and the seed, never on the method. Within windows of eight
    batches the examples are sorted by length, so that little padding is computed; the batches are then shuffled.
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
    """Return the index of the step whose bytes are counted: the longest from the second on.

    From the second step on the optimizer's state exists, as in every later step.
    """
    candidates = range(min(1, len(batches) - 1), len(batches))
    return max(candidates, key=lambda number: padded_tokens([pairs[i] for i in batches[number]], spec.micro_batch))


def padded_tokens(rows: Sequence[Pair], micro_batch: int) -> int:
    """Return rows x width of the largest micro-batch of a step: what decides its memory."""
    chunks = [rows[start : start + micro_batch] for start in range(0, len(rows), micro_batch)]
    return max(len(chunk) * max(map(len, chunk)) for chunk in chunks)
