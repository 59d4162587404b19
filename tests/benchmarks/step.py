"""The kernels of a training step: shares of its time, and how near its matrix products come to what the processor can do.

    python tests/benchmarks/step.py [--task cfa] [--model tiny] [--method lora,qlora,full] [--data DIR] [--dtype fp32]

Runs on one core, as the program's own runs do. "Alone" is the same products in the same precision, one after another on tensors of
their own: a step cannot be faster than its products are there. Nothing is compared and nothing stored.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).resolve().parents[2]
sys.path[:1] = [str(ROOT)]

from torch.profiler import ProfilerActivity, profile

from harness.data import loading, registry
from harness.format import Table, markdown
from harness.model import loading as models
from harness.model import tokenize
from harness.model.checkpoint import read
from harness.model.cpu_attention import fast_backward
from harness.record import RunSpec
from harness.runs import plan, specs
from harness.runs.inputs import Inputs
from harness.runs.options import Options
from harness.training import loop

STEPS, RANK = 3, 8
PRODUCTS = ("aten::mm", "aten::addmm_", "aten::addmm", "aten::bmm", "mkldnn::_linear_pointwise")
THIN = 64  # a product with a side below this is an adapter's
KINDS: Mapping[str, Callable[[str], bool]] = {
    "attention": lambda name: "attention" in name,
    "unpacking of 4 bits": lambda name: name.startswith("bitsandbytes"),
    "softmax of the labels": lambda name: "log_softmax" in name or "nll_loss" in name,
    "optimizer": lambda name: "adam" in name or "foreach" in name,
    "copies": lambda name: name in ("aten::copy_", "aten::cat", "aten::fill_", "aten::empty_strided", "aten::empty"),
}


def shares(events: Sequence[Any]) -> Counter[str]:
    """Return the microseconds of a profile by kind of kernel."""
    sums: Counter[str] = Counter()
    for event in events:
        sides = [side for shape in event.input_shapes[:3] for side in shape if len(shape) == 2]
        kind = next((kind for kind, fits in KINDS.items() if fits(event.key)), "element by element and the rest")
        if event.key in PRODUCTS:
            kind = "thin products (adapters)" if min(sides, default=THIN) < THIN else "products"
        sums[kind] += event.self_cpu_time_total
    return sums


def alone(events: Sequence[Any], dtype: torch.dtype) -> float:
    """Return the microseconds of all wide products of a profile, each repeated alone."""
    total = 0.0
    for event in events:
        shapes = [shape for shape in event.input_shapes if len(shape) == 2]
        if event.key != "aten::mm" or min(side for shape in shapes for side in shape) < THIN:
            continue
        a, b = (torch.randn(shape).to(dtype) for shape in shapes[:2])
        torch.mm(a, b)
        start = time.perf_counter()  # as the profiler
        for _ in range(5):
            torch.mm(a, b)
        total += (time.perf_counter() - start) / 5 * 1e6 * event.count
    return total


def measure(spec: RunSpec, inputs: Inputs, model: Any, tokenizer: Any) -> dict[str, Any]:
    """Return the column of a method: seconds of a step, tokens a second, and shares of its time in per cent."""
    pairs = tokenize.encode_train(tokenizer, inputs.splits.train, inputs.task, spec.max_tokens, 0)
    batches = loop.plan_batches([len(pair) for pair in pairs], spec)[1 : STEPS + 1]
    optimizer, padding = loop.make_optimizer(model, spec), loop.padding_token(tokenizer)
    loop.make_ready(model, spec)

    def steps() -> None:
        for batch in batches:
            loop.train_step(model, optimizer, [pairs[i] for i in batch], spec, spec.learning_rate, padding)

    with fast_backward(model, dtype=spec.dtype, device=spec.device):
        steps()
        start = time.process_time()
        steps()
        seconds = time.process_time() - start
        with profile(activities=[ProfilerActivity.CPU], record_shapes=True) as kernels:
            steps()
    events = kernels.key_averages(group_by_input_shape=True)
    sums = shares(events)
    whole = sum(sums.values())
    tokens = sum(len(pairs[index]) for batch in batches for index in batch)
    roof = alone(events, torch.bfloat16 if spec.dtype == "bf16" else torch.float32)
    return {
        "run": f"{spec.name} {spec.dtype}, {spec.micro_batch} at once",
        "tokens/s": f"{tokens / seconds:,.0f}",
        **{f"{kind} %": f"{100 * sums[kind] / whole:.0f}" for kind in sorted(sums, key=lambda kind: -sums[kind])},
        "products alone %": f"{100 * roof / whole:.0f}",
    }


def main() -> None:
    """Print a table with a column for each method."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--task", default="cfa")
    parser.add_argument("--model", default="tiny")
    parser.add_argument("--method", default="lora,qlora,full")
    parser.add_argument("--data", type=Path)
    parser.add_argument(
        "--dtype", choices=("bf16", "fp32"), help="the precision of training; by default that of a run here"
    )
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    checkpoint = read(chosen.model)
    tokenizer = models.load_tokenizer(checkpoint.folder)
    rows = []
    for name in chosen.method.split(","):
        method = registry.method(name)
        options = Options(
            tasks=(chosen.task,),
            methods=(name,),
            ranks=(RANK,),
            device="cpu",
            model=chosen.model,
            data=chosen.data,
            dtype=chosen.dtype,
        )
        task = plan.load_task(chosen.task, options)
        inputs = Inputs(task, loading.load_splits(task, data_dir=chosen.data))
        (spec,) = specs.make(inputs, (method,), checkpoint, options)
        model = method.adapt(method.load(str(checkpoint.folder), spec), spec)
        rows.append(measure(spec, inputs, model, tokenizer))
    lines = dict.fromkeys(line for row in rows for line in row if line != "run")
    cells = tuple((line, *(row.get(line, "0") for row in rows)) for line in lines)
    print(markdown(Table("", ("", *(row["run"] for row in rows)), cells)))


if __name__ == "__main__":
    main()
