"""`verify PATH --replay N`: ask the stored weights of every run N of its questions again, and compare."""

from __future__ import annotations

import functools
import math
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from harness import environment, processes
from harness.adapters import replay as models
from harness.adapters import replay_training
from harness.cli.commands import replay_processes, verify_rerun
from harness.cli.lookup import Lookup
from harness.cli.terminal import output
from harness.errors import HarnessError
from harness.format import spoken
from harness.record import Record
from harness.runs import worker_challenger
from harness.runs.job import Job
from harness.runs.options import Options
from harness.store import records, training_files
from harness.verify import replay as judging
from harness.verify.replay import Evidence, Outcome
from harness.verify.reproduce import Outcome as Verdict

DONE, DIFFERS = 0, 1
NEEDED = "stored weights are needed, and the base model: `make models`, or --model DIR"


def replay(
    path: Path,
    count: int,
    options: Options,
    *,
    seed: str | None = None,
    minutes: float | None = None,
    model: str | None = None,
) -> int:
    """Ask the weights of every finished run below a path again and print a line for each; return 1 if a run has a fault.

    Args:
        path: a folder of runs, or one run's.
        count: the number of questions of each run.
        options: which tasks and data are at hand.
        seed: draws the questions, and the order of the runs if there is not time for all; None for one that follows from
            everything stored.
        minutes: after these no further run is begun; None for all runs.
        model: the folder or hub id of the base model, if the recorded name is neither.

    Raises:
        HarnessError: there is no finished run, or nothing of any could be done again.
    """
    runs = [run for run in records.find(path, skip_damaged=True) if run.record.status == "ok"]
    if not runs:
        raise HarnessError("there are no finished runs to replay", where=str(path), fix="name a folder of runs")
    processes.quieten()
    seed = seed or judging.default_seed(run.record for run in runs)
    output.say(f"{count} questions of each run, and those of the same batches, drawn by --replay-seed {seed}")
    if minutes is not None:
        random.Random(seed).shuffle(runs)
    lookup = Lookup(options, path)
    jobs = [_job(run, runs, lookup, options, model) for run in runs]
    repeat = functools.partial(_replay_run, count=count, seed=seed)
    width = replay_processes.width([run.record for run in runs])
    outcomes = []
    work = list(zip(runs, jobs, strict=True))
    late = _late(math.inf if minutes is None else minutes)
    for run, outcome in zip(runs, replay_processes.side_by_side(repeat, work, width, late), strict=True):
        _tell(run.record, outcome)
        outcomes.append(outcome)
    outcomes = _compared([run.record for run in runs], outcomes)
    _say_total(path, outcomes)
    return DIFFERS if any(outcome.faults for outcome in outcomes) else DONE


def _say_total(path: Path, outcomes: Sequence[Outcome]) -> None:
    """Print how many runs were replayed and how far off they were.

    Raises:
        HarnessError: nothing of any run could be done again.
    """
    replayed, runs = [outcome for outcome in outcomes if outcome.questions], len(outcomes)
    bad, steps = sum(bool(outcome.faults) for outcome in outcomes), sum(outcome.steps for outcome in outcomes)
    if not replayed and not bad and not steps:
        problem = f"NOTHING REPLAYED: of none of {runs} runs could an answer or a step be computed again"
        raise HarnessError(problem, where=str(path), fix=f"see the reason of each run above; {NEEDED}")
    total = f"{len(replayed)} of {runs} runs replayed, {runs - len(replayed)} not, {bad} with a fault"
    if replayed:
        equal, asked = (sum(getattr(outcome, name) for outcome in replayed) for name in ("equal", "questions"))
        gap = max(outcome.gap for outcome in replayed)
        total += f"; greatest difference {gap:.3g} nats, {equal} of {asked} answers equal to the last digit"
    output.say(total)


def _late(minutes: float) -> Callable[[], Outcome | None]:
    """Return a function that returns the outcome of a run for which no time is left, and None before."""
    end, outcome = time.monotonic() + 60 * minutes, _skipped(f"its turn did not come within {minutes:g} min")
    return lambda: outcome if time.monotonic() >= end else None


def _job(
    run: records.Run, runs: Sequence[records.Run], lookup: Lookup, options: Options, model: str | None
) -> Job | Outcome:
    """Return the job of doing a run again, or the outcome if it cannot be done."""
    record = run.record
    like = [record, *(other.record for other in runs if other.record.spec.data == record.spec.data)]
    try:
        job = verify_rerun.job_of(like, lookup, options, model or record.spec.model, Path())
    except HarnessError as problem:
        return _fault(problem)
    return _skipped("; ".join(job.reasons)) if isinstance(job, Verdict) else job


def _replay_run(work: tuple[records.Run, Job | Outcome], count: int, seed: str) -> Outcome:
    run, job = work
    if isinstance(job, Outcome):
        return job
    try:
        return _outcome(run, job, count, seed)
    except HarnessError as problem:
        return _fault(problem)


def _compared(stored: Sequence[Record], outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Return the outcomes with the faults that show beside other runs of an environment; print those."""
    reference, result = judging.Reference(stored, outcomes), []
    for record, outcome in zip(stored, outcomes, strict=True):
        faults = [] if outcome.faults else reference.faults(record, outcome)
        if faults:
            output.say(f"✗ {record.spec.task} {spoken(record.spec)} ({record.spec.id})  beside the other runs")
        for fault in faults:
            output.say(f"    differs: {fault}")
        result.append(replace(outcome, faults=(*outcome.faults, *faults)))
    return result


def _skipped(reason: str) -> Outcome:
    return Outcome(0, 0, 0.0, 0, (), reason)


def _fault(problem: HarnessError) -> Outcome:
    return Outcome(0, 0, 0.0, 0, (problem.problem,))


def _outcome(run: records.Run, job: Job, count: int, seed: str) -> Outcome:
    record, stored = run.record, run.answers()
    further = worker_challenger.PACKAGES if job.spec.challenger else ()
    environment_here = environment.describe(job.spec.device, threads=job.threads, further=further)
    exact = not judging.differences(record.environment, environment_here)
    positions = judging.draw(seed, record, count)
    answers = models.ask(job, run.folder, positions)
    steps = replay_training.first_steps(job.model_folder, models.prepare(job), job.spec)
    again = Evidence(
        answers.answers,
        losses=steps.losses,
        tokens=steps.tokens,
        last_loss=answers.last_loss,
        peak=steps.peak,
        test_tokens=models.test_tokens(job, stored),
        torch=environment_here.packages.get("torch", ""),
        reason=answers.reason,
    )
    logged = training_files.read_steps(run.folder) if record.steps_sha256 else []
    outcome = judging.judge(record, stored, logged, again, exact=exact)
    if not exact and record.spec.dtype == "bf16" and outcome.equal < outcome.questions:
        plain = models.ask(replace(job, spec=replace(job.spec, dtype="fp32")), run.folder, positions)
        again = replace(again, fp32_answers=plain.answers)
        outcome = judging.judge(record, stored, logged, again, exact=exact)
    return outcome


def _tell(record: Record, outcome: Outcome) -> None:
    mark = "✗" if outcome.faults else "✓" if outcome.questions else "–"
    parts = []
    if outcome.questions:
        parts.append(f"{outcome.equal}/{outcome.questions} answers equal, greatest difference {outcome.gap:.3g} nats")
    if outcome.reason:
        parts.append(f"not replayed: {outcome.reason}")
    if outcome.steps:
        parts.append(f"{outcome.steps} first steps taken again")
    output.say(f"{mark} {record.spec.task} {spoken(record.spec)} ({record.spec.id})  {'; '.join(parts)}".rstrip())
    for fault in outcome.faults:
        output.say(f"    differs: {fault}")
