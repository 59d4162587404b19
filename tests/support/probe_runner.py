"""A worker for the tests of probes that trains nothing; it imports no torch, which each process of a run would pay for."""

from __future__ import annotations

from harness.data import probes
from harness.metrics.scoring import chance, score_answers
from harness.record import Answer, ProbeResult
from harness.runs.job import Job, Reporter
from harness.store import records
from tests.support import logged_steps
from tests.support.cli_runner import guess


def ask(job: Job, reporter: Reporter) -> None:
    """A worker that trains nothing: on the task as `desk.guess`; the base model is right on the probe, others on a third."""
    guess(job, reporter)
    record, (key,) = records.read_record(job.folder), job.spec.probes
    asked = probes.read(job.source.sibling(job.probes[0]))
    said = []
    for n, e in enumerate(asked.examples):
        text = e.target if job.spec.method == "base" or n % 3 == 0 else next(c for c in e.choices if c != e.target)
        loglik = tuple(-0.5 if choice == text else -1.5 for choice in e.choices)
        said.append(Answer(e.id, e.group or e.id, e.target, text, text, e.choices, loglik))
    kept = ProbeResult(
        data=key.rpartition("@")[2],
        scoring=asked.task.scoring,
        scores=score_answers(said, asked.task.metrics),
        parse_rate=1.0,
        chance=chance(asked.task, asked.examples),
        answers_sha256=records.write_answers(job.folder, said, records.probe_file(asked.task.name)),
        cut_examples=0,
    )
    records.write_record(job.folder, logged_steps.with_probes(record, {asked.task.name: kept}))
