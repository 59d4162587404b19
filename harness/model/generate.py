"""Greedy generation in batches, for answers of a few dozen tokens.

A lean loop of our own: `generate` of transformers spends most of a small model's time between the steps, and keeps
finished rows until the last one is done. The tests hold it equal to `generate`, which is used where the loop does not
fit the architecture.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Any, NamedTuple, Protocol

import torch

from harness.model import prefill
from harness.model.logits import logits_at, virtual_tokens


class Written(NamedTuple):
    """An answer: its tokens, the one that ended it included, and the log-likelihood in nats of all of them together."""

    tokens: list[int]
    loglik: float


class Watch(Protocol):
    """Looks on while `greedy` writes, for batches whose rows differ in more than their prompts."""

    def rows(self, alive: Sequence[int]) -> None:
        """Told before each call of the model which prompt each row of it belongs to."""

    def over(self, row: int, tokens: Sequence[int]) -> bool:
        """Return whether a prompt's answer ends with these tokens, though none of them ends a text."""


Generate = Callable[[Any, Sequence[Sequence[int]], Collection[int], int], list[Written]]

NEWLINE_MARKS = ("\n", "Ċ", "<0x0A>")  # as text, in byte-level pieces, in sentencepiece's byte fallback


def end_tokens(model: Any, tokenizer: Any) -> set[int]:
    """Return the ids that end a text: the tokenizer's, and those that the model's generation settings name."""
    settings = getattr(model, "generation_config", None)
    named = getattr(settings, "eos_token_id", None)
    listed = named if isinstance(named, list) else [named]
    return {int(token) for token in (*listed, tokenizer.eos_token_id) if token is not None}


def newline_tokens(tokenizer: Any) -> set[int]:
    """Return the ids of the tokens with a line break in them."""
    pieces = tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))
    return {i for i, piece in enumerate(pieces) if piece and any(mark in piece for mark in NEWLINE_MARKS)}


def fits_loop(model: Any) -> bool:
    """Return whether `greedy` fits the architecture: key-value cache and explicit positions."""
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    takes_positions = "position_ids" in inspect.signature(inner.forward).parameters
    return takes_positions and bool(getattr(inner, "_supports_default_dynamic_cache", lambda: False)())


def choose(model: Any, prompts: Sequence[Sequence[int]]) -> Generate:
    """Return the way of writing that fits the model and the prompts: the fastest that is right."""
    if virtual_tokens(model):
        return by_rereading
    if not fits_loop(model):
        return by_generate
    return partial(greedy, share=True) if prefill.shares(model, prompts) else greedy


def greedy(
    model: Any,
    prompts: Sequence[Sequence[int]],
    stop: Collection[int],
    limit: int,
    watch: Watch | None = None,
    *,
    share: bool = False,
) -> list[Written]:
    """Return the most likely continuation of each prompt, token by token.

    Args:
        model: in evaluation mode, called without gradients and in the spec's precision.
        prompts: token ids, one batch.
        stop: ids that end an answer; the one that did is the last of it.
        limit: the most tokens of an answer.
        watch: told of the rows, and asked for answers that end by other rules.
        share: whether to read what prompts begin with in common once, see `prefill.shares`; not with `watch`.
    """
    cache, mask, places, logits = prefill.read(model, prompts, share=share, told=watch.rows if watch else None)
    alive = list(range(len(prompts)))  # which prompt each row of the cache belongs to
    answers = _Answers(len(prompts), stop, watch)
    for number in range(1, limit + 1):
        ids = answers.add(alive, logits)
        going = [line for line, row in enumerate(alive) if not answers.ended(row)]
        if not going or number == limit:
            break
        if len(going) <= 0.75 * len(alive):  # dropping rows copies the cache: not for every single one
            keep = torch.tensor(going, device=ids.device)
            cache.batch_select_indices(keep)
            ids, places, mask = ids[keep], places[keep], mask[keep]
            alive = [alive[line] for line in going]
        mask = torch.cat([mask, mask.new_ones((len(mask), 1))], dim=1)
        if watch:
            watch.rows(alive)
        logits = logits_at(
            model,
            torch.arange(len(ids), device=ids.device),
            input_ids=ids[:, None],
            attention_mask=mask,
            position_ids=places[:, None],
            past_key_values=cache,
            use_cache=True,
        )
        places = places + 1
    return answers.written()


class _Answers:
    """Collects the likeliest tokens and their log-likelihoods, of each prompt until its answer has ended."""

    def __init__(self, count: int, stop: Collection[int], watch: Watch | None = None) -> None:
        self._tokens: list[list[int]] = [[] for _ in range(count)]
        self._logliks: list[list[float]] = [[] for _ in range(count)]
        self._stop = stop
        self._watch = watch
        self._ended: set[int] = set()

    def ended(self, row: int) -> bool:
        return row in self._ended

    def add(self, rows: Sequence[int], logits: torch.Tensor) -> torch.Tensor:
        """Take the next token of each of the prompts `rows` from logits [rows, vocabulary]; return the tokens [rows]."""
        tokens, logliks = likeliest(logits)
        for row, token, loglik in zip(rows, tokens.tolist(), logliks.tolist(), strict=True):
            if not self.ended(row):
                self._tokens[row].append(token)
                self._logliks[row].append(loglik)
                if token in self._stop or (self._watch and self._watch.over(row, self._tokens[row])):
                    self._ended.add(row)
        return tokens

    def written(self) -> list[Written]:
        return [Written(tokens, math.fsum(found)) for tokens, found in zip(self._tokens, self._logliks, strict=True)]


def likeliest(logits: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the most likely token of each row of logits [rows, vocabulary] and its log-likelihood in nats."""
    logits = logits.float()
    best, tokens = logits.max(-1)
    return tokens, best - logits.logsumexp(-1)


def by_rereading(model: Any, prompts: Sequence[Sequence[int]], stop: Collection[int], limit: int) -> list[Written]:
    """Return the same as `greedy` without a cache, each token from the whole text before it.

    Slow, for models with virtual tokens: PEFT keeps a prefix where the cache would be, and counts padding on the left
    as distance between virtual tokens and text. Here padding is on the right, where no token sees it.
    """
    device = next(model.parameters()).device
    texts = [list(prompt) for prompt in prompts]
    alive = list(range(len(texts)))
    answers = _Answers(len(texts), stop)
    for _ in range(limit):
        width = max(len(texts[row]) for row in alive)
        ids = torch.tensor([texts[row] + [0] * (width - len(texts[row])) for row in alive], device=device)
        last = torch.tensor([line * width + len(texts[row]) - 1 for line, row in enumerate(alive)], device=device)
        tokens = answers.add(alive, logits_at(model, last, input_ids=ids, use_cache=False)).tolist()
        for row, token in zip(alive, tokens, strict=True):
            texts[row].append(token)
        alive = [row for row in alive if not answers.ended(row)]
        if not alive:
            break
    return answers.written()


def by_generate(model: Any, prompts: Sequence[Sequence[int]], stop: Collection[int], limit: int) -> list[Written]:
    """Return the same as `greedy` through transformers' own `generate`: slower, for every architecture."""
    device = next(model.parameters()).device
    ids, mask = prefill.left_padded(prompts, device)
    output = model.generate(
        input_ids=ids,
        attention_mask=mask,
        max_new_tokens=limit,
        do_sample=False,
        num_beams=1,
        eos_token_id=sorted(stop),
        pad_token_id=min(stop),
        return_dict_in_generate=True,
        output_logits=True,
    )
    answers = _Answers(len(prompts), stop)
    for logits in output.logits:
        answers.add(range(len(prompts)), logits)
    return answers.written()
