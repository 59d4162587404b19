"""The start of training: weights that already copy and pool, so that hours need not be spent on finding out how to.

So small a model learns to copy from its context, and to find a place in it by a key, only after long plateaus, and
everything else it is to learn rests on that. Instead of waiting, its attention starts as the circuit that such a
plateau ends with (induction heads; Olsson et al. 2022, arXiv:2209.11895): in layer 0, three heads attend to the tokens
one, two and three places back and note their content; in layers 1, 2 and 3, three heads each attend to where what was
noted one, two or three places back equals the current content, and write what stands there.

What a sentence is about shows in its words together, not in the last one. So the other heads of layer 0 pool: each
averages, over the words so far that say something and the nearer ones more, another part of their content. What they
find goes into dimensions of its own, where nothing else is ever written: these heads stay as they are (`Fixed`), since
training wears them away and with them what fine-tuning could hold on to. All else starts at random, and is trained.

The residual stream's 224 dimensions start as 96 of content, three times 16 for what was noted, one that tells words
that say something from all else, one constant, and 78 for what is pooled. Embeddings are of size one, and the last norm
makes up for it: an optimizer's steps are of one size for every weight, and where embeddings are small all that the
layers learn to write soon drowns them, above all what LoRA writes (rates of 3e-3 did not train a model with
embeddings of 0.09).
"""

from __future__ import annotations

from typing import Any

import torch

from harness.tiny.meanings import FUNCTION

CONTENT, NOTED, WORD, CONSTANT, POOLED = slice(0, 96), 96, 144, 145, 146
NOTE = 16  # dimensions of a note
POOL = 26  # dimensions that a pooling head fills
SIZE = 1.0  # of embeddings, per content dimension
OWN = 0.5  # of a token's embedding, the part not shared with the other forms of its word
MARK = 3.3  # of the constant, and of the dimension that tells words
LOGITS = 0.15  # the last norm's weight
WRITES = 0.2  # what is left of the random output matrices, so that the circuit is heard
HEAD = 32
HALF = HEAD // 2  # rotary position embedding turns dimension i together with i + HALF
FAST, SLOW = range(6), range(8, HALF)  # rotation frequencies that tell neighbours apart, and that hardly turn
SENTENCE = range(4, 6)  # frequencies by which a head weighs the tokens of a sentence behind it
MATCHING = 3  # heads of layers 1 to 3, each for a third of the content


def start_copying(model: Any, tokens: list[str]) -> None:
    """Overwrite the embeddings and parts of the attention layers of `pretrain.make_model`'s model.

    `tokens` are the texts of the vocabulary in order. Those that differ in case or in a blank before them start alike.
    """
    layers = model.model.layers
    with torch.no_grad():
        _embed(model.model.embed_tokens.weight, tokens)
        model.model.norm.weight.fill_(LOGITS)
        for layer in layers:
            for weight in (layer.self_attn.o_proj.weight, layer.mlp.down_proj.weight):
                weight.mul_(WRITES)
                weight[POOLED:] = 0.0
        views = _directions(3 * NOTE)  # what is noted of the content
        for back in (1, 2, 3):
            view = views[NOTE * (back - 1) : NOTE * back]
            _attend_back(layers[0].self_attn, back, view)
            for head in range(MATCHING):
                _attend_to_match(layers[back].self_attn, back, head, view)
        pooled = _directions(3 * POOL)
        for number in range(3):
            _pool(layers[0].self_attn, number, pooled[POOL * number : POOL * (number + 1)])


def _embed(embedding: torch.Tensor, tokens: list[str]) -> None:
    stems = {stem: i for i, stem in enumerate(dict.fromkeys(map(_stem, tokens)))}
    shared = torch.randn(len(stems), embedding.shape[1])[torch.tensor([stems[_stem(token)] for token in tokens])]
    embedding.normal_().mul_(OWN).add_(shared, alpha=(1 - OWN**2) ** 0.5).mul_(SIZE)
    embedding[:, NOTED:] = 0.0
    embedding[:, CONSTANT] = MARK
    embedding[:, WORD] = MARK * torch.tensor([float(_says_something(_stem(token))) for token in tokens])


def _directions(count: int) -> torch.Tensor:
    """Return orthonormal rows [count, content]."""
    columns, _ = torch.linalg.qr(torch.randn(CONTENT.stop, count))
    return torch.as_tensor(columns.T)


def _stem(token: str) -> str:
    return token.removeprefix("▁").lower() or token


def _says_something(stem: str) -> bool:
    """Whether a token is of a word that is about something, be it only a part of the word."""
    return stem.isalpha() and len(stem) > 1 and stem not in FUNCTION


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
        attention.o_proj.weight[NOTED + NOTE * (back - 1) + i, first + i] = SIZE


def _attend_to_match(attention: Any, back: int, head: int, view: torch.Tensor) -> None:
    """Make a head attend to where the note of `back` tokens back equals the current content, and write what is there."""
    first = HEAD * head
    _clear(attention, first)
    slow = [*SLOW, *(f + HALF for f in SLOW)]
    for i, dimension in enumerate(slow):
        attention.q_proj.weight[first + dimension, CONTENT] = 2.5 * view[i]
        attention.k_proj.weight[first + dimension, NOTED + NOTE * (back - 1) + i] = 2.5
    for i in range(HEAD):  # each carries a third of the content
        attention.v_proj.weight[first + i, HEAD * head + i] = 1.0
        attention.o_proj.weight[HEAD * head + i, first + i] = (3 if back == 1 else 1) * SIZE


def _pool(attention: Any, number: int, view: torch.Tensor) -> None:
    """Make one of three heads average a view of the words behind it that say something, nearer ones more."""
    first = HEAD * (3 + number)
    _clear(attention, first)
    for f in SENTENCE:
        attention.q_proj.weight[first + f, CONSTANT] = attention.k_proj.weight[first + f, CONSTANT] = 0.56
    for f in (HALF - 2, HALF - 1):
        attention.q_proj.weight[first + f, CONSTANT] = attention.k_proj.weight[first + f, WORD] = 0.7
    attention.v_proj.weight[first : first + POOL, CONTENT] = view
    for i in range(POOL):
        attention.o_proj.weight[POOLED + POOL * number + i, first + i] = 3.0 * SIZE


class Fixed:
    """What training leaves as it started: the pooling heads, what they look for, and the dimensions they alone fill."""

    def __init__(self, model: Any) -> None:
        embedding, layers = model.model.embed_tokens.weight.data, model.model.layers
        first = layers[0].self_attn
        parts = [
            embedding[:, WORD:],
            layers[0].input_layernorm.weight.data,
            first.o_proj.weight.data[:, 3 * HEAD : 6 * HEAD],
        ]
        parts += [
            projection.weight.data[3 * HEAD : 6 * HEAD] for projection in (first.q_proj, first.k_proj, first.v_proj)
        ]
        for layer in layers:
            parts += [layer.self_attn.o_proj.weight.data[POOLED:], layer.mlp.down_proj.weight.data[POOLED:]]
        self.parts = [(part, part.clone()) for part in parts]

    def put_back(self) -> None:
        """Undo what a step of the optimizer did to it."""
        for part, start in self.parts:
            part.copy_(start)


def _clear(attention: Any, first: int) -> None:
    for weight in (attention.q_proj.weight, attention.k_proj.weight, attention.v_proj.weight):
        weight[first : first + HEAD] = 0.0
    attention.o_proj.weight[:, first : first + HEAD] = 0.0


def attention_frequencies(attention: Any) -> torch.Tensor:
    """Return the angles in radians by which one position turns each pair of a head's dimensions [HALF]."""
    base = attention.config.rope_parameters["rope_theta"]
    return torch.tensor([base ** (-f / HALF) for f in range(HALF)])
