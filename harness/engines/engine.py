"""The interface of an engine: token ids in, token ids and log-probabilities out."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

Written = tuple[list[int], float]  # the tokens of an answer, its end token included, and their log-likelihood in nats


class Engine(Protocol):
    """A model in another program. Answers do not depend on the order or the number of the texts of one call."""

    def write(self, prompts: Sequence[Sequence[int]], stop: Collection[int], limit: int) -> list[Written]:
        """Return the most likely continuation of each prompt, up to a token of `stop` or `limit` tokens."""

    def score(self, texts: Sequence[tuple[Sequence[int], Sequence[int]]]) -> list[list[float]]:
        """Return the log-probability in nats of each token of each second part, behind its first part."""

    def close(self) -> None:
        """End the program and free its memory."""


class EngineFault(Exception):
    """An engine returned no answer, or one in another form."""
