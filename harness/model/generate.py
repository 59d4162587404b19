"""Greedy generation in batches, for answers of a few dozen tokens.

`generate` of transformers spends most of a small model's time between the steps, and carries finished rows on until the
last one is done. A lean loop replaces it; the tests compare both token by token. If the loop does not fit the
architecture, `generate` is used.
"""

from __future__ import annotations

import contextlib
import inspect
import itertools
import math
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import torch

from harness.metrics import thoughts
from harness.model import chat_turn, prefill, prefix_tree
from harness.model.chat.render import chat_of, open_thought
from harness.model.logits import logits_at, virtual_tokens


class Continuation(NamedTuple):
    """An answer: its tokens, its end token included, and the log-likelihood in nats of all of them together."""

    tokens: list[int]
    loglik: float


Generate = Callable[[Any, Sequence[Sequence[int]], Collection[int], int], list[Continuation]]

NEWLINE_MARKS = ("\n", "Ċ", "<0x0A>")  # as text, in byte-level pieces, in sentencepiece's byte fallback


def end_tokens(model: Any, tokenizer: Any) -> set[int]:
    """Return the ids that end a text: the tokenizer's, the chat template's, and those of the model's generation settings."""
    settings = getattr(model, "generation_config", None)
    setting = getattr(settings, "eos_token_id", None)
    ids = setting if isinstance(setting, list) else [setting]
    turn = [chat_turn.turn(tokenizer).end] if getattr(tokenizer, "chat_template", None) else []
    return {int(token) for token in (*ids, *turn, tokenizer.eos_token_id) if token is not None}


def text_of(tokenizer: Any, tokens: Sequence[int], prompt: Sequence[int] = ()) -> str:
    """Return the text of an answer's tokens without control tokens, but with the marks of thoughts.

    If the prompt has opened a thought, its mark stands in front.
    """
    marks = _marks(tokenizer)
    parts: list[str] = [""]
    for mark, group in itertools.groupby(tokens, key=marks.get):
        parts.append(mark or tokenizer.decode(list(group), skip_special_tokens=True))
    opened = open_thought(tokenizer.decode(list(prompt[-8:]))) if prompt and chat_of(tokenizer) else ""
    return (opened + "".join(parts)).strip()


def _marks(tokenizer: Any) -> dict[int, str]:
    """Return the marks of thoughts among the control tokens, by their ids."""
    names = {*thoughts.MARKS, *thoughts.MARKS.values()}
    added = getattr(tokenizer, "added_tokens_decoder", {})
    return {number: token.content for number, token in added.items() if token.special and token.content in names}


def newline_tokens(tokenizer: Any) -> set[int]:
    """Return the ids of the tokens that contain a line break."""
    pieces = tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))
    return {i for i, piece in enumerate(pieces) if piece and any(mark in piece for mark in NEWLINE_MARKS)}


def fits_loop(model: Any) -> bool:
    """Return whether `greedy` fits the architecture: key-value cache and explicit positions."""
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    takes_positions = "position_ids" in inspect.signature(inner.forward).parameters
    return takes_positions and bool(getattr(inner, "_supports_default_dynamic_cache", lambda: False)())


def choose(model: Any, prompts: Sequence[Sequence[int]]) -> Generate:
    """Return the fastest correct generation function for the model and the prompts."""
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
    *,
    share: bool = False,
) -> list[Continuation]:
    """Return the most likely continuation of each prompt, token by token.

    Args:
        model: in evaluation mode, called without gradients and in the spec's precision.
        prompts: token ids, one batch.
        stop: ids that end an answer; the answer includes its end token.
        limit: the most tokens of an answer.
        share: whether to read common beginnings of prompts once, see `prefill.shares`.
    """
    cache, mask, positions, logits = prefill.read(model, prompts, share=share)
    active = list(range(len(prompts)))  # the prompt's index for each row of the cache
    answers = _Answers(len(prompts), stop)
    for number in range(1, limit + 1):
        ids = answers.add(active, logits)
        unfinished = [line for line, row in enumerate(active) if not answers.is_complete(row)]
        if not unfinished or number == limit:
            break
        if len(unfinished) <= 0.75 * len(active):  # dropping rows copies the cache: not for every single row
            keep = torch.tensor(unfinished, device=ids.device)
            cache.batch_select_indices(keep)
            ids, positions, mask = ids[keep], positions[keep], mask[keep]
            active = [active[line] for line in unfinished]
        mask = torch.cat([mask, mask.new_ones((len(mask), 1))], dim=1)
        logits = logits_at(
            model,
            torch.arange(len(ids), device=ids.device),
            input_ids=ids[:, None],
            attention_mask=mask,
            position_ids=positions[:, None],
            past_key_values=cache,
            use_cache=True,
        )
        positions = positions + 1
    return answers.continuations()


class _Answers:
    """The likeliest tokens and their log-likelihoods of each prompt, up to the end of its answer."""

    def __init__(self, count: int, stop: Collection[int]) -> None:
        self._tokens: list[list[int]] = [[] for _ in range(count)]
        self._logliks: list[list[float]] = [[] for _ in range(count)]
        self._stop = stop
        self._complete: set[int] = set()

    def is_complete(self, row: int) -> bool:
        return row in self._complete

    def add(self, rows: Sequence[int], logits: torch.Tensor) -> torch.Tensor:
        """Add the next token of each of the prompts `rows` from logits [rows, vocabulary]; return the tokens [rows]."""
        tokens, logliks = likeliest(logits)
        for row, token, loglik in zip(rows, tokens.tolist(), logliks.tolist(), strict=True):
            if not self.is_complete(row):
                self._tokens[row].append(token)
                self._logliks[row].append(loglik)
                if token in self._stop:
                    self._complete.add(row)
        return tokens

    def continuations(self) -> list[Continuation]:
        pairs = zip(self._tokens, self._logliks, strict=True)
        return [Continuation(tokens, math.fsum(logliks)) for tokens, logliks in pairs]


def likeliest(logits: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the most likely token of each row of logits [rows, vocabulary] and its log-likelihood in nats."""
    logits = logits.float()
    best, tokens = logits.max(-1)
    return tokens, best - logits.logsumexp(-1)


def by_rereading(model: Any, prompts: Sequence[Sequence[int]], stop: Collection[int], limit: int) -> list[Continuation]:
    """Return the same as `greedy` without a cache: each token is computed from the whole text before it.

    This is slow, and used for models with virtual tokens only. PEFT stores a prefix in the cache's place and counts padding
    on the left as distance between virtual tokens and text. Padding on the right is seen by no token.
    """
    device = next(model.parameters()).device
    texts = [list(prompt) for prompt in prompts]
    active = list(range(len(texts)))
    answers = _Answers(len(texts), stop)
    for _ in range(limit):
        width = max(len(texts[row]) for row in active)
        ids = torch.tensor([texts[row] + [0] * (width - len(texts[row])) for row in active], device=device)
        last = torch.tensor([line * width + len(texts[row]) - 1 for line, row in enumerate(active)], device=device)
        tokens = answers.add(active, logits_at(model, last, input_ids=ids, use_cache=False)).tolist()
        for row, token in zip(active, tokens, strict=True):
            texts[row].append(token)
        active = [row for row in active if not answers.is_complete(row)]
        if not active:
            break
    return answers.continuations()


@contextlib.contextmanager
def _plain_settings(model: Any) -> Iterator[None]:
    """A context in which a model has transformers' own generation settings, none of its folder."""
    from transformers import GenerationConfig

    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    before = [(part, part.generation_config) for part in (model, inner) if hasattr(part, "generation_config")]
    try:
        for part, _ in before:
            part.generation_config = GenerationConfig()
        yield
    finally:
        for part, settings in before:
            part.generation_config = settings


def by_generate(model: Any, prompts: Sequence[Sequence[int]], stop: Collection[int], limit: int) -> list[Continuation]:
    """Return the same as `greedy` by transformers' own `generate`, which is slower and fits every architecture.

    The model's generation settings do not apply: a penalty or a forced token would feed other tokens than the likeliest.
    """
    device = next(model.parameters()).device
    ids, mask = prefill.left_padded(prompts, device)
    with _plain_settings(model):
        output = model.generate(
            input_ids=ids,
            attention_mask=mask,
            max_new_tokens=limit,
            do_sample=False,
            num_beams=1,
            eos_token_id=sorted(stop),
            pad_token_id=prefix_tree.PADDING,
            return_dict_in_generate=True,
            output_logits=True,
        )
    answers = _Answers(len(prompts), stop)
    for logits in output.logits:
        answers.add(range(len(prompts)), logits)
    return answers.continuations()
