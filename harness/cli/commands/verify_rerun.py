"""`verify PATH --rerun RUN`: train a run again, in a folder that is thrown away, and compare."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from harness import environment
from harness.cli.lookup import Lookup
from harness.cli.terminal import output
from harness.data import probes, registry
from harness.errors import HarnessError
from harness.format import spoken
from harness.model import checkpoint
from harness.record import Record, RunSpec
from harness.runs import continuation, local, runner, worker
from harness.runs.job import Job, Note, Outcome, Progress
from harness.runs.local import Target
from harness.runs.options import Options, Start
from harness.store import archive, records
from harness.store.find import find_run
from harness.verify import reproduce as comparing
from harness.verify.checks.answers import data as data_checks
from harness.verify.reproduce import Outcome as Verdict

DONE, DIFFERS, INTERRUPTED = 0, 1, 130


def rerun(path: Path, name: str, options: Options, *, model: str | None = None, work: Target | None = None) -> int:
    """Train again and say REPRODUCED (0), or DIFFERS or NOT COMPARABLE, and why (1).

    Args:
        path: where the run lies: a folder of runs, or its own.
        name: the run: its name (the first seed then), its id or its folder.
        options: which tasks and data are at hand.
        model: the folder or hub id of the model, if the recorded name is neither.
        work: does the run, in a process of its own; None for the worker that trains.

    Raises:
        HarnessError: there is no such run, or it did not finish.
    """
    runs = [run for run in records.find(path) if archive.archive_of(run.folder) is None]
    if not runs:
        raise HarnessError("there are no results to verify", where=str(path), fix="name a folder of runs")
    old = find_run(name, runs)
    if old.record.status != "ok":
        problem = f"the run did not finish ({old.record.status}), so there is nothing to reproduce"
        raise HarnessError(problem, where=str(old.folder), fix="name a finished run")
    with tempfile.TemporaryDirectory() as folder:
        like = [old.record, *(run.record for run in runs if run.record.spec.data == old.record.spec.data)]
        job = job_of(like, Lookup(options, path), options, model or old.record.spec.model, Path(folder))
        if not isinstance(job, Verdict):
            job = _with_start(job, runs)
        if isinstance(job, Verdict):
            return _tell(old.record.spec, job)
        local.warm_up()
        result = runner.run([job], local.LocalProcesses(work or worker.run), _Watch())
        if result.interrupted:
            return INTERRUPTED
        (outcome,) = result.outcomes
        if outcome.record is None:
            return _tell(old.record.spec, Verdict("NOT COMPARABLE", (f"{outcome.status}: {outcome.reason}",)))
        new = records.Run(job.folder, outcome.record)
        return _tell(old.record.spec, comparing.judge((old.record, old.answers()), (new.record, new.answers())))


def job_of(like: Sequence[Record], lookup: Lookup, options: Options, model: str, folder: Path) -> Job | Verdict:
    """Return the job of doing the first of these runs again on the same data, or why it cannot be done here."""
    old = like[0]
    spec, task = old.spec, lookup.task(old)
    splits = lookup.splits(task.name) if task else None
    if task is None or splits is None:
        return Verdict("NOT COMPARABLE", (f"the task '{spec.task}' or its data is not here ({output.FILE_FLAGS})",))
    limits = data_checks.limits(task, like, splits)
    if limits is None or task.version != spec.task_version:
        return Verdict("NOT COMPARABLE", (f"{task.name} v{task.version} here has other examples or prompts",))
    if spec.server:
        return Verdict("NOT COMPARABLE", ("its answers are those of a server, which is not asked again",))
    if spec.device == "cuda" and not environment.cuda_present():
        return Verdict("NOT COMPARABLE", ("it ran on CUDA, and here is none",))
    if spec.remote_code and not options.remote_code:  # a record of somebody else must not make this machine run code
        return Verdict("NOT COMPARABLE", ("code that came with the model was run; --trust-remote-code allows it here",))
    base = _base(spec, model) if _reads_model(spec) else Path()
    if isinstance(base, Verdict):
        return base
    return Job(
        spec=spec,
        folder=records.run_dir(folder, spec),
        source=replace(lookup.source(task), train_limit=limits[0], test_limit=limits[1]),
        model_folder=base,
        probes=tuple(map(lookup.reference, probes.names(spec))),
        probe_limit=lookup.probe_limit(old),
        threads=min(old.environment.threads, environment.cores()),
    )


def _reads_model(spec: RunSpec) -> bool:
    """Return whether a run needs the base model; most challengers do not."""
    return not spec.challenger or registry.challenger(spec.method).embeds


def _base(spec: RunSpec, model: str) -> Path | Verdict:
    """Return the folder of a run's base model, or why it is not here."""
    try:
        base = checkpoint.read(model, remote_code=spec.remote_code)
    except HarnessError as problem:
        return Verdict("NOT COMPARABLE", (f"{problem.problem}; --model DIR names where it is",))
    if not base.matches(spec.model_revision):
        return Verdict("NOT COMPARABLE", (f"the model here is {base.revision}, and it was {spec.model_revision}",))
    return base.folder


def _with_start(job: Job, runs: Sequence[records.Run]) -> Job | Verdict:
    """Return the job with the run that it continues, if any, or why it cannot be done here."""
    if job.spec.joined:
        return Verdict(
            "NOT COMPARABLE", ("it trained on several tasks: `sequence --joint --results DIR` does it again",)
        )
    if not job.spec.start:
        return job
    start = next((run for run in runs if run.record.spec.id == job.spec.start), None)
    try:
        if start is None:
            raise HarnessError("the run is not here", where="", fix="")
        continuation.require(Start(start.record.spec, start.folder))
    except HarnessError:
        why = f"it goes on from {job.spec.start}, whose weights are not here; name a folder with both"
        return Verdict("NOT COMPARABLE", (why,))
    return replace(job, start=start.folder)


def _tell(spec: RunSpec, verdict: Verdict) -> int:
    output.say(f"{verdict.verdict}  {spec.task} {spoken(spec)} ({spec.id})")
    for line in (*verdict.observations, *verdict.reasons):
        output.say(f"    {line}")
    return DONE if verdict.verdict == "REPRODUCED" else DIFFERS


class _Watch:
    """A watcher that reports on stderr."""

    def on_start(self, job: Job) -> None:
        """A run starts."""
        output.note(f"training again: {spoken(job.spec)}")

    def on_progress(self, job: Job, progress: Progress) -> None:
        """A run got further; one run alone needs no bar."""

    def on_note(self, job: Job, note: Note) -> None:
        """The run has something to say."""
        output.note(note.text)

    def on_end(self, outcome: Outcome) -> None:
        """The run ended."""
        output.note(f"{outcome.status}{f': {outcome.reason}' * bool(outcome.reason)}")

    def on_stop(self) -> None:
        """The user asked to stop."""
        output.note("stopping after the step in hand")
