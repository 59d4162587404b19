"""LoRA without PEFT's casts of each layer's input: whether the gradients are the same, and what is kept for them.

PEFT as it comes turns every input into the adapter's fp32; autocast turns it back. `disable_input_dtype_casting` of PEFT
leaves that out, and so does the harness's LoRA, which also computes product, scale and sum in one call. How far bf16 alone
moves the gradients, those in fp32 tell.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import Any, Literal

import torch

from harness.model import batch, loading
from harness.model.cpu_attention import fast_backward
from harness.model.logits import logits_at
from harness.record import RunSpec
from harness.training import loop
from tests.gpu.cells import Cell
from tests.gpu.measure import Found, build, method_of, pairs, spec_of, tidy

Gradients = dict[str, torch.Tensor]
WAYS = ("peft", "peft without casts", "ours")


def casts(cell: Cell) -> Found:
    """Return the largest relative differences of gradients and the bytes kept per token and layer of each way."""
    depth = int(cell.config["num_hidden_layers"])
    shallow = replace(cell, config={**cell.config, "num_hidden_layers": depth // 2})
    tokens = cell.rows * (cell.length - 1)  # the last token of a row is only predicted
    exact, _ = gradients(cell, "peft", dtype="fp32")
    gradient: dict[str, Gradients] = {}
    kept: dict[str, float] = {}
    for way in WAYS:
        gradient[way], whole = gradients(cell, way)
        kept[way] = (whole - gradients(shallow, way)[1]) / (tokens * (depth - depth // 2))
    return {
        "difference": largest(gradient["ours"], gradient["peft"]),
        "difference_without_casts": largest(gradient["peft without casts"], gradient["peft"]),
        "rounding": largest(gradient["peft"], exact),
        "rounding_ours": largest(gradient["ours"], exact),
        "kept_peft": kept["peft"],
        "kept_without_casts": kept["peft without casts"],
        "kept_ours": kept["ours"],
        "kept_by_formula": lean(cell),
    }


def lean(cell: Cell) -> int:
    """Return the bytes that lean LoRA keeps per token and layer by arithmetic: 16 hidden + 4 key-value + 8 feed-forward."""
    config = cell.config
    values = config["num_key_value_heads"] * config["head_dim"]
    return int(16 * config["hidden_size"] + 4 * values + 8 * config["intermediate_size"])


def largest(found: Gradients, right: Gradients) -> float:
    """Return the largest difference of a weight's gradient, as a share of that gradient's length."""
    assert found.keys() == right.keys()
    return max(float((found[name] - right[name]).norm() / right[name].norm()) for name in right)


def gradients(cell: Cell, way: str, dtype: Literal["bf16", "fp32"] = "bf16") -> tuple[Gradients, int]:
    """Return each adapter weight's gradient of one micro-batch, and the bytes kept for the backward pass."""
    spec = replace(spec_of(cell), dtype=dtype)
    model = build(cell, spec, method_of(cell))
    model = adapted(model if dtype == "bf16" else model.float(), spec, way)
    loop.make_ready(model, spec)
    ids, positions, labels = batch.collate(pairs(cell), 0, spec.device)
    kept = Kept(model)
    with uncast(model, way), fast_backward(model, dtype=spec.dtype, device=spec.device):
        with kept.watching(), loading.precision(spec):
            logits = logits_at(model, positions, input_ids=ids, use_cache=False)
            loss = torch.nn.functional.cross_entropy(logits.float(), labels)
        loss.backward()  # type: ignore[no-untyped-call]
    found = {name: weight.grad.double().cpu() for name, weight in model.named_parameters() if weight.grad is not None}
    del model, logits, loss
    tidy(cell.device)
    return found, kept.bytes


def adapted(model: Any, spec: RunSpec, way: str) -> Any:
    """Return the model with LoRA the harness's way or PEFT's own, the same numbers in both; B is not zero, or A has no
    gradient."""
    from peft import LoraConfig, get_peft_model

    from harness.methods import lora

    if way == "ours":
        model = lora.adapt(model, spec)
    else:
        torch.manual_seed(spec.seed)
        config = LoraConfig(
            task_type="CAUSAL_LM", target_modules="all-linear", r=spec.rank, lora_alpha=spec.alpha, lora_dropout=0.0
        )
        model = get_peft_model(model, config)
    torch.manual_seed(spec.seed)
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.02)
    return model


def uncast(model: Any, way: str) -> contextlib.AbstractContextManager[Any]:
    """Return PEFT's own context without casts where the way is that."""
    from peft.helpers import disable_input_dtype_casting

    return disable_input_dtype_casting(model) if way == "peft without casts" else contextlib.nullcontext()


class Kept:
    """Adds up the storages that a forward pass keeps for the backward pass, each once and the model's own left out."""

    def __init__(self, model: torch.nn.Module) -> None:
        held = [*model.parameters(), *model.buffers()]
        self._own = {tensor.untyped_storage()._cdata for tensor in held}
        self._found: dict[int, int] = {}

    @property
    def bytes(self) -> int:
        """All of them together."""
        return sum(self._found.values())

    def watching(self) -> contextlib.AbstractContextManager[Any]:
        """Return the context of the forward pass."""
        return torch.autograd.graph.saved_tensors_hooks(self._see, lambda tensor: tensor)

    def _see(self, tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in self._own:
            self._found[storage._cdata] = storage.nbytes()
        return tensor
