"""What a cell does in its process: predict, make a model of random weights on the device, take steps, read the memory."""

from __future__ import annotations

import dataclasses
import gc
import statistics
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch

from harness import environment
from harness.data import registry
from harness.methods.parts import packed_product
from harness.model import batch, loading
from harness.model import meter as memory
from harness.model.cpu_attention import fast_backward
from harness.model.logits import logits_at
from harness.model.tokenize import Pair
from harness.record import RunSpec
from harness.runs import worker
from harness.runs.forecast import fit, gpu, peak_memory
from harness.schema import Method
from harness.training import loop
from tests.gpu.cells import Cell
from tests.support.tiny_models import toy_spec

Found = dict[str, Any]


def measure(cell: Cell) -> Found:
    """Return what a cell found, with its `status`: never raises for what the cell did."""
    started = time.perf_counter()
    found: Found = {"status": "ok", "reason": ""}
    try:
        if cell.repeatable and cell.kind != "trl":
            worker.repeatable(cell.device)
        found |= _kind(cell)(cell)
    except ImportError as error:
        found |= {"status": "not installed", "reason": str(error)}
    except Exception as error:
        status, reason = worker.explain(error)
        found |= {"status": status, "reason": reason}
        _log(error)
    return found | {"seconds": time.perf_counter() - started}


def _log(error: BaseException) -> None:
    """Leave the whole error in the cell's log."""
    traceback.print_exception(error)


def _kind(cell: Cell) -> Callable[[Cell], Found]:
    if cell.kind == "trl":
        from tests.gpu.against_trl import sft

        return sft
    if cell.kind == "casts":
        from tests.gpu.casts import casts

        return casts
    return {"rate": rate, "train": steps}[cell.kind]


def rate(cell: Cell) -> Found:
    """Return the FLOP/s of a bf16 product of two random square matrices: the median of 20 after 5 to warm up."""
    left, right = (torch.randn(cell.side, cell.side, device=cell.device, dtype=torch.bfloat16) for _ in range(2))
    seconds = []
    for number in range(25):
        _wait(cell.device)
        started = time.perf_counter()
        torch.mm(left, right)
        _wait(cell.device)
        if number >= 5:
            seconds.append(time.perf_counter() - started)
    return {"rate": 2 * cell.side**3 / statistics.median(seconds)}


def steps(cell: Cell) -> Found:
    """Take training steps of a method, or scoring passes of the base model, as the harness takes them."""
    spec, method = spec_of(cell), method_of(cell)
    found = expected(cell, spec, method)
    if found["predicted_bytes"] > usable(cell):
        return found | {"status": "does not fit", "reason": "more than the device holds, by the prediction"}
    started = time.perf_counter()
    model = method.adapt(build(cell, spec, method), spec)
    tidy(cell.device)
    found |= {"build_seconds": time.perf_counter() - started, "trained_weights": memory.trained_weights(model)}
    optimizer = loop.make_optimizer(model, spec, method.rate_factor, method.optimizer) if method.trains else None
    rows = pairs(cell)
    if optimizer is None:
        model.eval()
    else:
        loop.make_ready(model, spec)

    def step() -> float:
        if optimizer is None:
            return _read(model, rows, spec)
        return loop.train_step(model, optimizer, rows, spec, spec.learning_rate, padding=0).item()

    with memory.phase(cell.device) as meter, fast_backward(model, dtype=spec.dtype, device=spec.device):
        seconds = []
        for _ in range(cell.warmup + cell.steps):
            began = time.perf_counter()
            loss = step()
            seconds.append(time.perf_counter() - began)
        if cell.device == "cpu":
            with meter.counting(model, optimizer):
                step()
    return found | {"loss": loss} | seen(cell, meter, seconds[cell.warmup :])


def expected(cell: Cell, spec: RunSpec, method: Method) -> Found:
    """Return the peak as `plan` predicts it and the FLOPs a token, from the config alone."""
    config = loading.config_from(cell.config)
    size = fit.size_of(loading.config_shape(config))
    lengths = [(cell.length - cell.target, cell.target)] * cell.rows
    if method.trains:
        peak = peak_memory.config_peak(config, spec, method, pairs(cell))
        peak += peak_memory.WORKSPACE if cell.device == "cuda" else 0
        flops = gpu.train_flops(size, spec, method, lengths)
    else:  # the plan counts the weights of a model that only answers
        peak, flops = 2 * size.weights, gpu.reading_flops(size, lengths)
    tokens = cell.rows * cell.length
    return {"weights": size.weights, "predicted_bytes": peak, "flops_per_token": flops / tokens}


def build(cell: Cell, spec: RunSpec, method: Method) -> Any:
    """Return a model of random weights as the method would load it, made on the device, there quantised in NF4."""
    from transformers import AutoModelForCausalLM

    torch.manual_seed(spec.seed)
    dtype = torch.bfloat16 if method.adapter or not method.trains else torch.float32
    with torch.device(cell.device):
        model = AutoModelForCausalLM.from_config(loading.config_from(cell.config), dtype=dtype)
    if method.name == "qlora":
        model = packed_product.with_exact_products(in_four_bits(model), spec)
    return model.requires_grad_(False)


def in_four_bits(model: Any) -> Any:
    """Turn every linear layer but the output layer into bitsandbytes' NF4 with double quantisation, one after the other."""
    from bitsandbytes.nn import Linear4bit, Params4bit

    output = model.get_output_embeddings()
    for name, layer in list(model.named_modules()):
        if not isinstance(layer, torch.nn.Linear) or layer is output:
            continue
        with torch.device("meta"):
            packed = Linear4bit(
                layer.in_features, layer.out_features, bias=False, compute_dtype=torch.bfloat16, quant_type="nf4"
            )
        weight = Params4bit(layer.weight.data, requires_grad=False, quant_type="nf4", module=packed)
        packed.weight = weight.to(layer.weight.device)
        parent, _, child = name.rpartition(".")
        setattr(model.get_submodule(parent), child, packed)
    model.is_loaded_in_4bit = True  # what transformers notes, and PEFT asks for
    return model


def method_of(cell: Cell) -> Method:
    """Return the cell's method, with the optimizer that the cell names."""
    found = registry.method(cell.method)
    return replace(found, optimizer=_foreach) if cell.optimizer == "foreach" else found


def _foreach(groups: Sequence[dict[str, Any]], learning_rate: float, betas: tuple[float, float]) -> Any:
    return torch.optim.AdamW(list(groups), lr=learning_rate, betas=betas, foreach=True)


def spec_of(cell: Cell) -> RunSpec:
    """Return the spec of a cell: bf16, one micro-batch a step."""
    return toy_spec(
        method=cell.method,
        rank=cell.rank,
        alpha=32.0 if cell.rank else 0.0,
        learning_rate=1e-5,
        batch_size=cell.rows,
        micro_batch=cell.rows,
        max_tokens=cell.length,
        dtype="bf16",
        device=cell.device,
    )


def pairs(cell: Cell, count: int = 0) -> list[Pair]:
    """Return `count` examples (else a micro-batch) of random tokens, the same on every call."""
    source = torch.Generator().manual_seed(1)
    sizes = (count or cell.rows, cell.length)
    drawn = torch.randint(0, int(cell.config["vocab_size"]), sizes, generator=source).tolist()
    return [Pair(tuple(row[: -cell.target]), tuple(row[-cell.target :])) for row in drawn]


def usable(cell: Cell) -> float:
    """Return the bytes that training may hold here, as the plan sees it."""
    whole = cell.memory or (
        torch.cuda.get_device_properties(0).total_memory if cell.device == "cuda" else environment.memory_bytes()
    )
    return gpu.Card("here", whole, 0, 0).usable


def seen(cell: Cell, meter: memory.Meter, seconds: Sequence[float]) -> Found:
    """Return memory and speed of the steps: the median step's."""
    assert meter.result is not None
    phase = dataclasses.asdict(meter.result)
    free, whole = torch.cuda.mem_get_info() if cell.device == "cuda" else (0, 0)
    return {
        "allocated_bytes": phase["peak_bytes"],
        "reserved_bytes": phase["reserved_bytes"],
        "device_bytes": whole - free,
        "step_seconds": statistics.median(seconds),
        "slowest_step_seconds": max(seconds),
        "tokens_per_second": cell.rows * cell.length / statistics.median(seconds),
    }


def tidy(device: str) -> None:
    """Give back what building left behind."""
    gc.collect()
    if device == "cuda":
        torch.cuda.empty_cache()


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def _read(model: Any, rows: Sequence[Pair], spec: RunSpec) -> float:
    """Score the targets of a micro-batch, as the base model's options are scored."""
    ids, positions, labels = batch.collate(rows, 0, spec.device)
    with torch.inference_mode(), loading.precision(spec):
        logits = logits_at(model, positions, input_ids=ids, use_cache=False)
        return torch.nn.functional.cross_entropy(logits.float(), labels).item()
