"""The training peak as a closed formula: what the byte-counter finds for dense Llama shapes, derived by hand.

Symbols: N tokens of a micro-batch (rows times width), m of them with a target, L layers; h hidden, q and k widths of all
query and of all key heads, f feed-forward width, a heads, r rank, V vocabulary; W = 2hq + 2hk + 3hf weights of a layer's
linear layers, P all weights, A = r x (inputs + outputs of every linear layer) adapter weights. Everything is in bytes and for
bf16: bf16 under autocast, fp32 for what trains.

*Held throughout.* LoRA: weights 2P, adapters 4A, two moments 8A. QLoRA: the linear layers in NF4 instead, (4 + 8/64 +
32/16384) / 8 a weight. Full: weights 4P, moments 8P. Gradients (4A or 4P) come during the backward pass; where a step has
more than one micro-batch they are there from the start.

*Saved for the backward pass, per token and layer.* A norm keeps its fp32 input (4h) and the reciprocal root (4); attention
keeps q, k, v, its output and the log-sum-exp (2q + 2k + 2k + 2q + 4a), never the scores; the feed-forward part keeps gate, up,
silu(gate) and the product (8f). Frozen linear layers keep nothing, but adapters keep their input, the output of each norm
(2h, shared by those that read it), and the r numbers between A and B (2r each, seven of them):

    LoRA, QLoRA   12h + 4q + 4k + 8f + 14r + 4a + 8

In full fine-tuning the residual stream is fp32. A norm keeps its input and the normalised input (8h), and autocast makes a
bf16 copy of its output for each linear layer that reads it (2h, three and two times):

    full          26h + 4q + 4k + 8f + 4a + 8

Casts of what trains are kept as well: 2A, or 2 bytes for each weight of a linear layer. With checkpointing a layer keeps its
input only (2h, full 4h), and one layer at a time holds all of the above.

*For a moment.* The backward pass of a feed-forward part holds two gradients of width f (4f) and some of width h: 6h (LoRA),
10h (full); with checkpointing the final norm is gone by then, 2h and 6h. The loss holds three fp32 tensors of the logits,
12 mV. QLoRA unpacks one layer at a time, 2hf at most.

*The peak* is the largest of a few moments: the loss; the first layer of the backward pass (the last of the model), when all is
saved and there are few gradients; its end, when all gradients are there and little is saved. In between both change
linearly, so that no other moment is higher. `tests/runs/test_closed_form.py` holds it within 5 % of the counter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.record import RunSpec
from harness.schema import Method

KNOWN_SHAPES = ("llama", "mistral", "qwen2")
KNOWN_METHODS = ("lora", "qlora", "full")


@dataclass(frozen=True)
class Dims:
    """Widths of a dense decoder: `queries` and `keys` are those of all heads together."""

    hidden: int
    queries: int
    keys: int
    inner: int
    layers: int
    heads: int
    vocab: int
    tied: bool

    @property
    def linear(self) -> int:
        """Weights of one layer's seven linear layers."""
        return 2 * self.hidden * (self.queries + self.keys) + 3 * self.hidden * self.inner

    @property
    def sides(self) -> int:
        """Inputs and outputs of one layer's seven linear layers, added up: adapter weights per layer and rank."""
        return 5 * self.hidden + 2 * self.queries + 2 * self.keys + 3 * self.inner + 2 * self.hidden

    @property
    def weights(self) -> int:
        """All weights, biases left out."""
        ends = self.vocab * self.hidden * (1 if self.tied else 2) + self.hidden
        return self.layers * (self.linear + 2 * self.hidden) + ends


@dataclass(frozen=True)
class Breakdown:
    """Bytes at the peak by part; `largest` names the largest part."""

    weights: float
    optimizer: float
    gradients: float
    activations: float
    moment: float

    @property
    def total(self) -> float:
        """The peak in bytes."""
        return self.weights + self.optimizer + self.gradients + self.activations + self.moment

    @property
    def largest(self) -> str:
        """The name of the largest part."""
        parts = {"weights": self.weights, "optimizer state": self.optimizer, "gradients": self.gradients}
        parts |= {"saved activations": self.activations, "temporaries": self.moment}
        return max(parts, key=lambda name: parts[name])


def dims(config: Mapping[str, Any]) -> Dims | None:
    """Return the widths in a config, None for an architecture that the formula does not cover."""
    return widths(config) if config.get("model_type") in KNOWN_SHAPES else None


def widths(config: Mapping[str, Any]) -> Dims | None:
    """Return the widths in the config of any decoder, None if it does not name them as Llama's does."""
    inner = config.get("text_config")
    config = inner if isinstance(inner, Mapping) else config
    needed = ("hidden_size", "num_attention_heads", "intermediate_size", "num_hidden_layers", "vocab_size")
    if not all(isinstance(config.get(name), int) and config[name] > 0 for name in needed):
        return None
    hidden, heads = int(config["hidden_size"]), int(config["num_attention_heads"])
    width = int(config.get("head_dim") or hidden // heads)
    return Dims(
        hidden=hidden,
        queries=heads * width,
        keys=int(config.get("num_key_value_heads") or heads) * width,
        inner=int(config["intermediate_size"]),
        layers=int(config["num_hidden_layers"]),
        heads=heads,
        vocab=int(config["vocab_size"]),
        tied=bool(config.get("tie_word_embeddings", False)),
    )


def peak(shape: Dims, spec: RunSpec, method: Method, *, tokens: int, targets: int) -> Breakdown | None:
    """Return the training peak by part; None for fp32 and for methods whose activations are not derived here.

    Args:
        shape: of the model.
        spec: gives rank, checkpointing, and whether a step has more than one micro-batch.
        method: one of `KNOWN_METHODS`.
        tokens: of the largest micro-batch, padding included.
        targets: how many of them have a logit row.
    """
    if spec.dtype != "bf16" or method.name not in KNOWN_METHODS:
        return None
    moments = _adapter_moments if method.adapter else _full_moments
    return max(moments(shape, spec, method, tokens, targets), key=lambda breakdown: breakdown.total)


def saved(shape: Dims, rank: int, dtype: str) -> int:
    """Return the bytes that a token saves in a layer for the backward pass; `rank` is 0 for full fine-tuning.

    In fp32 there are no casts, and full fine-tuning saves what LoRA saves but for the numbers between A and B.
    """
    if dtype == "fp32":
        return 16 * shape.hidden + 8 * (shape.queries + shape.keys + 2 * shape.inner) + 28 * rank + 4 * shape.heads + 8
    common = 4 * shape.queries + 4 * shape.keys + 8 * shape.inner + 4 * shape.heads + 8
    return common + (12 * shape.hidden + 14 * rank if rank else 26 * shape.hidden)


def _adapter_moments(shape: Dims, spec: RunSpec, method: Method, tokens: int, targets: int) -> list[Breakdown]:
    adapters = spec.rank * shape.sides * shape.layers
    linear = shape.linear * shape.layers
    frozen = 2 * (shape.weights - linear) + linear * method.frozen_bits / 8
    unpacked = 0 if method.frozen_bits == 16 else 2 * shape.hidden * max(shape.inner, shape.queries)
    layer = saved(shape, spec.rank, spec.dtype) * tokens
    several = spec.batch_size > spec.micro_batch
    if spec.checkpointing:
        stored, live, wide = 2 * shape.hidden * tokens * shape.layers, layer + 2 * adapters / shape.layers, 2
    else:
        stored, live, wide = layer * shape.layers + 2 * adapters, 0.0, 6
    working = (4 * shape.inner + wide * shape.hidden) * tokens + unpacked
    return [
        Breakdown(
            weights=frozen + 4 * adapters,
            optimizer=8 * adapters,
            gradients=4 * adapters * (several or complete),
            activations=activations,
            moment=moment,
        )
        for activations, moment, complete in (
            (stored, 12 * targets * shape.vocab, False),
            (stored + live, working, False),
            (layer, working, True),
        )
    ]


def _full_moments(shape: Dims, spec: RunSpec, method: Method, tokens: int, targets: int) -> list[Breakdown]:
    weights, ends = shape.weights, shape.vocab * shape.hidden
    casts = 2 * (shape.linear * shape.layers + ends)
    cast = 2 * shape.linear
    layer = saved(shape, 0, spec.dtype) * tokens
    several = spec.batch_size > spec.micro_batch
    if spec.checkpointing:  # the casts live until the forward pass ends
        stored, first, wide = 4 * shape.hidden * tokens * shape.layers, layer + cast, 6
    else:
        stored, first, wide = layer * shape.layers + casts, 0, 10
    working = (4 * shape.inner + wide * shape.hidden) * tokens
    last = 4 * (weights - shape.linear - (0 if shape.tied else ends))  # gradients when the first layer's turn comes
    loss = stored + (casts if spec.checkpointing else 0)
    return [
        Breakdown(
            weights=4 * weights,
            optimizer=8 * weights,
            gradients=4 * weights if several else gradients,
            activations=activations,
            moment=moment,
        )
        for activations, moment, gradients in (
            (loss, 12 * targets * shape.vocab, 0),
            (stored, 6 * ends, 0),  # the output layer's gradient, in bf16 and in fp32
            (stored + first, working, 4 * ends),
            (layer + cast, working, last),
            (4 * shape.hidden * tokens, (8 * shape.tied + 4 * several) * ends, 4 * weights),  # the embedding's
        )
    ]
