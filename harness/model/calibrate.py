"""Prompts without content, which show how much a model prefers an option before it has read the question.

Two corrections of the options' log-likelihoods subtract that preference:

    content-free  the question and its context are replaced by "N/A", "[MASK]" and nothing; the options' probabilities are
                  averaged over the three (contextual calibration; Zhao et al. 2021, arXiv:2102.09690)
    domain        the prompt is its own last line, such as "Answer:" (domain-conditional pointwise mutual information;
                  Holtzman et al. 2021, arXiv:2104.08315); that paper writes these premises by hand
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from harness.schema import Calibration, Example, Task

FILLERS = ("N/A", "[MASK]", "")
PREMISE = "Answer:"  # for prompts of one line, which have no last line apart from the question


@dataclass(frozen=True)
class Blank:
    """Examples without content, in the order of the examples that they replace, and the task that renders them."""

    task: Task
    examples: tuple[Example, ...]


def blanks(examples: Sequence[Example], task: Task, calibration: Calibration) -> list[Blank]:
    """Return the prompts without content for these examples, one set for each filler of `calibration`."""
    if calibration == "domain":
        premises = tuple(replace(example, question=_premise(task.prompt(example)), context="") for example in examples)
        return [Blank(replace(task, prompt=lambda example: example.question), premises)]
    return [Blank(task, tuple(_filled(example, filler) for example in examples)) for filler in FILLERS]


def _filled(example: Example, filler: str) -> Example:
    return replace(example, question=filler, context=filler if example.context else "")


def _premise(prompt: str) -> str:
    return prompt.rsplit("\n", 1)[1] if "\n" in prompt else PREMISE


def mean(logliks: Sequence[Sequence[float]]) -> tuple[float, ...]:
    """Return the log of the options' mean probability, in nats.

    Args:
        logliks: for each prompt without content the log-likelihood of every option. With several prompts, the probabilities
            of each are scaled to a sum of 1 first.
    """
    if len(logliks) == 1:
        return tuple(logliks[0])
    rows = [[value - _log_sum(row) for value in row] for row in logliks]
    return tuple(_log_sum(column) - math.log(len(rows)) for column in zip(*rows, strict=True))


def _log_sum(values: Sequence[float]) -> float:
    top = max(values)
    return top + math.log(math.fsum(math.exp(value - top) for value in values))
