"""The run of a challenger inside a worker: fit, answer, and the seconds that both take."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, TypeVar

from harness.challengers.parts import answers
from harness.data import registry
from harness.model import meter
from harness.record import Answer, Phase, Usage
from harness.runs.inputs import Inputs
from harness.runs.job import Job

if TYPE_CHECKING:
    from harness.endpoint.connection import Connection, Progress

PACKAGES = ("scikit-learn",)  # further ones that decide a challenger's answers

Result = TypeVar("Result")


def answer(
    job: Job, data: Inputs, on_progress: Progress | None = None
) -> tuple[list[Answer], dict[str, Phase], Usage | None]:
    """Return a challenger's answers to the test questions, its phases, and its use of a server, None without one.

    Raises:
        HarnessError: the challenger does not apply, returned something that is no answer, or its server gave none.
    """
    challenger, task = registry.challenger(job.spec.method), data.task

    with _connection(job, on_progress) if challenger.remote else nullcontext() as connection:

        def fit() -> Any:
            embed = _reader(job) if challenger.embeds else None
            return answers.fit(challenger, task, data.splits.train, job.spec.seed, embed, connection)

        fitted, fitting = _timed(fit)
        result, answering = _timed(lambda: answers.answer(challenger, fitted, data.splits.test, task))
        usage = connection.usage() if connection else None
    return result, {"fit": fitting, "evaluate": answering}, usage


def _connection(job: Job, on_progress: Progress | None) -> Connection:
    """Return the connection to the server of a job, whose answers are kept in the results folder."""
    from harness.endpoint.connection import Connection, Settings
    from harness.endpoint.contact import require
    from harness.endpoint.forms import ServerFacts

    spec = job.spec
    endpoint, facts = require(job.endpoint, spec.method), ServerFacts.of(spec.server)
    limit = endpoint.tokens or spec.max_new_tokens
    return Connection(Settings(endpoint, facts, limit, job.results), on_progress)


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
