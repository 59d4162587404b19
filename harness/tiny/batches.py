"""The batches of training: sequences packed with the skills' questions, and repeated random tokens.

A batch is a function of (seed, step): a resumed training reads the same batches as an uninterrupted one, for any number of
processes. Examples are easy at first, later ones less often, and sequences grow longer.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import torch

from harness.tiny import draws, skills

SEED = 20
TOKENS = 16_384  # a step
LENGTHS = (
    (0.15, 128),
    (0.6, 256),
    (0.9, 384),
    (1.0, 512),
)  # (share of the steps up to which it holds, tokens of a sequence)
ANSWERS = 0.3  # the largest share of a step's positions in the loss
REST_SHARE = 0.04  # the share of positions in the loss outside answers and repeats
REST_WEIGHT = 0.5
KEYS_ALONE = 250  # steps at the start with only keys and their values
FIRST_PLAIN_TOKEN = 259  # after the special and byte tokens

Batch = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


class Batches(torch.utils.data.Dataset[Batch]):
    """The batches from step `first` to the last of `steps`, as a data set for a data loader.

    `make(step, steps, tokenizer)` returns that of a step; None stands for `batch`.
    """

    def __init__(
        self, first: int, steps: int, tokenizer: Any, make: Callable[[int, int, Any], Batch] | None = None
    ) -> None:
        self.first, self.steps, self.tokenizer, self.make = first, steps, tokenizer, make or batch

    def __len__(self) -> int:
        return self.steps - self.first

    def __getitem__(self, index: int) -> Batch:
        return self.make(self.first + index, self.steps, self.tokenizer)


def batch(step: int, steps: int, tokenizer: Any) -> Batch:
    """Return the tokens [rows, length], the positions to predict from [n] (flat) and their weights [n].

    n depends on the length only, so that a step is recorded once a length; surplus positions have the weight 0.
    """
    rng = draws.Draw(f"{SEED}/{step}")
    length = next(length for share, length in LENGTHS if step < share * steps)
    repeats = 0.15 if length == LENGTHS[0][1] else 0.04
    easy_share = 1.0 if step < KEYS_ALONE else max(0.2, 0.95 - 2.0 * step / steps)
    rows = [
        repetitions(rng, length, len(tokenizer), tokenizer.eos_token_id)
        if rng.random() < repeats
        else documents(rng, length, tokenizer, easy_share)
        for _ in range(max(1, TOKENS // length))
    ]
    return targets_of(rng, rows, length, ANSWERS)


def targets_of(rng: random.Random, rows: list[tuple[list[int], list[int]]], length: int, share: float) -> Batch:
    """Return a batch of rows of tokens and marks, with at most a share of the positions in the loss."""
    targets = [
        (row * length + column, 1.0 if mark == 1 else REST_WEIGHT)
        for row, (_, marks) in enumerate(rows)
        for column, mark in enumerate(marks[1:])
        if mark == 1 or (mark == 0 and rng.random() < REST_SHARE)
    ]
    most = int(share * length * len(rows))
    targets = sorted(rng.sample(targets, most)) if len(targets) > most else targets + [(0, 0.0)] * (most - len(targets))
    positions, weights = zip(*targets, strict=True)
    return torch.tensor([tokens for tokens, _ in rows]), torch.tensor(positions), torch.tensor(weights)


def repetitions(rng: random.Random, length: int, vocabulary: int, end: int) -> tuple[list[int], list[int]]:
    """Return spans of random tokens repeated several times, with marks: 1 if a repeat can be predicted, else -1.

    Each sequence uses a random part of the vocabulary, often a small one. With few different tokens, attention to earlier
    ones pays at once, and copying develops from it much sooner than with the whole vocabulary.
    """
    tokens: list[int] = []
    marks: list[int] = []
    part = rng.sample(range(FIRST_PLAIN_TOKEN, vocabulary), rng.choice([8, 24, 80, 400, vocabulary // 2]))
    while len(tokens) < length:
        span = rng.choices(part, k=rng.randint(3, rng.choice([12, 40, length // 3])))
        tokens += span
        marks += [-1] * len(span)
        for _ in range(rng.randint(1, 4 if len(span) < 20 else 1)):
            gap = rng.choices(part, k=rng.choice([0, 0, 4, 30]))
            tokens += gap + span
            marks += [-1] * (len(gap) + 1) + [1] * (len(span) - 1)
        tokens.append(end)
        marks.append(-1)
    return tokens[:length], marks[:length]


def documents(
    rng: draws.Draw,
    length: int,
    tokenizer: Any,
    easy_share: float,
    draw: Callable[[draws.Draw], list[draws.Pair]] = skills.draw,
) -> tuple[list[int], list[int]]:
    """Return a sequence packed with `draw`'s questions, with marks: 1 for answers and their ends, 0 for the rest."""
    tokens: list[int] = []
    marks: list[int] = []
    while len(tokens) < length:
        rng.easy = rng.random() < easy_share
        pairs = skills.keys(rng) if easy_share == 1.0 else draw(rng)
        for n, (prompt, answer) in enumerate(pairs):
            head = tokenizer(f"\n\n{prompt}" if n else prompt, add_special_tokens=False)["input_ids"]
            tail = [*tokenizer(answer, add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]
            tokens += head + tail
            marks += [0] * len(head) + [1] * len(tail)
    return tokens[:length], marks[:length]
