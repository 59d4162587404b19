"""A script that trains `tiny` from scratch on `skills.py`; it can be stopped and resumed at any time.

    python -m harness.tiny.pretrain --steps 20000 --work FOLDER [--device cuda]

The attention starts as a circuit that copies (`circuit.py`); sequences of repeated random tokens preserve it. Answers and
repeats have full weight in the loss; the rest of the text is mostly unpredictable and has little (`batches.py`).
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from harness.tiny import batches, circuit
from harness.tiny.batches import SEED, TOKENS, Batches
from harness.tiny.steps import Stepper, make_optimizer, register_attention
from harness.tiny.tokenizer import FOLDER

PEAK_RATE = 2.5e-3
WARM_UP = 100  # steps
LOG_STEPS = 50
LOG = "loss.jsonl"


def make_model(tokenizer: Any) -> Any:
    """Return the untrained model."""
    from transformers import LlamaConfig, LlamaForCausalLM

    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=224,
            intermediate_size=512,
            num_hidden_layers=5,
            num_attention_heads=7,
            num_key_value_heads=7,
            max_position_embeddings=1024,
            rope_parameters={"rope_type": "default", "rope_theta": 100_000.0},
            tie_word_embeddings=True,
            bos_token_id=1,
            eos_token_id=2,
            pad_token_id=2,
            initializer_range=0.07,  # about 1 / sqrt(hidden): with the usual 0.02 so narrow a model hardly learns
        )
    )
    circuit.start_copying(model, tokenizer.convert_ids_to_tokens(list(range(len(tokenizer)))))
    return model


def rate(step: int, steps: int) -> float:
    """Return the learning rate: a warm-up, then a cosine down to 2 % of the peak."""
    if step < WARM_UP:
        return PEAK_RATE * (step + 1) / WARM_UP
    share = (step - WARM_UP) / max(1, steps - WARM_UP)
    return PEAK_RATE * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * share)))


def pretrain(work: Path, steps: int, out: Path, *, device: str = "cpu", workers: int = 1, every: int = 1000) -> None:
    """Train to `steps`, with a checkpoint in `work` every `every` steps, and write the weights to `out` at the end.

    `workers` processes make the batches; with 0 the training process makes them.
    """
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(FOLDER / "model")
    torch.manual_seed(SEED)
    course = Course(steps, TOKENS, batches.batch, rate, LOG_STEPS, 0.02)
    model = fit(make_model(tokenizer), tokenizer, course, work, device=device, workers=workers, every=every)
    model.to(torch.bfloat16).save_pretrained(out)
    shutil.copy(work / LOG, out / LOG)


@dataclass(frozen=True)
class Course:
    """A training: its steps, the tokens of a step, its batches and rates by step, how often it logs, and how fast its mean
    loss forgets."""

    steps: int
    tokens: int
    batch: Callable[[int, int, Any], batches.Batch]
    rate: Callable[[int, int], float]
    log_steps: int
    new_share: float


def fit(model: Any, tokenizer: Any, course: Course, work: Path, *, device: str, workers: int, every: int) -> Any:
    """Return the model after the course, resumed from the checkpoint in `work` if there is one; the log is there too."""
    work.mkdir(parents=True, exist_ok=True)
    usual, model.config._attn_implementation = model.config._attn_implementation, register_attention()
    model.to(device)
    optimizer = make_optimizer(model)
    stepper = Stepper(model, optimizer)
    checkpoint, steps = work / "checkpoint.pt", course.steps
    first, running = 0, torch.zeros((), device=device)
    if checkpoint.exists():
        state = torch.load(checkpoint, map_location=device, weights_only=True)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        first, running = state["step"], torch.as_tensor(state["loss"], device=device)
    loader = torch.utils.data.DataLoader(
        Batches(first, steps, tokenizer, course.batch),
        batch_size=None,
        num_workers=workers,
        prefetch_factor=8 if workers else None,
        multiprocessing_context="spawn" if workers else None,
    )
    start = time.perf_counter()
    for step, batch in enumerate(loader, first):
        loss = stepper(batch, course.rate(step, steps))
        running = loss.clone() if step == 0 else (1 - course.new_share) * running + course.new_share * loss
        if (step + 1) % course.log_steps == 0 or step + 1 == steps:
            speed = (step + 1 - first) * course.tokens / (time.perf_counter() - start)
            _log(work, step + 1, running.item(), course.tokens, speed)
        if (step + 1) % every == 0 or step + 1 == steps:
            state = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
            torch.save(state | {"step": step + 1, "loss": running}, work / "checkpoint.new")
            (work / "checkpoint.new").replace(checkpoint)
    model.config._attn_implementation = usual
    return model


def _log(work: Path, step: int, loss: float, tokens: int, speed: float) -> None:
    if not math.isfinite(loss):
        raise ArithmeticError(f"the loss is {loss} at step {step}")
    line = {"step": step, "loss": round(loss, 4), "tokens": step * tokens, "tokens_per_second": round(speed)}
    with (work / LOG).open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=20_000, help=f"optimizer steps in all, of {TOKENS:,} tokens each")
    parser.add_argument("--work", type=Path, default=Path("build/tiny"), help="folder of the checkpoint and the log")
    parser.add_argument("--out", type=Path, default=FOLDER / "model", help="folder for the weights")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--workers", type=int, default=1, help="processes that make the batches")
    arguments = parser.parse_args()
    torch.multiprocessing.set_sharing_strategy("file_system")  # type: ignore[attr-defined,no-untyped-call]
    pretrain(arguments.work, arguments.steps, arguments.out, device=arguments.device, workers=arguments.workers)
