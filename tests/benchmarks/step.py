"""What a training step of `cfa` on the embedded model is made of: its matrix products, and the rest.

    python tests/benchmarks/step.py         LoRA at rank 8 and full fine-tuning, one core, as the program's own runs have it

Nothing is compared and nothing kept: it shows how long the whole grid takes at least.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parents[2]
sys.path[:1] = [str(ROOT)]

from torch.profiler import ProfilerActivity, profile

from harness.data import loading, registry
from harness.model import loading as models
from harness.model import tokenize
from harness.model.checkpoint import read
from harness.model.cpu_attention import fast_backward
from harness.runs import plan, specs
from harness.runs.inputs import Inputs
from harness.runs.options import Options
from harness.training import loop
from tests.support.flops import flop_counter

WARM, STEPS = 10, 30


def measure(name: str, rank: int) -> str:
    """Return GFLOP and milliseconds of the products of a step, and the milliseconds of all of it."""
    method = registry.method(name)
    asked = Options(tasks=("cfa",), methods=(name,), ranks=(rank,), device="cpu")
    task = plan.load_task("cfa", asked)
    splits, tiny = loading.load_splits(task), read("tiny")
    (spec,) = specs.make(Inputs(task, splits), (method,), tiny, asked)
    tokenizer = models.load_tokenizer(tiny.folder)
    model = method.adapt(method.load(str(tiny.folder), spec), spec)
    pairs = tokenize.encode_train(tokenizer, splits.train, task, spec.max_tokens, 0)
    batches = loop.plan_batches([len(pair) for pair in pairs], spec)
    optimizer, padding = loop.make_optimizer(model, spec), loop.padding_token(tokenizer)
    loop.make_ready(model, spec)

    def steps(count: int) -> None:
        for batch in batches[:count]:
            loop.train_step(model, optimizer, [pairs[i] for i in batch], spec, spec.learning_rate, padding)

    with fast_backward(model, dtype=spec.dtype, device=spec.device):
        steps(WARM)
        started = time.process_time()
        steps(STEPS)
        seconds = time.process_time() - started
        with flop_counter() as counter:
            steps(STEPS)
        with profile(activities=[ProfilerActivity.CPU]) as kernels:
            steps(STEPS)
    flops = counter.get_total_flops() / STEPS
    products = sum(one.self_cpu_time_total for one in kernels.key_averages() if one.key in ("aten::mm", "aten::addmm_"))
    each = products / STEPS / 1e3
    return (
        f"{spec.name} {spec.dtype}: {flops / 1e9:.1f} GFLOP of matrix products in {each:.0f} ms, "
        f"{seconds / STEPS * 1e3:.0f} ms a step, {len(batches):,} steps"
    )


if __name__ == "__main__":
    torch.set_num_threads(1)
    for asked_for in (("lora", 8), ("full", 0)):
        print(measure(*asked_for))
