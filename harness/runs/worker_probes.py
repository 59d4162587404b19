"""The worker's part in probes: find them, ask the trained model, keep what it said."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from harness.data import probes as general
from harness.data.probes import Asked
from harness.errors import HarnessError
from harness.metrics.scoring import chance, parse_rate, score_answers
from harness.model import meter as memory
from harness.record import Answer, Phase, ProbeResult
from harness.runs.job import Job
from harness.schema import Example, Task
from harness.store import records

Said = list[tuple[Asked, list[Answer]]]


def find(job: Job, task: Task, test: Sequence[Example]) -> list[Asked]:
    """Return the probes of a job's spec; `test` are the examples that its task asks.

    Raises:
        HarnessError: a task or its data is gone, or asks something else than was planned.
    """
    references = job.probes or general.names(job.spec)
    found = [general.find(reference, job.source, task, test, job.probe_limit) for reference in references]
    if tuple(probe.key for probe in found) != job.spec.probes:
        problem, fix = "a probe's data or prompt changed since the run was planned", "run the same command again"
        raise HarnessError(problem, where=f"--probe {','.join(references)}", fix=fix)
    return found


def ask(
    probes: Sequence[Asked], model: Any, tokenizer: Any, job: Job, on_progress: Callable[[int, int], None]
) -> tuple[Said, Phase]:
    """Ask the model, as it now is, what it was not trained on; return what it said and what that cost."""
    from harness.model import answer as evaluate

    said: Said = []
    with memory.phase(job.spec.device) as meter:
        for probe in probes:
            part, spec = memory.Meter(job.spec.device), probe.spec(job.spec)
            answers = evaluate.answer(
                model, tokenizer, probe.examples, probe.task, spec, on_progress=on_progress, meter=part
            )
            said.append((probe, answers))
            meter.note(part.peak_bytes)
            meter.tokens += part.tokens
            meter.excluded_seconds += part.excluded_seconds
    if meter.result is None:
        raise RuntimeError("the phase was read before it ended")
    return said, meter.result


def keep(job: Job, said: Said) -> dict[str, ProbeResult]:
    """Write the answers into the run's folder and return what its record says of them."""
    return {
        probe.task.name: ProbeResult(
            data=probe.data,
            scoring=probe.task.scoring,
            scores=score_answers(answers, probe.task.metrics),
            parse_rate=parse_rate(answers),
            chance=chance(probe.task, probe.examples),
            answers_sha256=records.write_answers(job.folder, answers, records.probe_file(probe.task.name)),
            cut_examples=sum(answer.cut_tokens > 0 for answer in answers),
            limit=probe.limit,
        )
        for probe, answers in said
    }
