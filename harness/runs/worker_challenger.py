"""The run of a challenger inside a worker: fit, answer, and the seconds that both take."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from harness.challengers.parts import answers
from harness.data import registry
from harness.model import meter
from harness.record import Answer, Phase
from harness.runs.inputs import Inputs
from harness.runs.job import Job

PACKAGES = ("scikit-learn",)  # further ones that decide a challenger's answers

Result = TypeVar("Result")


def answer(job: Job, data: Inputs) -> tuple[list[Answer], dict[str, Phase]]:
    """Return a challenger's answers to the test questions and its phases.

    Raises:
        HarnessError: the challenger does not apply, or returned something that is no answer.
    """
    challenger, task = registry.challenger(job.spec.method), data.task

    def fit() -> Any:
        embed = _reader(job) if challenger.embeds else None
        return answers.fit(challenger, task, data.splits.train, job.spec.seed, embed)

    fitted, fitting = _timed(fit)
    result, answering = _timed(lambda: answers.answer(challenger, fitted, data.splits.test, task))
    return result, {"fit": fitting, "evaluate": answering}


def _reader(job: Job) -> Callable[[Sequence[str]], Any]:
    """Return the function that reads texts with the base model."""
    import torch

    from harness.model import embed

    torch.set_num_threads(job.threads)
    return embed.reader(job.model_folder, job.spec)


def _timed(work: Callable[[], Result]) -> tuple[Result, Phase]:
    start = time.perf_counter()
    result = work()
    seconds = time.perf_counter() - start
    return result, Phase(seconds=seconds, peak_bytes=0, resident_bytes=meter.resident_peak())
