"""A step of training: forward, backward, clipping, optimizer.

On CUDA a step is recorded once for each length of the sequences and then replayed: in so narrow a model, launching a
thousand small kernels one by one takes longer than running them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import torch
from torch.nn import functional

from harness.tiny.batches import Batch
from harness.tiny.circuit import FrozenParts

CLIP_NORM = 1.0
FIRST = 3  # steps of each length on CUDA before the recording, as `torch.cuda.graph` requires
DECAY = 0.05


def make_optimizer(model: Any) -> torch.optim.Optimizer:
    """Return AdamW with weight decay on the layers' matrices only: embeddings of words that do not occur must not decay."""
    matrices = [weight for weight in model.model.layers.parameters() if weight.dim() > 1]
    plain = [weight for weight in model.model.layers.parameters() if weight.dim() == 1]
    plain += [model.model.embed_tokens.weight, model.model.norm.weight]
    groups = [{"params": matrices, "weight_decay": DECAY}, {"params": plain, "weight_decay": 0.0}]
    cuda = plain[0].device.type == "cuda"
    rate = torch.zeros((), device=plain[0].device)  # a tensor, so that a recorded step reads its current value
    return torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.98), fused=True, capturable=cuda)


def attend(module: Any, query: Any, key: Any, value: Any, mask: Any, scaling: float, **_: Any) -> tuple[Any, None]:
    """Return causal attention, on the CPU in fp32: PyTorch's gradient of bf16 attention is slow there."""
    with torch.autocast("cpu", enabled=False):
        inputs = (query, key, value) if query.is_cuda else (query.float(), key.float(), value.float())
        output = functional.scaled_dot_product_attention(*inputs, is_causal=True, scale=scaling)
    return output.transpose(1, 2).contiguous(), None


def register_attention() -> str:
    """Return the name under which `attend` is registered with transformers."""
    from transformers import AttentionInterface, AttentionMaskInterface

    AttentionInterface.register("pretraining", attend)
    AttentionMaskInterface.register("pretraining", lambda *_, **__: None)
    return "pretraining"


def loss_of(model: Any, tokens: torch.Tensor, positions: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Return the weighted mean cross entropy in nats at the given positions."""
    width = model.config.hidden_size
    # index_select, not a lookup: the gradient of a lookup on CUDA sorts, and sorting cannot be recorded.
    embedded = model.model.embed_tokens.weight.index_select(0, tokens.flatten()).view(*tokens.shape, width)
    hidden = model.model(inputs_embeds=embedded, use_cache=False).last_hidden_state.reshape(-1, width)
    logits = model.lm_head(hidden.index_select(0, positions)).float()
    targets = tokens.flatten().index_select(0, positions + 1)
    losses = functional.cross_entropy(logits, targets, reduction="none")
    return (losses * weights).sum() / weights.sum()


class Stepper:
    """A function that takes an optimizer step for a batch; it returns the loss, a tensor that the next step may overwrite."""

    def __init__(self, model: Any, optimizer: torch.optim.Optimizer) -> None:
        self.model, self.optimizer, self.fixed = model, optimizer, FrozenParts(model)
        self.device = next(model.parameters()).device
        self._counts: Counter[torch.Size] = Counter()
        self._recordings: dict[torch.Size, tuple[Any, Sequence[torch.Tensor], torch.Tensor]] = {}

    def __call__(self, batch: Batch, rate: float) -> torch.Tensor:
        """Return the loss of a step at a learning rate."""
        for group in self.optimizer.param_groups:
            group["lr"].fill_(rate)
        inputs = [part.to(self.device, non_blocking=True) for part in batch]
        if self.device.type != "cuda":
            return self._step(*inputs)
        shape = inputs[0].shape
        self._counts[shape] += 1
        if self._counts[shape] <= FIRST:
            return self._on_side_stream(inputs)
        if shape not in self._recordings:
            self._recordings[shape] = self._record(inputs)
        graph, buffers, loss = self._recordings[shape]
        for buffer, part in zip(buffers, inputs, strict=True):
            buffer.copy_(part)
        graph.replay()
        return loss

    def _step(self, tokens: torch.Tensor, positions: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        self.optimizer.zero_grad(set_to_none=True)
        with torch.autocast(self.device.type, torch.bfloat16, cache_enabled=False):
            loss = loss_of(self.model, tokens, positions, weights)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), CLIP_NORM)
        self.optimizer.step()
        self.fixed.put_back()
        return loss.detach()

    def _on_side_stream(self, inputs: Sequence[torch.Tensor]) -> torch.Tensor:
        side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            loss = self._step(*inputs)
        torch.cuda.current_stream().wait_stream(side)
        return loss

    def _record(self, inputs: Sequence[torch.Tensor]) -> tuple[Any, Sequence[torch.Tensor], torch.Tensor]:
        """Return the recording of a step that reads these tensors; the step itself is not taken yet."""
        graph = torch.cuda.CUDAGraph()
        self.optimizer.zero_grad(set_to_none=True)
        with torch.cuda.graph(graph):
            loss = self._step(*inputs)
        return graph, inputs, loss
