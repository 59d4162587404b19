"""Trains `tiny` from scratch on `skills.py`; stops and resumes at any time.

    python -m harness.tiny.pretrain --steps 6000 --work FOLDER

Each step's batch is a function of (seed, step, shard), so a resumed run sees what an unbroken one would. The attention starts
as a circuit that copies (`circuit.py`); sequences of repeated random tokens keep it up. Examples are easy ones at
first, fewer of them later. The loss counts answers and repeats fully and the rest of the text, mostly unpredictable,
hardly.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import time
from pathlib import Path
from typing import Any

import torch
from torch import distributed
from torch.nn import functional

from harness.tiny import circuit, draws, skills
from harness.tiny.tokenizer import FOLDER

SEED = 20
TOKENS = 4096  # a step
SHARDS = 2  # parts of a step's batch, each with a loss of its own
LENGTHS = ((0.15, 128), (0.7, 256), (1.0, 384))  # up to that share of the steps, sequences of so many tokens
ANSWERS = 0.3  # of a step's positions, the most that the loss looks at
PEAK_RATE = 1.3e-3
WARM_UP = 100  # steps
REST_SHARE = 0.04  # of the positions outside answers and repeats, the share that the loss sees at all
REST_WEIGHT = 0.5
KEYS_ALONE = 250  # steps at the start with nothing but keys and their values
FIRST_PLAIN_TOKEN = 259  # after the special and byte tokens


def make_model(tokenizer: Any) -> Any:
    """Return the untrained model."""
    from transformers import LlamaConfig, LlamaForCausalLM

    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=192,
            intermediate_size=512,
            num_hidden_layers=5,
            num_attention_heads=6,
            num_key_value_heads=6,
            max_position_embeddings=1024,
            rope_parameters={"rope_type": "default", "rope_theta": 100_000.0},
            tie_word_embeddings=True,
            bos_token_id=1,
            eos_token_id=2,
            pad_token_id=2,
            initializer_range=0.07,  # about 1 / sqrt(hidden): at the usual 0.02 so narrow a model hardly starts to learn
        )
    )
    circuit.start_copying(model, tokenizer.convert_ids_to_tokens(list(range(len(tokenizer)))))
    return model


def repeated(rng: random.Random, length: int, vocabulary: int, end: int) -> tuple[list[int], list[int]]:
    """Return spans of random tokens said several times, with marks: 1 where a repeat can be predicted, else -1.

    Each sequence keeps to a random part of the vocabulary, often a small one: with few tokens about, attending to the
    earlier ones pays at once, and copying forms out of that far sooner than from the whole vocabulary.
    """
    tokens: list[int] = []
    marks: list[int] = []
    part = rng.sample(range(FIRST_PLAIN_TOKEN, vocabulary), rng.choice([8, 24, 80, 400, vocabulary // 2]))
    while len(tokens) < length:
        span = rng.choices(part, k=rng.randint(3, rng.choice([12, 40, length // 3])))
        tokens += span
        marks += [-1] * len(span)
        for _ in range(rng.randint(1, 4 if len(span) < 20 else 1)):
            gap = rng.choices(part, k=rng.choice([0, 0, 4, 30]))
            tokens += gap + span
            marks += [-1] * (len(gap) + 1) + [1] * (len(span) - 1)
        tokens.append(end)
        marks.append(-1)
    return tokens[:length], marks[:length]


def documents(rng: draws.Draw, length: int, tokenizer: Any, easy_share: float) -> tuple[list[int], list[int]]:
    """Return a sequence packed with questions of the skills, with marks: 1 on answers and their ends, 0 elsewhere."""
    tokens: list[int] = []
    marks: list[int] = []
    while len(tokens) < length:
        rng.easy = rng.random() < easy_share
        pairs = skills.keys(rng) if easy_share == 1.0 else skills.draw(rng)
        for n, (prompt, answer) in enumerate(pairs):
            head = tokenizer(f"\n\n{prompt}" if n else prompt, add_special_tokens=False)["input_ids"]
            tail = [*tokenizer(answer, add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]
            tokens += head + tail
            marks += [0] * len(head) + [1] * len(tail)
    return tokens[:length], marks[:length]


def batch(step: int, steps: int, tokenizer: Any, shard: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the tokens [rows, length], the positions to predict from [n] (flat) and their weights [n] of a shard.

    n depends on the length alone, so that the step compiles once a length; positions that are left over weigh nothing.
    """
    rng = draws.Draw(f"{SEED}/{step}/{shard}")
    length = next(length for share, length in LENGTHS if step < share * steps)
    repeats = 0.15 if length == LENGTHS[0][1] else 0.04
    easy_share = 1.0 if step < KEYS_ALONE else max(0.1, 0.95 - 3.0 * step / steps)
    rows = [
        repeated(rng, length, len(tokenizer), tokenizer.eos_token_id)
        if rng.random() < repeats
        else documents(rng, length, tokenizer, easy_share)
        for _ in range(max(1, TOKENS // SHARDS // length))
    ]
    chosen = [
        (row * length + column, 1.0 if mark == 1 else REST_WEIGHT)
        for row, (_, marks) in enumerate(rows)
        for column, mark in enumerate(marks[1:])
        if mark == 1 or (mark == 0 and rng.random() < REST_SHARE)
    ]
    most = int(ANSWERS * length * len(rows))
    chosen = sorted(rng.sample(chosen, most)) if len(chosen) > most else chosen + [(0, 0.0)] * (most - len(chosen))
    positions, weights = zip(*chosen, strict=True)
    return torch.tensor([tokens for tokens, _ in rows]), torch.tensor(positions), torch.tensor(weights)


def attend(module: Any, query: Any, key: Any, value: Any, mask: Any, scaling: float, **_: Any) -> tuple[Any, None]:
    """Attend causally in fp32: PyTorch's gradient of bf16 attention is slow on the CPU."""
    with torch.autocast("cpu", enabled=False):
        inputs = (query.float(), key.float(), value.float())
        output = functional.scaled_dot_product_attention(*inputs, is_causal=True, scale=scaling)
    return output.transpose(1, 2).contiguous(), None


def loss_of(model: Any, tokens: torch.Tensor, positions: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Return the weighted mean cross entropy in nats at the chosen positions."""
    hidden = model.model(input_ids=tokens, use_cache=False).last_hidden_state.reshape(-1, model.config.hidden_size)
    logits = model.lm_head(hidden[positions]).float()
    losses = functional.cross_entropy(logits, tokens.reshape(-1)[positions + 1], reduction="none")
    return (losses * weights).sum() / weights.sum()


def make_optimizer(model: Any) -> torch.optim.Optimizer:
    """Return AdamW with weight decay on matrices only."""
    decayed = [p for p in model.parameters() if p.dim() > 1]
    plain = [p for p in model.parameters() if p.dim() == 1]
    groups = [{"params": decayed, "weight_decay": 0.05}, {"params": plain, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=PEAK_RATE, betas=(0.9, 0.98), fused=True)


def rate(step: int, steps: int) -> float:
    """Return the learning rate: a warm-up, then a cosine down to 2 % of the peak."""
    if step < WARM_UP:
        return PEAK_RATE * (step + 1) / WARM_UP
    share = (step - WARM_UP) / max(1, steps - WARM_UP)
    return PEAK_RATE * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * share)))


def pretrain(work: Path, steps: int, out: Path, *, every: int = 250, compiled: bool = False, workers: int = 1) -> None:
    """Train to `steps`, keeping a checkpoint in `work` every so many steps, and write the weights to `out` at the end.

    A step's gradient is the mean over its `SHARDS`; `workers` processes share them, one thread each, which trains a
    fifth more tokens a second than one process with as many threads.
    """
    work.mkdir(parents=True, exist_ok=True)
    if workers == 1:
        return _work(0, 1, work, steps, out, every, compiled)
    meeting = work / "meeting"
    meeting.unlink(missing_ok=True)
    torch.multiprocessing.spawn(  # type: ignore[attr-defined,no-untyped-call]
        _work, (workers, work, steps, out, every, compiled), nprocs=workers
    )


def _work(rank: int, workers: int, work: Path, steps: int, out: Path, every: int, compiled: bool) -> None:
    """Be one of the processes that train; the first one writes."""
    from transformers import AttentionInterface, AttentionMaskInterface, AutoTokenizer

    AttentionInterface.register("fp32", attend)
    AttentionMaskInterface.register("fp32", lambda *_, **__: None)
    if workers > 1:
        torch.set_num_threads(1)
        distributed.init_process_group("gloo", init_method=f"file://{work / 'meeting'}", rank=rank, world_size=workers)
    tokenizer = AutoTokenizer.from_pretrained(FOLDER / "model")
    torch.manual_seed(SEED)
    model = make_model(tokenizer)
    model.config._attn_implementation = "fp32"
    step_loss = torch.compile(loss_of, dynamic=False) if compiled else loss_of
    optimizer = make_optimizer(model)
    checkpoint = work / "checkpoint.pt"
    first, running = 0, 0.0
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        first, running = state["step"], state["loss"]
    started = time.perf_counter()
    for step in range(first, steps):
        for group in optimizer.param_groups:
            group["lr"] = rate(step, steps)
        total = 0.0
        for shard in range(rank, SHARDS, workers):
            with torch.autocast("cpu", torch.bfloat16):
                loss = step_loss(model, *batch(step, steps, tokenizer, shard)) / SHARDS
            loss.backward()  # type: ignore[no-untyped-call]
            total += loss.item()
        if workers > 1:
            total = _add_up(model, total)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        running = total if step == 0 else 0.98 * running + 0.02 * total
        if rank == 0 and (step + 1) % 50 == 0:
            seconds = time.perf_counter() - started
            line = {"step": step + 1, "loss": round(running, 4), "tokens": (step + 1) * TOKENS}
            line["tokens_per_second"] = round((step + 1 - first) * TOKENS / seconds)
            with (work / "loss.jsonl").open("a") as file:
                file.write(json.dumps(line) + "\n")
        if rank == 0 and ((step + 1) % every == 0 or step + 1 == steps):
            state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step + 1}
            torch.save(state | {"loss": running}, work / "checkpoint.new")
            (work / "checkpoint.new").replace(checkpoint)
    if rank == 0:
        model.config._attn_implementation = "sdpa"
        model.to(torch.bfloat16).save_pretrained(out)


def _add_up(model: Any, loss: float) -> float:
    """Add up all processes' gradients in place, and return the sum of their losses."""
    gradients = [weight.grad for weight in model.parameters()]
    flat = torch.cat([gradient.flatten() for gradient in gradients] + [torch.tensor([loss])])
    distributed.all_reduce(flat)
    sizes = [gradient.numel() for gradient in gradients]
    for gradient, part in zip(gradients, flat[:-1].split(sizes), strict=True):  # type: ignore[no-untyped-call]
        gradient.copy_(part.view_as(gradient))
    return float(flat[-1])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=8000, help="optimizer steps in all, of 4,096 tokens each")
    parser.add_argument("--work", type=Path, default=Path("build/tiny"), help="folder of the checkpoint and the log")
    parser.add_argument("--out", type=Path, default=FOLDER / "model", help="folder for the weights")
    parser.add_argument("--eager", action="store_true", help="do not compile the step (no C++ compiler needed; slower)")
    parser.add_argument("--workers", type=int, default=2, choices=(1, SHARDS), help="processes that share a step")
    arguments = parser.parse_args()
    pretrain(arguments.work, arguments.steps, arguments.out, compiled=not arguments.eager, workers=arguments.workers)
