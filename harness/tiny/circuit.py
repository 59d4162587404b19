"""The start of training: weights that already copy and pool, so that hours need not be spent on finding out how to.

So small a model learns to copy from its context, and to find a place in it by a key, only after long plateaus, and
everything else it is to learn rests on that. Instead of waiting, its attention starts as the circuit that such a
plateau ends with (induction heads; Olsson et al. 2022, arXiv:2209.11895): in layer 0, three heads attend to the tokens
one, two and three places back and note their content; in layers 1, 2 and 3, four heads each attend to where what was
noted one, two or three places back equals the current content, and write what stands there.

What a sentence is about shows in its words together, not in the last one. So other heads of every layer pool: they
average the content of a phrase's or a sentence's words, weakly where copying would suffer. Without them a model
remembers how a question begins and not what it is about. All else starts at random, and all of it is trained.

The residual stream's 192 dimensions start as 128 of content, three times 20 for what was noted, one that
tells words that say something from all else, and one constant.
"""

from __future__ import annotations

from typing import Any

import torch

from harness.tiny.meanings import PLAIN

CONTENT, NOTED, WORD, CONSTANT = slice(0, 128), 128, 190, 191
NOTE = 20  # dimensions of a note
SCALE = 0.09  # of embeddings, per content dimension
OWN = 0.5  # of a token's embedding, the part not shared with the other forms of its word
HEAD = 32
HALF = HEAD // 2  # rotary position embedding turns dimension i together with i + HALF
FAST, SLOW = range(6), range(8, HALF)  # rotation frequencies that tell neighbours apart, and that hardly turn
MATCHING = 4  # heads of layers 1 to 3, each for a quarter of the content
# Rotation frequencies by which a head weighs the tokens behind it: a phrase, a sentence.
PHRASE, SENTENCE = range(2, 5), range(4, 7)
POOLS = ((PHRASE, SENTENCE, SENTENCE), *((SENTENCE, SENTENCE),) * 3, (SENTENCE,) * 3)  # of each layer
POOLED = (0.05, 0.05, 0.05, 0.3, 0.3)  # how strongly the pools of each layer are written: late, where nothing is copied


def start_copying(model: Any, tokens: list[str]) -> None:
    """Overwrite the embeddings and parts of the attention layers of `pretrain.make_model`'s model.

    `tokens` are the texts of the vocabulary in order. Those that differ in case or in a blank before them start alike.
    """
    layers = model.model.layers
    with torch.no_grad():
        embedding = model.model.embed_tokens.weight
        embedding.normal_(std=SCALE)
        stems = {stem: i for i, stem in enumerate(dict.fromkeys(map(_stem, tokens)))}
        shared = torch.randn(len(stems), embedding.shape[1]) * SCALE
        embedding.mul_(OWN).add_((1 - OWN**2) ** 0.5 * shared[torch.tensor([stems[_stem(token)] for token in tokens])])
        embedding[:, NOTED:] = 0.0
        embedding[:, CONSTANT] = 0.3
        embedding[:, WORD] = 0.3 * torch.tensor([float(_stem(token) in PLAIN) for token in tokens])
        for layer in layers:
            for weight in (layer.self_attn.o_proj.weight, layer.mlp.down_proj.weight):
                weight.mul_(0.05)
        views = torch.linalg.qr(torch.randn(128, 3 * NOTE))[0].T  # orthonormal rows: what is noted of the content
        for back in (1, 2, 3):
            view = views[NOTE * (back - 1) : NOTE * back]
            _attend_back(layers[0].self_attn, back, view)
            for head in range(MATCHING):
                _attend_to_match(layers[back].self_attn, back, head, view)
        for number, pools in enumerate(POOLS):
            attention = layers[number].self_attn
            heads = attention.config.num_attention_heads
            for head, frequencies in enumerate(pools, heads - len(pools)):
                _pool(attention, head, frequencies, POOLED[number])


def _stem(token: str) -> str:
    return token.removeprefix("▁").lower() or token


def _attend_back(attention: Any, back: int, view: torch.Tensor) -> None:
    """Make a head attend `back` tokens back and note a view of the content there."""
    first = HEAD * (back - 1)
    frequencies = attention_frequencies(attention)
    _clear(attention, first)
    for f in FAST:
        # A query turned back by so many positions matches the key of the position there.
        attention.k_proj.weight[first + f, CONSTANT] = 1.5
        attention.q_proj.weight[first + f, CONSTANT] = 1.5 * (back * frequencies[f]).cos()
        attention.q_proj.weight[first + f + HALF, CONSTANT] = -1.5 * (back * frequencies[f]).sin()
    attention.v_proj.weight[first : first + NOTE, CONTENT] = view
    for i in range(NOTE):
        attention.o_proj.weight[NOTED + NOTE * (back - 1) + i, first + i] = SCALE


def _attend_to_match(attention: Any, back: int, head: int, view: torch.Tensor) -> None:
    """Make a head attend to where the note of `back` tokens back equals the current content, and write what is there."""
    first = HEAD * head
    _clear(attention, first)
    slow = [*SLOW, *(f + HALF for f in SLOW)]
    offset = (0, 1, 3, 4)[head]  # the heads look at overlapping parts of the note
    for i, dimension in enumerate(slow):
        attention.q_proj.weight[first + dimension, CONTENT] = 1.8 * view[offset + i]
        attention.k_proj.weight[first + dimension, NOTED + NOTE * (back - 1) + offset + i] = 1.8
    for i in range(HEAD):  # each carries a quarter of the content
        attention.v_proj.weight[first + i, HEAD * head + i] = 1.0
        attention.o_proj.weight[HEAD * head + i, first + i] = (3 if back == 1 else 1) * SCALE


def _pool(attention: Any, head: int, frequencies: range, strength: float) -> None:
    """Make a head average a random view of the words behind it that say something, nearer ones more."""
    first = HEAD * head
    _clear(attention, first)
    for f in frequencies:
        attention.q_proj.weight[first + f, CONSTANT] = attention.k_proj.weight[first + f, CONSTANT] = 0.8
    for f in (HALF - 2, HALF - 1):
        attention.q_proj.weight[first + f, CONSTANT] = attention.k_proj.weight[first + f, WORD] = 0.8
    width = attention.v_proj.weight.shape[1]
    attention.v_proj.weight[first : first + HEAD, CONTENT] = torch.linalg.qr(torch.randn(128, HEAD))[0].T
    attention.o_proj.weight[:, first : first + HEAD] = torch.linalg.qr(torch.randn(width, HEAD))[0] * strength


def _clear(attention: Any, first: int) -> None:
    for weight in (attention.q_proj.weight, attention.k_proj.weight, attention.v_proj.weight):
        weight[first : first + HEAD] = 0.0
    attention.o_proj.weight[:, first : first + HEAD] = 0.0


def attention_frequencies(attention: Any) -> torch.Tensor:
    """Return the angles in radians by which one position turns each pair of a head's dimensions [HALF]."""
    base = attention.config.rope_parameters["rope_theta"]
    return torch.tensor([base ** (-f / HALF) for f in range(HALF)])
