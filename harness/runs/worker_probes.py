"""The worker's part in probes and validation: ask the model, score its answers, store them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from harness.data import loading
from harness.data.loading import Splits
from harness.data.probes import Probe
from harness.metrics.scoring import chance, parse_rate, score_answers
from harness.model import meter as memory
from harness.record import Answer, Phase, ProbeResult
from harness.runs.inputs import Inputs
from harness.runs.job import Job
from harness.schema import Method
from harness.store import records

VALIDATION_QUESTIONS = 300  # at most; their standard error is about 3 points

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


def validate(
    job: Job, data: Inputs, method: Method, model: Any, tokenizer: Any, on_progress: Callable[[int, int], None]
) -> tuple[ProbeResult, Phase]:
    """Return the result of an untrained row on the task's validation questions, and the cost of asking them.

    The questions are the first `VALIDATION_QUESTIONS` of the validation split, which the run's limit of test questions has
    shortened. Their answers are written into the run's folder.
    """
    from harness.model import answer, tokenize

    spec, examples = job.spec, data.splits.validation[:VALIDATION_QUESTIONS]
    with memory.phase(spec.device) as meter:
        answers = answer.answer(
            model,
            tokenizer,
            examples,
            data.task,
            spec,
            shots=tokenize.choose_shots(data.splits.train, method.shots, spec.seed),
            calibration=method.calibration,
            on_progress=on_progress,
            meter=meter,
        )
    if meter.result is None:
        raise RuntimeError("the phase was read before it ended")
    result = ProbeResult(
        data=loading.fingerprint(data.task, Splits((), examples, ())),
        scoring=spec.scoring,
        scores=score_answers(answers, data.task.metrics),
        parse_rate=parse_rate(answers),
        chance=chance(data.task, examples),
        answers_sha256=records.write_answers(job.folder, answers, records.VALIDATION),
        cut_examples=sum(answer.cut_tokens > 0 for answer in answers),
        limit=min(VALIDATION_QUESTIONS, job.source.test_limit or VALIDATION_QUESTIONS),
    )
    return result, meter.result
