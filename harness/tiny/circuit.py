"""The start of training: weights that already copy, so that hours need not be spent on finding out how to.

So small a model learns to copy from its context only after a long plateau, and everything else it is to learn rests
on that. Instead of waiting, its attention starts as the circuit that such a plateau ends with (induction heads; Olsson
et al. 2022, arXiv:2209.11895): in layer 0, two heads attend to the previous token and note its content; in layer 1,
four heads attend to where the noted content equals the current token, and write what stands there. All else starts
at random, and all of it is trained.

The residual stream's 160 dimensions start as 96 of content, 63 for the noted previous content and one constant.
"""

from __future__ import annotations

from typing import Any

import torch

CONTENT, NOTED, CONSTANT = slice(0, 96), slice(96, 159), 159
SCALE = 0.09  # of embeddings, per content dimension
HEAD = 32
HALF = HEAD // 2  # rotary position embedding turns dimension i together with i + HALF
FAST, SLOW = range(6), range(8, HALF)  # rotation frequencies that tell neighbours apart, and that hardly turn


def start_copying(model: Any) -> None:
    """Overwrite the embeddings and parts of the first two attention layers of `pretrain.make_model`'s model."""
    layers = model.model.layers
    with torch.no_grad():
        embedding = model.model.embed_tokens.weight
        embedding.normal_(std=SCALE)
        embedding[:, NOTED] = 0.0
        embedding[:, CONSTANT] = 0.3
        for layer in layers:
            for weight in (layer.self_attn.o_proj.weight, layer.mlp.down_proj.weight):
                weight.mul_(0.05)
        views = torch.linalg.qr(torch.randn(96, 63))[0].T  # orthonormal rows: what is noted of the content
        for head in range(2):
            _attend_to_previous(layers[0].self_attn, head, views[32 * head : 32 * head + 32])
        for head in range(4):
            _attend_to_match(layers[1].self_attn, head, views[16 * head : 16 * head + 16])


def _attend_to_previous(attention: Any, head: int, views: torch.Tensor) -> None:
    """Make a head attend to the token before, and note `views` of its content in the NOTED dimensions."""
    rows = slice(HEAD * head, HEAD * head + HEAD)
    frequencies = attention_frequencies(attention)
    for weight in (attention.q_proj.weight, attention.k_proj.weight, attention.v_proj.weight):
        weight[rows] = 0.0
    for f in FAST:
        # A query turned back by one position matches the key of the position before.
        attention.k_proj.weight[HEAD * head + f, CONSTANT] = 1.5
        attention.q_proj.weight[HEAD * head + f, CONSTANT] = 1.5 * frequencies[f].cos()
        attention.q_proj.weight[HEAD * head + f + HALF, CONSTANT] = -1.5 * frequencies[f].sin()
    attention.v_proj.weight[HEAD * head : HEAD * head + len(views), CONTENT] = views
    attention.o_proj.weight[:, rows] = 0.0
    for i in range(len(views)):
        attention.o_proj.weight[96 + HEAD * head + i, HEAD * head + i] = SCALE


def _attend_to_match(attention: Any, head: int, views: torch.Tensor) -> None:
    """Make a head attend to where the noted content equals the current one, and write what stands there."""
    rows = slice(HEAD * head, HEAD * head + HEAD)
    for weight in (attention.q_proj.weight, attention.k_proj.weight, attention.v_proj.weight):
        weight[rows] = 0.0
    slow = [*SLOW, *(f + HALF for f in SLOW)]
    for i, view in enumerate(views):
        attention.q_proj.weight[HEAD * head + slow[i], CONTENT] = 1.8 * view
        attention.k_proj.weight[HEAD * head + slow[i], 96 + 16 * head + i] = 1.8
    attention.o_proj.weight[:, rows] = 0.0
    for i in range(24):  # each of the four heads carries a quarter of the content
        attention.v_proj.weight[HEAD * head + i, 24 * head + i] = 1.0
        attention.o_proj.weight[24 * head + i, HEAD * head + i] = 3 * SCALE


def attention_frequencies(attention: Any) -> torch.Tensor:
    """Return the angles in radians by which one position turns each pair of a head's dimensions [HALF]."""
    base = attention.config.rope_parameters["rope_theta"]
    return torch.tensor([base ** (-f / HALF) for f in range(HALF)])
