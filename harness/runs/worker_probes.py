"""The worker's part in probes: ask the trained model, score its answers, store them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from harness.data.probes import Probe
from harness.metrics.scoring import chance, parse_rate, score_answers
from harness.model import meter as memory
from harness.record import Answer, Phase, ProbeResult
from harness.runs.job import Job
from harness.store import records

ProbeAnswers = list[tuple[Probe, list[Answer]]]


def ask(
    probes: Sequence[Probe], model: Any, tokenizer: Any, job: Job, on_progress: Callable[[int, int], None]
) -> tuple[ProbeAnswers, Phase]:
    """Return the trained model's answers to each probe, and the cost of asking."""
    from harness.model import answer

    pairs: ProbeAnswers = []
    with memory.phase(job.spec.device) as meter:
        for probe in probes:
            part, spec = memory.Meter(job.spec.device), probe.spec(job.spec)
            answers = answer.answer(
                model, tokenizer, probe.examples, probe.task, spec, on_progress=on_progress, meter=part
            )
            pairs.append((probe, answers))
            meter.note(part.peak_bytes)
            meter.tokens += part.tokens
            meter.excluded_seconds += part.excluded_seconds
    if meter.result is None:
        raise RuntimeError("the phase was read before it ended")
    return pairs, meter.result


def store(job: Job, pairs: ProbeAnswers) -> dict[str, ProbeResult]:
    """Write the answers into the run's folder and return the results for its record."""
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
        for probe, answers in pairs
    }
