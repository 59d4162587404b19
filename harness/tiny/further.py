"""A script that trains `tiny` further, from its weights after `pretrain`, on conclusions, on gauging and on the skills it has.

    python -m harness.tiny.further --start FOLDER --work FOLDER

It can be stopped and resumed. Steps are small enough for one core of a CPU. `CONSEQUENCES` of the texts come from
`consequences.py`, `GAUGE` from `gauge.py`, and the others are those of the first training, so that its skills are not lost.
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
STEPS = 5800
# (step up to which it holds, length of the schedule): the training was lengthened once and shortened once while it ran.
SCHEDULES = ((3100, 4000), (4600, 9000), (STEPS, STEPS))
LOG = "loss_further.jsonl"
TOKENS, LENGTH = 4096, 256  # a step, a sequence
CONSEQUENCES, GAUGE = 0.65, 0.1
PEAK_RATE, WARM_UP = 1e-3, 30
ANSWERS = 0.35  # the largest share of a step's positions in the loss


def draw(rng: draws.Draw) -> list[draws.Pair]:
    """Return the questions of a text: conclusions, gauging, or a skill of the first training."""
    share = rng.random()
    if share < CONSEQUENCES:
        return consequences.consequences(rng)
    return gauge.gauge(rng) if share < CONSEQUENCES + GAUGE else skills.draw(rng)


def schedule(step: int, steps: int) -> int:
    """Return the length of the schedule that a step follows; a training of another length has one schedule."""
    return steps if steps != STEPS else next(length for end, length in SCHEDULES if step < end)


def batch(step: int, steps: int, tokenizer: Any) -> batches.Batch:
    """Return the tokens, positions and weights of a step."""
    rng = draws.Draw(f"{SEED}/{step}")
    easy = max(0.1, 0.8 - 1.4 * step / schedule(step, steps))
    rows = [batches.documents(rng, LENGTH, tokenizer, easy, draw) for _ in range(TOKENS // LENGTH)]
    return batches.targets_of(rng, rows, LENGTH, ANSWERS)


def rate(step: int, steps: int) -> float:
    """Return the learning rate: a warm-up, then the cosine of the step's schedule down to 2 % of the peak."""
    if step < WARM_UP:
        return PEAK_RATE * (step + 1) / WARM_UP
    share = (step - WARM_UP) / max(1, schedule(step, steps) - WARM_UP)
    return PEAK_RATE * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * share)))


def further(work: Path, start: Path, steps: int, out: Path, *, device: str = "cpu", every: int = 50) -> None:
    """Train the weights of `start` to `steps`, with checkpoints in `work`, and write the weights to `out` at the end."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(FOLDER / "model")
    model = AutoModelForCausalLM.from_pretrained(start, dtype=torch.float32)
    course = pretrain.Course(steps, TOKENS, batch, rate, 10, 0.05)
    model = pretrain.fit(model, tokenizer, course, work, device=device, workers=0, every=every)
    model.to(torch.bfloat16).save_pretrained(out)
    shutil.copy(work / pretrain.LOG, out / LOG)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=STEPS, help=f"optimizer steps in all, of {TOKENS:,} tokens each")
    parser.add_argument("--start", type=Path, default=FOLDER / "model", help="folder of the weights to start from")
    parser.add_argument("--work", type=Path, default=Path("build/further"), help="folder of the checkpoint and the log")
    parser.add_argument("--out", type=Path, default=FOLDER / "model", help="folder for the weights")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    arguments = parser.parse_args()
    further(arguments.work, arguments.start, arguments.steps, arguments.out, device=arguments.device)
