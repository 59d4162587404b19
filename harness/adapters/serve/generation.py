"""Requests of the engine and their results."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

MAX_ALTERNATIVES = 20  # of a token, as in OpenAI


class TokenLogprob(NamedTuple):
    """A token of an answer, its log-likelihood in nats by the model alone, and the likeliest tokens at its place."""

    token: int
    logprob: float
    alternatives: tuple[tuple[int, float], ...] = ()


Progress = Callable[[Sequence[int], Sequence[TokenLogprob]], bool]  # the answer so far -> whether to go on


@dataclass(frozen=True)
class GenerationRequest:
    """A request for a continuation: the prompt's token ids, the adapter's key ("" is the base model), limit and stop texts.

    Attributes:
        progress: called after each token except the last, in the engine's thread; False ends the answer. Models that need
            transformers' `generate` never call it.
        temperature: 0 takes the likeliest token; otherwise tokens are drawn.
        top_p, top_k, min_p: what tokens are drawn from: the likeliest that have this probability together, so many of them
            (0: all), and those with this share of the likeliest one's probability.
        seed: of the draws; None draws a new one.
        logprobs: the number of alternatives of each token to report, None to report nothing.
    """

    prompt: tuple[int, ...]
    adapter: str = ""
    max_tokens: int = 16
    stop: tuple[str, ...] = ()
    progress: Progress | None = field(default=None, compare=False)
    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    seed: int | None = None
    logprobs: int | None = None


@dataclass(frozen=True)
class Generation:
    """A continuation: its text without the stop text or end token, its tokens with it, and whether there was one.

    `logprobs` has an entry for each token if the request asks for it.
    """

    text: str
    tokens: tuple[int, ...]
    stopped: bool
    logprobs: tuple[TokenLogprob, ...] = ()
