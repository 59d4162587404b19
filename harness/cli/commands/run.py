"""`run`: plan every task, do its runs, show the tables and the next command."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from harness.analysis.items import Run
from harness.analysis.results import TaskResults, analyze
from harness.cli import flags, next_command, recipe, settings
from harness.cli.arguments import Arguments
from harness.cli.terminal import output, plan_output, silence
from harness.cli.terminal.progress import Watch
from harness.errors import HarnessError
from harness.format import about
from harness.report.write import write_outputs
from harness.runs import local, plan, runner, worker
from harness.runs.job import Executor, Job, Outcome
from harness.runs.local import Target
from harness.runs.options import Options
from harness.runs.plan import Plan
from harness.store import records

DONE, DIFFERS, INTERRUPTED = 0, 1, 130
FLAGS = flags.RUN


def main(arguments: Arguments) -> int:
    """Run the methods on tasks."""
    return run(settings.run_options(arguments), arguments.line, work=arguments.work)


def run(options: Options, command: str, *, work: Target | None = None) -> int:
    """Run the tasks one after the other.

    Args:
        options: the settings.
        command: the command as typed, repeated to show how to continue.
        work: does a run, in a process of its own; None for the worker that trains.
    """
    if options.cluster:
        from harness.runs.executors.ray import session

        with silence.stage("connecting to the cluster"):
            _, words = session.connect(options.cluster)
        output.say(f"{'cluster':<10} {words}")
    with silence.stage(f"planning: reading {', '.join(options.tasks)} and {options.model}, timing a step"):
        plans = plan.make(options, announce=plan_output.transfer)
        if not options.memory:
            plan.check(plans)
    settings_file = recipe.write(options) if options.report else None
    code = DONE
    analyses: dict[str, TaskResults] = {}
    for planned in plans:
        plan_output.header(planned)
        planned, outcomes, interrupted, tuned = _tune_and_run(planned, work)
        code = code if tuned else DIFFERS
        with silence.stage("comparing the runs"):
            analyses[planned.task.name] = analysis = _analyze(planned, outcomes)
        output.results(analysis)
        plan_output.conditions(planned)
        output.say()
        output.recommendations(analysis, planned.options.results)
        if interrupted:
            output.say(f"{'continue':<12} {command}")
            return INTERRUPTED
        if any(outcome.status != "ok" for outcome in outcomes):
            code = DIFFERS
    return _finish(plans, analyses, code, command, settings_file)


def _tune_and_run(planned: Plan, work: Target | None) -> tuple[Plan, Sequence[Outcome], bool, bool]:
    """Run the trials of `--tune`, then the runs at the rates that they chose.

    Returns the plan with these rates, how its runs ended, whether the user stopped them, and whether all rates are known.
    """
    if planned.tuning is not None:
        _, interrupted = execute(planned.tuning, work)
        planned = plan.update(planned)
        if interrupted:
            return planned, (), True, False
        plan_output.untuned(planned)
    outcomes, interrupted = execute(planned, work)
    return planned, outcomes, interrupted, not planned.waiting


def execute(planned: Plan, work: Target | None = None) -> tuple[Sequence[Outcome], bool]:
    """Do the runs of a plan that are still to do; return how they ended, and whether the user stopped them."""
    jobs = planned.jobs()
    if jobs and not planned.options.cluster:
        local.warm_up()
    with _executor(planned.options, work or worker.run, jobs) as executor, Watch(planned) as watch:
        result = runner.run(jobs, executor, watch)
    return result.outcomes, result.interrupted


@contextlib.contextmanager
def _executor(options: Options, work: Target, jobs: Sequence[Job]) -> Iterator[Executor]:
    """Return a context with the place where the runs work."""
    if options.cluster and jobs:
        from harness.runs.executors.ray import executor

        with contextlib.closing(executor.open_cluster(options.cluster, jobs, work)) as cluster:
            yield cluster
    elif options.cards:
        from harness.runs.executors.cards import CardProcesses

        yield CardProcesses(work, options.cards, slots=options.jobs)
    else:
        yield local.LocalProcesses(work, slots=options.jobs)


def _analyze(planned: Plan, outcomes: Sequence[Outcome]) -> TaskResults:
    """Return the analysis of the plan's runs, and of an earlier run of the base model on the same questions."""
    finished = [
        run for spec in planned.specs if (run := records.finished_run(planned.options.results, spec)) is not None
    ]
    if all(spec.method != "base" for spec in planned.specs):
        finished += _earlier_base(planned)
    runs: list[Run] = [(run.record, run.answers() or None) for run in finished]
    failed = {outcome.job.spec.id: outcome.record for outcome in outcomes if outcome.record is not None}
    for run in finished:
        failed.pop(run.record.spec.id, None)
    runs += [(failed[spec.id], None) for spec in planned.specs if spec.id in failed]
    probed = [run for run in finished if run.record.probes] if planned.probes else []
    metrics = {planned.task.name: planned.task.metrics} | {
        probe.task.name: probe.task.metrics for probe in planned.probes
    }
    return analyze(planned.task.name, runs, metrics, {run.record.spec.id: run.probe_answers() for run in probed})


def _earlier_base(planned: Plan) -> list[records.Run]:
    like = planned.default_specs[0]
    fields = (
        "data",
        "scoring",
        "model",
        "model_revision",
        "serving",
        "test_examples",
        "dtype",
        "device",
        "max_tokens",
    )
    earlier = records.read_all(planned.options.results, like.task, skip_damaged=True)
    for run in sorted(earlier, key=lambda run: run.record.spec.probes != like.probes):
        spec = run.record.spec
        comparable = all(getattr(spec, name) == getattr(like, name) for name in fields)
        if run.record.status == "ok" and spec.method == "base" and comparable:
            return [run]
    return []


def _finish(
    plans: Sequence[Plan], analyses: Mapping[str, TaskResults], code: int, command: str, settings_file: Path | None
) -> int:
    results = plans[0].options.results
    folders = list(
        dict.fromkeys(records.run_dir(results, spec).parents[2] for planned in plans for spec in planned.specs)
    )
    if settings_file is None:
        output.closing(folders, next_command.command("report", results=results))
        return code
    views: list[Path] = []
    try:
        tasks = {planned.task.name: planned.task for planned in plans}
        with silence.stage("writing tables, figures and the page"):
            views = write_outputs(results, records.read_all(results), tasks, analyses=analyses)
    except HarnessError as problem:  # the runs are safe; an old record in the way must not hide that
        output.error(problem)
        code = DIFFERS
    output.closing([*folders, *views, settings_file], _next(plans, code, command))
    return code


def _more_time(plans: Sequence[Plan], times: int) -> str:
    """Return the time of so many further seeds of all trained runs, by what these took; empty if nothing was trained."""
    seconds = 0.0
    for planned in plans:
        runs = (records.finished_run(planned.options.results, spec) for spec in planned.specs if spec.train_examples)
        seconds += sum(run.record.seconds for run in runs if run is not None) / planned.options.jobs
    return f"; {about(times * seconds)} more" if seconds else ""


def _next(plans: Sequence[Plan], code: int, command: str) -> str:
    if code != DONE:
        return f"{command}   (does what is not finished)"
    if plans[0].options.quick:
        return f"{command.replace(' --quick', '')}   (all examples, all ranks)"
    if len(plans[0].options.seeds) == 1 and "--seeds" not in command:
        return f"{command} --seeds 3   (how much of it is chance in training{_more_time(plans, 2)})"
    return next_command.command("verify", *next_command.task_words(plans[0].options), results=plans[0].options.results)
