"""A script that trains `tiny` further, from its weights after `pretrain`, on gauging figures and on the skills that it has.

    python -m harness.tiny.further --start FOLDER --work FOLDER

It can be stopped and resumed. Steps are small enough for one core of a CPU. `GAUGE` of the texts come from `gauge.py`, the others
are those of the first training, so that its skills are not lost.
"""

from __future__ import annotations

import argparse
import math
import shutil
from pathlib import Path
from typing import Any

import torch

from harness.tiny import batches, consequences, draws, gauge, pretrain, skills
from harness.tiny.tokenizer import FOLDER

SEED = "further 1"
STEPS, STOP = 4000, 0
LOG = "loss_further.jsonl"
TOKENS, LENGTH = 4096, 256  # a step, a sequence
CONSEQUENCES, GAUGE = 0.65, 0.1
PEAK_RATE, WARM_UP = 1e-3, 30
ANSWERS = 0.35  # the largest share of a step's positions in the loss


def draw(rng: draws.Draw) -> list[draws.Pair]:
    """Return the questions of a text: gauging, or a skill of the first training."""
    share = rng.random()
    if share < CONSEQUENCES:
        return consequences.consequences(rng)
    return gauge.gauge(rng) if share < CONSEQUENCES + GAUGE else skills.draw(rng)


def batch(step: int, steps: int, tokenizer: Any) -> batches.Batch:
    """Return the tokens, positions and weights of a step."""
    rng = draws.Draw(f"{SEED}/{step}")
    easy = max(0.1, 0.8 - 1.4 * step / steps)
    rows = [batches.documents(rng, LENGTH, tokenizer, easy, draw) for _ in range(TOKENS // LENGTH)]
    return batches.targets_of(rng, rows, LENGTH, ANSWERS)


def rate(step: int, steps: int) -> float:
    """Return the learning rate: a warm-up, then a cosine down to nothing."""
    if step < WARM_UP:
        return PEAK_RATE * (step + 1) / WARM_UP
    share = (step - WARM_UP) / max(1, steps - WARM_UP)
    return PEAK_RATE * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * share)))


def further(
    work: Path, start: Path, steps: int, out: Path, *, stop: int = 0, device: str = "cpu", every: int = 50
) -> None:
    """Train the weights of `start` to `steps`, with checkpoints in `work`, and write the weights to `out` at the end."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(FOLDER / "model")
    model = AutoModelForCausalLM.from_pretrained(start, dtype=torch.float32)
    course = pretrain.Course(steps, TOKENS, batch, rate, 10, 0.05, stop)
    model = pretrain.fit(model, tokenizer, course, work, device=device, workers=0, every=every)
    model.to(torch.bfloat16).save_pretrained(out)
    shutil.copy(work / pretrain.LOG, out / LOG)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=STEPS, help=f"optimizer steps in all, of {TOKENS:,} tokens each")
    parser.add_argument("--stop", type=int, default=STOP, help="step at which the training ends before its schedule")
    parser.add_argument("--start", type=Path, default=FOLDER / "model", help="folder of the weights to start from")
    parser.add_argument("--work", type=Path, default=Path("build/further"), help="folder of the checkpoint and the log")
    parser.add_argument("--out", type=Path, default=FOLDER / "model", help="folder for the weights")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    arguments = parser.parse_args()
    further(
        arguments.work, arguments.start, arguments.steps, arguments.out, stop=arguments.stop, device=arguments.device
    )
