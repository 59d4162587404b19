"""The initial weights, which already copy and pool, so that training need not spend hours on learning it.

So small a model learns to copy from its context, and to look up a position in it by a key, only after long plateaus. Almost
everything else it learns depends on that. Instead, its attention starts as the circuit with which such a plateau ends
(induction heads; Olsson et al. 2022, arXiv:2209.11895). In layer 0, three heads attend to the tokens one, two and three
positions back and note their content. In layers 1, 2 and 3, three heads each attend to positions with a note, from one, two
or three positions back, equal to the current content, and write the content of that position.

The topic of a sentence shows in all its words together, not in the last one. Therefore the other heads of layer 0 pool: each
averages another part of the content over all content words so far, with more weight on nearer ones. Their results go into
dimensions of their own, and no other weight writes there. These heads are not trained (`FrozenParts`), because training
destroys them, and fine-tuning needs them. All other weights start at random and are trained.

The residual stream's 224 dimensions start as 96 of content, three times 16 for notes, one that marks content words, one
constant, and 78 for pooled content. Embeddings are of size one, and the last norm compensates for it. An optimizer's steps
have one size for every weight: if embeddings are small, the layers' outputs soon drown them, above all those of LoRA (rates
of 3e-3 did not train a model with embeddings of 0.09).
"""

from __future__ import annotations

from typing import Any

import torch

from harness.tiny.meanings import FUNCTION_WORDS

CONTENT, NOTES, WORD, CONSTANT, POOLS = slice(0, 96), 96, 144, 145, 146
NOTE = 16  # dimensions of a note
POOL = 26  # dimensions that a pooling head fills
SIZE = 1.0  # size of embeddings, per content dimension
OWN_SHARE = 0.5  # the part of a token's embedding that is not shared with the other forms of its word
MARK = 3.3  # value of the constant, and of the dimension that marks content words
LOGITS = 0.15  # the last norm's weight
WRITES = 0.2  # factor of the random output matrices, so that the circuit dominates
HEAD = 32
HALF = HEAD // 2  # rotary position embedding turns dimension i together with i + HALF
FAST, SLOW = range(6), range(8, HALF)  # rotation frequencies that distinguish neighbours, and that hardly turn
SENTENCE = range(4, 6)  # frequencies by which a head weighs the earlier tokens of a sentence
MATCHING = 3  # heads of layers 1 to 3, each for a third of the content


def start_copying(model: Any, tokens: list[str]) -> None:
    """Write the circuit into the embeddings and parts of the attention layers of `pretrain.make_model`'s model.

    `tokens` are the texts of the vocabulary in order. Those that differ only in case or in a leading blank start alike.
    """
    layers = model.model.layers
    with torch.no_grad():
        _embed(model.model.embed_tokens.weight, tokens)
        model.model.norm.weight.fill_(LOGITS)
        for layer in layers:
            for weight in (layer.self_attn.o_proj.weight, layer.mlp.down_proj.weight):
                weight.mul_(WRITES)
                weight[POOLS:] = 0.0
        views = _directions(3 * NOTE)  # the part of the content in a note
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
    embedding.normal_().mul_(OWN_SHARE).add_(shared, alpha=(1 - OWN_SHARE**2) ** 0.5).mul_(SIZE)
    embedding[:, NOTES:] = 0.0
    embedding[:, CONSTANT] = MARK
    embedding[:, WORD] = MARK * torch.tensor([float(_says_something(_stem(token))) for token in tokens])


def _directions(count: int) -> torch.Tensor:
    """Return orthonormal rows [count, content]."""
    columns, _ = torch.linalg.qr(torch.randn(CONTENT.stop, count))
    return torch.as_tensor(columns.T)


def _stem(token: str) -> str:
    return token.removeprefix("▁").lower() or token


def _says_something(stem: str) -> bool:
    """Return whether a token is a content word or a part of one."""
    return stem.isalpha() and len(stem) > 1 and stem not in FUNCTION_WORDS


def _attend_back(attention: Any, back: int, view: torch.Tensor) -> None:
    """Set a head's weights so that it attends `back` tokens back and notes a view of the content there."""
    first = HEAD * (back - 1)
    frequencies = attention_frequencies(attention)
    _clear(attention, first)
    for f in FAST:
        # A query turned back by this number of positions matches the key of that position.
        attention.k_proj.weight[first + f, CONSTANT] = 1.5
        attention.q_proj.weight[first + f, CONSTANT] = 1.5 * (back * frequencies[f]).cos()
        attention.q_proj.weight[first + f + HALF, CONSTANT] = -1.5 * (back * frequencies[f]).sin()
    attention.v_proj.weight[first : first + NOTE, CONTENT] = view
    for i in range(NOTE):
        attention.o_proj.weight[NOTES + NOTE * (back - 1) + i, first + i] = SIZE


def _attend_to_match(attention: Any, back: int, head: int, view: torch.Tensor) -> None:
    """Set a head's weights so that it looks up the current content.

    It attends to positions whose note of `back` tokens back equals the current content, and writes their content.
    """
    first = HEAD * head
    _clear(attention, first)
    slow = [*SLOW, *(f + HALF for f in SLOW)]
    for i, dimension in enumerate(slow):
        attention.q_proj.weight[first + dimension, CONTENT] = 2.5 * view[i]
        attention.k_proj.weight[first + dimension, NOTES + NOTE * (back - 1) + i] = 2.5
    for i in range(HEAD):  # each head moves a third of the content
        attention.v_proj.weight[first + i, HEAD * head + i] = 1.0
        attention.o_proj.weight[HEAD * head + i, first + i] = (3 if back == 1 else 1) * SIZE


def _pool(attention: Any, number: int, view: torch.Tensor) -> None:
    """Set the weights of one of three heads so that it averages a view of earlier content words, nearer ones more."""
    first = HEAD * (3 + number)
    _clear(attention, first)
    for f in SENTENCE:
        attention.q_proj.weight[first + f, CONSTANT] = attention.k_proj.weight[first + f, CONSTANT] = 0.56
    for f in (HALF - 2, HALF - 1):
        attention.q_proj.weight[first + f, CONSTANT] = attention.k_proj.weight[first + f, WORD] = 0.7
    attention.v_proj.weight[first : first + POOL, CONTENT] = view
    for i in range(POOL):
        attention.o_proj.weight[POOLS + POOL * number + i, first + i] = 3.0 * SIZE


class FrozenParts:
    """The parts without training: the pooling heads, their inputs, and the dimensions that only they fill."""

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
            parts += [layer.self_attn.o_proj.weight.data[POOLS:], layer.mlp.down_proj.weight.data[POOLS:]]
        self.parts = [(part, part.clone()) for part in parts]

    def put_back(self) -> None:
        """Set the parts back to their start after a step of the optimizer."""
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
