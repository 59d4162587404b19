"""A model that another program computes, with what `harness.model.answer` needs of a model.

Prompts, stops, batches, parsing and scores are those of every other row; only the numbers come from elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import torch

from harness.engines.engine import Engine, EngineFault
from harness.errors import HarnessError
from harness.model.generate import Continuation
from harness.model.likelihood import Nats, Row
from harness.model.tokenize import Pair
from harness.record import RunSpec


class EngineModel(torch.nn.Module):
    """An engine in a model's place; it has no weights in this process. `generation_config` is that of the model's folder."""

    batch_tokens = 2**17  # an engine makes its own batches

    def __init__(self, engine: Engine, folder: Path) -> None:
        from transformers import GenerationConfig

        super().__init__()
        self.engine = engine
        try:
            self.generation_config = GenerationConfig.from_pretrained(folder, local_files_only=True)
        except OSError:  # a folder without
            self.generation_config = GenerationConfig()

    def write(
        self, model: Any, prompts: Sequence[Sequence[int]], stop: Collection[int], limit: int
    ) -> list[Continuation]:
        """Return the continuations of prompts, as `generate.greedy`; `model` is this one."""
        return [Continuation(*written) for written in _checked(self.engine.write, prompts, stop, limit)]

    def score_rows(self, model: Any, rows: Sequence[Row], spec: RunSpec) -> list[tuple[Nats, ...]]:
        """Return the log-likelihoods of options, as `likelihood.score_rows`."""
        items = [item for row in rows for item in row.items]
        texts = [(item.prompt, option) for item in items for option in item.options]
        parts = iter(_checked(self.engine.score, texts))
        return [tuple(_nats(next(parts)) for _ in item.options) for item in items]

    def score_tokens(self, model: Any, rows: Sequence[Pair], spec: RunSpec) -> list[tuple[float, ...]]:
        """Return the log-likelihood of each token of texts, as `likelihood.score_tokens`."""
        return [tuple(values) for values in _checked(self.engine.score, [(row.prompt, row.target) for row in rows])]


def _nats(values: Sequence[float]) -> Nats:
    return Nats(math.fsum(values[:-1]), values[-1])


def _checked(work: Any, *arguments: Any) -> Any:
    try:
        return work(*arguments)
    except (EngineFault, KeyError, ValueError, RuntimeError, TypeError) as error:
        problem = f"the engine gave no answer: {error}"
        raise HarnessError(problem, where="--engine", fix="see the run's log, or leave --engine out") from error
